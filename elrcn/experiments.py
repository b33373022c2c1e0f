"""The registry: every experiment of the paper, declared once.

Notebooks, the command line and the glance page read it; none of them knows an estimator by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import Fold, cde_folds, hde_folds, loso_folds
from elrcn.evaluation.runner import run_protocol
from elrcn.evaluation.store import RunStore
from elrcn.facs import EMOTIONS, OBJECTIVE_CLASSES
from elrcn.manifest import Manifest, casme2_emotions, objective_five
from elrcn.provenance import code_hash, library_versions
from elrcn.session import Session

# A change in any of these may change a prediction, so stored rows are keyed by their code.
_NOT_IDENTITY = {"steps", "memory", "feature_store", "progress", "device"}
_LEARNING_CODE = ("models", "features", "preprocess", "evaluation/runner.py")


@dataclass(frozen=True)
class Task:
    """Which clips, which label and which folds.

    Attributes
    ----------
    databases : tuple of str
        Databases needed.
    select : callable
        Manifest of everything -> manifest of the task's clips.
    label : str
        Column of the manifest that holds the true class.
    classes : tuple of str
        Class names in the order of every table and figure.
    folds : callable
        Manifest -> list of `Fold`.
    """

    name: str
    databases: tuple[str, ...]
    select: Callable[[Manifest], Manifest]
    label: str
    classes: tuple[str, ...]
    protocol: str
    folds: Callable[[Manifest], list[Fold]]


@dataclass(frozen=True)
class Method:
    """One row of a table: an estimator and what it takes as input.

    `published` names the row of ``data_manifest/paper_results.csv`` it stands beside.
    """

    name: str
    label: str
    build: Callable[[Session], BaseEstimator]
    input: str = "stack"
    published: str = ""
    preprocess: Callable[[PreprocessConfig], PreprocessConfig] = field(
        default=lambda config: config
    )


@dataclass(frozen=True)
class Experiment:
    """What of the paper it is, on what data, by which protocol, with which methods."""

    name: str
    paper: str
    title: str
    task: Task
    methods: tuple[Method, ...]
    page: str


def _majority(session: Session) -> BaseEstimator:
    from elrcn.features.majority import majority_classifier

    return majority_classifier()


def _lbp_top(session: Session) -> BaseEstimator:
    from elrcn.features.lbp_top import lbp_top_svm

    return lbp_top_svm(C=10000.0)


def _network_settings(session: Session) -> dict:
    profile = session.profile
    return {
        "vgg": profile.vgg,
        "temporal": profile.temporal,
        "temporal_train": profile.temporal_train,
        "scaling": profile.scaling,
        "device": session.device,
        "threads": profile.threads_per_fold,
        "feature_store": str(session.workspace.cache / "spatial"),
    }


def _elrcn_se(session: Session) -> BaseEstimator:
    from elrcn.models.elrcn import ELRCNSE

    return ELRCNSE(spatial_train=session.profile.spatial_train, **_network_settings(session))


def _elrcn_te(session: Session) -> BaseEstimator:
    from elrcn.models.elrcn import ELRCNTE

    return ELRCNTE(
        spatial_train=session.profile.finetune_train,
        pretrained=str(session.pretrained()),
        **_network_settings(session),
    )


EMOTION_LOSO = Task(
    "emotion-5",
    ("CASME2",),
    casme2_emotions,
    "emotion",
    tuple(EMOTIONS),
    "LOSO",
    loso_folds,
)
CDE = Task(
    "cde",
    ("CASME2", "SAMM"),
    objective_five,
    "objective_class",
    tuple(OBJECTIVE_CLASSES[:5]),
    "CDE (LOSO over both databases)",
    cde_folds,
)
HDE = Task(
    "hde",
    ("CASME2", "SAMM"),
    objective_five,
    "objective_class",
    tuple(OBJECTIVE_CLASSES[:5]),
    "HDE (train on one database, test on the other)",
    hde_folds,
)

MAJORITY = Method("majority", "Largest training class", _majority, input="grey")
LBP_TOP = Method("lbp_top", "LBP-TOP + linear SVM", _lbp_top, "grey", "LBP-TOP (reproduced)")
SE = Method("elrcn_se", "ELRCN-SE", _elrcn_se, published="ELRCN-SE")
TE = Method("elrcn_te", "ELRCN-TE", _elrcn_te, published="ELRCN-TE")

REGISTRY: dict[str, Experiment] = {
    e.name: e
    for e in (
        Experiment(
            "table1",
            "Table I",
            "Single domain: five emotions of CASME II",
            EMOTION_LOSO,
            (MAJORITY, LBP_TOP, SE, TE),
            "table1",
        ),
    )
}


def get_experiment(name: str) -> Experiment:
    """Return the experiment called `name`, or raise `ElrcnError` naming those that exist."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise ElrcnError(
            f"There is no experiment called {name!r}.", fix=f"choose one of: {', '.join(REGISTRY)}"
        ) from None


