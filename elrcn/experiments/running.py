"""An experiment met with the data of a session: planned, run, resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from elrcn.config import PROFILES, Profile, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import Fold
from elrcn.evaluation.runner import missing_folds, run_protocol
from elrcn.evaluation.store import RunStore
from elrcn.experiments.experiment import Experiment
from elrcn.experiments.methods import Method
from elrcn.experiments.registry import get_experiment
from elrcn.experiments.weights import Options, known_weights
from elrcn.files import code_hash, computed_once, library_versions
from elrcn.manifest import Manifest
from elrcn.session import Session

_NOT_IDENTITY = {"steps", "memory", "feature_store", "progress", "device"}
# A change in any of these may change a prediction, so stored rows are keyed by their code.
_LEARNING_CODE = ("models", "features", "preprocess", "evaluation/runner.py")
_DEFAULT = Options()


@dataclass(frozen=True)
class Plan:
    """An experiment met with the data of a session: what a run would do.

    Attributes
    ----------
    experiment : Experiment
    manifest : Manifest
        The task's clips.
    labels : ndarray of str, shape (clips,)
        True classes.
    folds : list of Fold
    protocol : str
        Name of the protocol for captions.
    """

    experiment: Experiment
    manifest: Manifest
    labels: np.ndarray
    folds: list[Fold]
    protocol: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in table order."""
        return self.experiment.task.classes

    @property
    def methods(self) -> tuple[Method, ...]:
        """Methods in table order."""
        return self.experiment.methods

    def seeded(self, method: Method) -> tuple[Method, ...]:
        """Give `method` once a seed of the experiment; once alone if nothing in it is random."""
        seeds = self.experiment.seeds if method.random else (0,)
        if len(seeds) == 1:
            return (method,)
        return tuple(
            replace(method, seed=method.seed + seed, label=f"{method.label}, seed {seed}")
            for seed in seeds
        )

    def labels_of(self, method: Method) -> np.ndarray:
        """Classes that `method` is trained and scored on, shape (clips,)."""
        return method.labels(self.manifest, self.labels) if method.labels else self.labels

    def chosen(self, names: Sequence[str] = ()) -> tuple[Method, ...]:
        """Methods called `names`, in table order; all if none is named.

        Raises
        ------
        ElrcnError
            If the experiment has no method of that name.
        """
        known = [method.name for method in self.methods]
        for wanted in names:
            if wanted not in known:
                raise ElrcnError(
                    f"{self.experiment.paper} has no method {wanted!r}.",
                    fix=f"choose among: {', '.join(known)}",
                )
        return tuple(m for m in self.methods if not names or m.name in names)


def plan(name: str, session: Session, seeds: int = 0) -> Plan:
    """Select clips, labels and folds of experiment `name` from the data of `session`.

    With `seeds` > 0 only so many of the experiment's seeds are run.

    Raises
    ------
    ElrcnError
        If a database is missing, or fewer than two subjects or classes are left.
    """
    session.require(*get_experiment(name).task.databases)
    return plan_manifest(name, session.manifest, session.profile, seeds)


def plan_manifest(
    name: str, manifest: Manifest, profile: Profile = PROFILES["paper"], seeds: int = 0
) -> Plan:
    """Select clips, labels and folds of experiment `name` from `manifest`; reads no frame.

    `profile` says whether an ablation leaves out groups of subjects instead of single ones, and
    what methods are called; `seeds` is as for `plan`.

    Raises
    ------
    ElrcnError
        If fewer than two subjects or classes are left.
    """
    experiment = get_experiment(name)
    methods = tuple(method.under(profile) for method in experiment.methods)
    experiment = replace(experiment, methods=methods, seeds=experiment.seeds[: seeds or None])
    groups = profile.ablation_groups
    task, roots = experiment.task, manifest.roots
    manifest = task.select(manifest)
    labels = manifest.table[task.label].to_numpy(dtype=object)
    if manifest.table["subject"].nunique() < 2 or len(set(labels)) < 2:
        raise ElrcnError(
            f"{experiment.paper} needs at least two subjects and two classes; "
            f"{len(manifest)} usable clips were found.",
            where=", ".join(str(root) for root in roots.values()),
            fix="run `elrcn manifest check` on these folders",
        )
    return Plan(
        experiment, manifest, labels, task.divide(manifest, groups), task.protocol_name(groups)
    )


def _last(key: str) -> str:
    """Name of a parameter without those of the estimators it is nested in."""
    return key.rsplit("__", 1)[-1]


