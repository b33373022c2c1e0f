"""The paper's experiments: declared once in the registry, planned and run from there."""

from elrcn.experiments.methods import Method
from elrcn.experiments.plans import Plan, plan, plan_manifest, run, run_method, stored_folds
from elrcn.experiments.registry import (
    CDE,
    EMOTION_ABLATION,
    EMOTION_LOSO,
    GROUPS,
    HDE,
    REGISTRY,
    Experiment,
    FigureOf,
    Task,
    experiment_names,
    get_experiment,
)
from elrcn.experiments.starts import Options

__all__ = [
    "CDE",
    "EMOTION_ABLATION",
    "EMOTION_LOSO",
    "GROUPS",
    "HDE",
    "REGISTRY",
    "Experiment",
    "FigureOf",
    "Method",
    "Options",
    "Plan",
    "Task",
    "experiment_names",
    "get_experiment",
    "plan",
    "plan_manifest",
    "run",
    "run_method",
    "stored_folds",
]