@dataclass(frozen=True)
class Plan:
    """An experiment met with the data of a session: what a run would do."""

    experiment: Experiment
    manifest: Manifest
    labels: np.ndarray
    folds: list[Fold]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in table order."""
        return self.experiment.task.classes

    @property
    def protocol(self) -> str:
        """Name of the protocol for captions."""
        return self.experiment.task.protocol

    @property
    def methods(self) -> tuple[Method, ...]:
        """Methods in table order."""
        return self.experiment.methods


def plan(name: str, session: Session) -> Plan:
    """Select clips, labels and folds of experiment `name` from the data of `session`.

    Raises
    ------
    ElrcnError
        If a database is missing, or fewer than two subjects or classes are left.
    """
    experiment = get_experiment(name)
    task = experiment.task
    session.require(*task.databases)
    manifest = task.select(session.manifest)
    labels = manifest.table[task.label].to_numpy(dtype=object)
    if manifest.table["subject"].nunique() < 2 or len(set(labels)) < 2:
        raise ElrcnError(
            f"{experiment.paper} needs at least two subjects and two classes; "
            f"{len(manifest)} usable clips were found.",
            where=", ".join(str(root) for root in session.roots.values()),
            fix="run `elrcn manifest check` on these folders",
        )
    return Plan(experiment, manifest, labels, task.folds(manifest))


def _run_card(p: Plan, method: Method, estimator: BaseEstimator, session: Session) -> dict:
    config = method.preprocess(session.profile.preprocess)
    parameters = {
        key: value
        for key, value in estimator.get_params(deep=True).items()
        if not isinstance(value, BaseEstimator) and key not in _NOT_IDENTITY
    }
    if parameters.get("pretrained"):
        # The path differs between machines; the name carries the configuration hash.
        parameters["pretrained"] = Path(parameters["pretrained"]).name
    return {
        "experiment": p.experiment.name,
        "method": method.name,
        "task": p.experiment.task.name,
        "profile": session.profile.name,
        "protocol": p.protocol,
        "manifest": p.manifest.hash,
        "preprocess": canonical(config),
        "input": method.input,
        "estimator": type(estimator).__name__,
        "parameters": {key: repr(value) for key, value in sorted(parameters.items())},
        "seed": session.seed,
        "device": session.device,
        "versions": library_versions(),
        "code": code_hash(*_LEARNING_CODE),
    }


def run_method(p: Plan, method: Method, session: Session) -> pd.DataFrame:
    """Prediction rows of one method; only the folds that are not stored yet are trained."""
    estimator = method.build(session)
    card = _run_card(p, method, estimator, session)
    folder = session.workspace.runs / p.experiment.name / f"{method.name}-{config_hash(card)}"
    config = method.preprocess(session.profile.preprocess)
    source = session.grey if method.input == "grey" else session.stacks
    return run_protocol(
        estimator,
        source(p.manifest, config),
        p.manifest,
        p.labels,
        p.folds,
        RunStore(folder, card),
        workers=session.fold_workers,
        progress=session.progress,
        threads=session.profile.threads_per_fold,
        classes=p.classes,
    )


def run(name: str, session: Session, methods: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
    """Prediction rows of every method (or of those in `methods`) of experiment `name`."""
    p = plan(name, session)
    known = {method.name: method for method in p.methods}
    for wanted in methods:
        if wanted not in known:
            raise ElrcnError(
                f"{p.experiment.paper} has no method {wanted!r}.",
                fix=f"choose among: {', '.join(known)}",
            )
    return {
        key: run_method(p, method, session)
        for key, method in known.items()
        if not methods or key in methods
    }