def _run_card(p: Plan, method: Method, estimator: BaseEstimator, session: Session) -> dict:
    config = method.preprocess(session.profile.preprocess)
    parameters = {
        key: value
        for key, value in estimator.get_params(deep=True).items()
        if not isinstance(value, BaseEstimator) and _last(key) not in _NOT_IDENTITY
    }
    for key, value in parameters.items():
        if _last(key) == "pretrained" and value:
            # The path differs between machines; the name carries the configuration hash.
            parameters[key] = Path(value).name
    return {
        "experiment": p.experiment.name,
        "method": method.name,
        "task": p.experiment.task.name,
        "profile": session.profile.name,
        "protocol": p.protocol,
        "manifest": p.manifest.hash,
        "preprocess": canonical(config),
        "labels": config_hash(p.labels_of(method).tolist()),
        "input": method.input,
        "estimator": type(estimator).__name__,
        "parameters": {key: repr(value) for key, value in sorted(parameters.items())},
        "seed": session.seed + method.seed,
        "device": session.device,
        "versions": library_versions(),
        "code": code_hash(*_LEARNING_CODE),
    }


def _run_folder(p: Plan, method: Method, card: dict, session: Session) -> Path:
    return session.workspace.runs / p.experiment.name / f"{method.name}-{config_hash(card)}"


def run_method(
    p: Plan,
    method: Method,
    session: Session,
    options: Options = _DEFAULT,
    estimator: BaseEstimator | None = None,
) -> pd.DataFrame:
    """Prediction rows of one method under every seed; only folds not stored yet are trained.

    Parameters
    ----------
    p, method, session
        What to run, of what, where.
    options : Options
        What the method starts from.
    estimator : BaseEstimator, optional
        What ``method.build(session, options)`` gave, if it was called already.

    Returns
    -------
    DataFrame
        As from `elrcn.evaluation.runner.run_protocol`, the rows of one seed after those of another,
        with a last column ``seed``: 0 for the method's own.
    """
    estimator = method.build(session, options) if estimator is None else estimator
    parts = [
        _run_seed(p, one, session, estimator).assign(seed=one.seed - method.seed)
        for one in p.seeded(method)
    ]
    rows = pd.concat(parts, ignore_index=True)
    stopped = [fold for part in parts for fold in part.attrs.get("unconverged", ())]
    rows.attrs["unconverged"] = list(dict.fromkeys(stopped))
    return rows


def _run_seed(p: Plan, method: Method, session: Session, estimator: BaseEstimator) -> pd.DataFrame:
    """Prediction rows of `estimator`, which `method` has built, under the method's seed."""
    card = _run_card(p, method, estimator, session)
    config = method.preprocess(session.profile.preprocess)
    folder = _run_folder(p, method, card, session)
    with computed_once(folder):
        return run_protocol(
            estimator,
            session.clips(p.manifest, config, method.input),
            p.manifest,
            p.labels_of(method),
            p.folds,
            RunStore(folder, card),
            workers=session.fold_workers,
            progress=session.progress,
            threads=session.profile.threads_per_fold,
            classes=p.classes,
        )


def run(
    name: str,
    session: Session,
    methods: Sequence[str] = (),
    options: Options = _DEFAULT,
    seeds: int = 0,
) -> dict[str, pd.DataFrame]:
    """Prediction rows of every method (or of those in `methods`) of experiment `name`.

    With `seeds` > 0 only so many of the experiment's seeds are run.
    """
    p = plan(name, session, seeds)
    # Built first: weights that are missing are told before hours of another method's training.
    chosen = [(m, m.build(session, options)) for m in p.chosen(methods)]
    return {m.name: run_method(p, m, session, options, e) for m, e in chosen}


def stored_folds(
    p: Plan, method: Method, session: Session, options: Options = _DEFAULT
) -> list[Fold]:
    """Folds whose rows an earlier run of the same card has stored; trains and writes nothing.

    Of `method` under its own seed: see `Plan.seeded` for the others.
    """
    estimator = method.build(session, Options("none"))
    starts = known_weights(session, options) if method.starts_from_weights else [None]
    best: list[Fold] = []
    for weights in starts:
        if weights is not None:
            nested = [k for k in estimator.get_params(deep=True) if _last(k) == "pretrained"]
            estimator.set_params(**dict.fromkeys(nested, str(weights)))
        folder = _run_folder(p, method, _run_card(p, method, estimator, session), session)
        if (folder / "run.json").is_file():
            missing = missing_folds(p.folds, RunStore(folder), p.manifest.table["clip_id"])
            names = {fold.name for fold in missing}
            best = max(best, [f for f in p.folds if f.name not in names], key=len)
    return best
