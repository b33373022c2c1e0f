"""An experiment met with the data of a session: planned, run, resumed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
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
from elrcn.experiments.methods import Method
from elrcn.experiments.registry import Experiment, get_experiment
from elrcn.experiments.starts import DEFAULT, Options, known_weights
from elrcn.files import code_hash, computed_once, library_versions
from elrcn.manifest import Manifest
from elrcn.session import Session

_NOT_IDENTITY = {"steps", "memory", "feature_store", "progress", "device"}
# A change in any of these may change a prediction, so stored rows are keyed by their code.
_LEARNING_CODE = ("models", "features", "preprocess", "evaluation/runner.py")


@dataclass(frozen=True)
class Plan:
    """An experiment met with the data of a session: what a run would do."""

    experiment: Experiment
    manifest: Manifest  #: the task's clips
    labels: np.ndarray  #: true classes, shape (clips,)
    folds: list[Fold]
    protocol: str  #: its name for captions

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
        """Methods called `names`, which must exist, in table order; all if none is named."""
        known = [method.name for method in self.methods]
        if unknown := [name for name in names if name not in known]:
            raise ElrcnError(
                f"{self.experiment.paper} has no method {unknown[0]!r}.",
                fix=f"choose among: {', '.join(known)}",
            )
        return tuple(m for m in self.methods if not names or m.name in names)


def plan(
    experiment: str | Experiment, session: Session, seeds: int = 0, extra: Sequence[Method] = ()
) -> Plan:
    """Select clips, labels and folds of an experiment from the data of `session`.

    Parameters
    ----------
    experiment : str or Experiment
        Name in the registry, or one of your own.
    session : Session
        Data and profile.
    seeds : int
        Only so many of the experiment's seeds are run; 0: all.
    extra : sequence of Method
        Rows of your own below those of the experiment.

    Raises
    ------
    ElrcnError
        If a database is missing, fewer than two subjects or classes are left, or the name of an
        extra row is taken or cannot be one.
    """
    experiment = get_experiment(experiment)
    session.require(*experiment.task.databases)
    return plan_manifest(experiment, session.manifest, session.profile, seeds, extra)


def plan_manifest(
    experiment: str | Experiment,
    manifest: Manifest,
    profile: Profile = PROFILES["paper"],
    seeds: int = 0,
    extra: Sequence[Method] = (),
) -> Plan:
    """Select clips, labels and folds of an experiment from `manifest`; reads no frame.

    `profile` says whether an ablation leaves out groups of subjects instead of single ones, and
    what methods are called; the others, and the errors, are as for `plan`.
    """
    experiment = get_experiment(experiment)
    rows = (*experiment.methods, *extra)
    _check_rows(experiment, rows)
    methods = tuple(method.under(profile) for method in rows)
    experiment = replace(experiment, methods=methods, seeds=experiment.seeds[: seeds or None])
    task, groups, roots = experiment.task, profile.ablation_groups, manifest.roots
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


def _check_rows(experiment: Experiment, methods: Sequence[Method]) -> None:
    """Refuse what is no method, names that folders cannot have, and two rows of one name."""
    for i, method in enumerate(methods):
        if not isinstance(method, Method):
            raise ElrcnError(
                f"{method!r} is no method.",
                fix='write Method("my_idea", "My idea", MyEstimator, {...})',
            )
        if not re.fullmatch(r"\w[\w-]*", method.name):
            raise ElrcnError(
                f"A method cannot be named {method.name!r}.",
                fix="use letters, digits, _ and -, such as my_idea",
            )
        for other in methods[:i]:
            same_label = (method.group, method.label) == (other.group, other.label)
            if method.name == other.name or same_label:
                raise ElrcnError(
                    f"{experiment.paper} has two methods of one name: {other.name!r}, "
                    f"{other.label!r}, and {method.name!r}, {method.label!r}.",
                    fix="give every row a name and a label of its own",
                )


def _last(key: str) -> str:
    """Name of a parameter without those of the estimators it is nested in."""
    return key.rsplit("__", 1)[-1]


def _folder_and_card(
    p: Plan, method: Method, estimator: BaseEstimator, session: Session
) -> tuple[Path, dict]:
    """Where the rows of `estimator` lie, and all that they depend on."""
    parameters = {}
    for key, value in sorted(estimator.get_params(deep=True).items()):
        if isinstance(value, BaseEstimator) or _last(key) in _NOT_IDENTITY:
            continue
        if _last(key) == "pretrained" and value:
            # The path differs between machines; the name carries the configuration hash.
            value = Path(value).name
        parameters[key] = repr(value)
    card = {
        "experiment": p.experiment.name,
        "method": method.name,
        "task": p.experiment.task.name,
        "profile": session.profile.name,
        "protocol": p.protocol,
        "manifest": p.manifest.hash,
        "preprocess": canonical(method.preprocess(session.profile.preprocess)),
        "labels": config_hash(p.labels_of(method).tolist()),
        "input": method.input,
        "estimator": type(estimator).__name__,
        "parameters": parameters,
        "seed": session.seed + method.seed,
        "device": session.device,
        "versions": library_versions(),
        "code": code_hash(*_LEARNING_CODE),
    }
    if own := "\n".join(_own_code(estimator)):
        card["own_code"] = config_hash(own)
    folder = session.workspace.runs / p.experiment.name / f"{method.name}-{config_hash(card)}"
    return folder, card


def _own_code(estimator: BaseEstimator) -> Iterator[str]:
    """Yield the code of classes of `estimator` that no version names: a notebook's, a user's.

    Code that they call is not seen.
    """
    parts = [v for v in estimator.get_params(deep=True).values() if isinstance(v, BaseEstimator)]
    classes = {kind for one in (estimator, *parts) for kind in type(one).__mro__}
    for kind in sorted(classes, key=lambda kind: kind.__qualname__):
        if kind.__module__.partition(".")[0] in ("builtins", "elrcn", "sklearn"):
            continue
        if source := _source(kind):
            yield source
            continue
        # Python has the lines of a cell's functions, but not of its classes.
        for name, value in vars(kind).items():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if inspect.isfunction(function):
                code = function.__code__
                yield _source(function) or repr((code.co_code, code.co_consts, code.co_names))
            elif isinstance(value, (int, float, str, tuple)) and not name.startswith("__"):
                yield f"{name} = {value!r}"


def _source(thing) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return ""


def run_method(
    p: Plan,
    method: Method,
    session: Session,
    options: Options = DEFAULT,
    estimator: BaseEstimator | None = None,
) -> pd.DataFrame:
    """Prediction rows of one method under every seed; only folds not stored yet are trained.

    `estimator` is what ``method.build(session, options)`` gave, if it was called already.

    Returns
    -------
    DataFrame
        As from `elrcn.evaluation.runner.run_protocol`, the rows of one seed after those of another,
        with a last column ``seed``: 0 for the method's own.
    """
    estimator = method.build(session, options) if estimator is None else estimator
    config, labels = method.preprocess(session.profile.preprocess), p.labels_of(method)
    parts = []
    for one in p.seeded(method):
        folder, card = _folder_and_card(p, one, estimator, session)
        with computed_once(folder):
            rows = run_protocol(
                estimator,
                session.clips(p.manifest, config, method.input),
                p.manifest,
                labels,
                p.folds,
                RunStore(folder, card),
                workers=session.fold_workers,
                progress=session.progress,
                threads=session.profile.threads_per_fold,
                classes=p.classes,
            )
        parts.append(rows.assign(seed=one.seed - method.seed))
    rows = pd.concat(parts, ignore_index=True)
    stopped = [fold for part in parts for fold in part.attrs.get("unconverged", ())]
    rows.attrs["unconverged"] = list(dict.fromkeys(stopped))
    return rows


def run(
    experiment: str | Experiment | Plan,
    session: Session,
    methods: Sequence[str] = (),
    options: Options = DEFAULT,
    seeds: int = 0,
    extra: Sequence[Method] = (),
) -> dict[str, pd.DataFrame]:
    """Prediction rows of every method, or of those named in `methods`, of an experiment.

    Parameters
    ----------
    experiment : str, Experiment or Plan
        Name in the registry, an experiment of your own, or what `plan` gave.
    session, seeds, extra
        As for `plan`; a plan has its seeds and extra rows already.
    methods : sequence of str
        Names; all if empty.
    options : Options
        What fine-tuned networks start from.

    Returns
    -------
    dict of str to DataFrame
        By method name, in table order: see `run_method`.

    Raises
    ------
    ElrcnError
        As `plan`; if a method is unknown, or weights that one starts from are missing.
    """
    if isinstance(experiment, Plan):
        if seeds or extra:
            raise ElrcnError("A plan has its seeds and rows.", fix="give seeds and extra to plan")
        p = experiment
    else:
        p = plan(experiment, session, seeds, extra)
    # Built first: weights that are missing are told before hours of another method's training.
    chosen = [(m, m.build(session, options)) for m in p.chosen(methods)]
    return {m.name: run_method(p, m, session, options, e) for m, e in chosen}


def stored_folds(
    p: Plan, method: Method, session: Session, options: Options = DEFAULT
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
        folder, _ = _folder_and_card(p, method, estimator, session)
        if (folder / "run.json").is_file():
            missing = missing_folds(p.folds, RunStore(folder), p.manifest.table["clip_id"])
            names = {fold.name for fold in missing}
            best = max(best, [f for f in p.folds if f.name not in names], key=len)
    return best


def convergence_note(results: Mapping[str, pd.DataFrame], methods: Sequence) -> str:
    """Say in one sentence which methods' SVMs stopped before they converged; "" if none did.

    Parameters
    ----------
    results, methods
        Prediction rows by method name, and the methods; `elrcn.evaluation.runner.run_protocol`
        names the folds in ``attrs["unconverged"]`` of the rows.
    """
    told = []
    for method in methods:
        rows = results.get(method.name)
        if rows is not None:
            folds = set(rows["fold"])
            stopped = folds.intersection(rows.attrs.get("unconverged", ()))
            if stopped:
                told.append(f"{method.label} in {len(stopped)} of {len(folds)} folds")
    if not told:
        return ""
    return f"SVMs that stopped at their limit of iterations: {', '.join(told)}."
