"""The paper's experiments: declared once in the registry, planned and run from there."""

from elrcn.experiments.experiment import Experiment, FigureOf
from elrcn.experiments.methods import Method
from elrcn.experiments.registry import GROUPS, REGISTRY, experiment_names, get_experiment
from elrcn.experiments.running import Plan, plan, plan_manifest, run, run_method, stored_folds
from elrcn.experiments.tasks import CDE, EMOTION_ABLATION, EMOTION_LOSO, HDE, Task
from elrcn.experiments.weights import Options

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
