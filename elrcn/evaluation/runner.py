"""One loop for every method and protocol: fit a fresh clone a fold, store its rows, go on."""

from __future__ import annotations

import hashlib
import importlib
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import Fold, check_folds
from elrcn.evaluation.store import RunStore
from elrcn.files import set_aside, side_by_side

_SEEDS = ("random_state", "seed")


def fold_seed(seed: int, fold: str) -> int:
    """Seed of one fold, from the run's seed and the fold's name and nothing else (0..2^31 - 1)."""
    digest = hashlib.sha256(f"{seed}:{fold}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def seeded_clone(estimator, seed: int):
    """Unfitted copy of `estimator` with every ``random_state`` and ``seed`` parameter set.

    Nested parameters (``svm__random_state``) are set too.
    """
    fresh = clone(estimator)
    names = [n for n in fresh.get_params(deep=True) if n.split("__")[-1] in _SEEDS]
    return fresh.set_params(**{n: seed for n in names})


@contextmanager
def fixed_threads(threads: int):
    """Give numerical libraries exactly `threads` threads: sums then round alike everywhere."""
    # Torch is touched only if the estimator brought it: importing it costs seconds a worker.
    torch = None
    if "torch" in sys.modules or "elrcn.models" in sys.modules:
        torch = importlib.import_module("torch")
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


def aligned_probabilities(estimator, X, classes: Sequence) -> np.ndarray:
    """``predict_proba`` with its columns in the order of `classes`.

    A class that the fold's training clips lack has probability 0.

    Returns
    -------
    numpy.ndarray of float64, shape (clips, len(classes))

    Raises
    ------
    ElrcnError
        If the estimator gives NaN, or knows a class outside `classes`.
    """
    given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    if not np.isfinite(given).all():
        raise ElrcnError(
            "The model's probabilities are not numbers: its training diverged.",
            fix="lower the learning rate or check the input's scale",
        )
    number = {c: i for i, c in enumerate(classes)}
    unknown = [str(c) for c in estimator.classes_ if c not in number]
    if unknown:
        raise ElrcnError(f"The model knows classes outside the task: {', '.join(unknown)}.")
    out = np.zeros((len(given), len(classes)))
    out[:, [number[c] for c in estimator.classes_]] = given
    return out


def describe_once(estimator, X, progress: bool = False):
    """Take a descriptor of single clips off the front of a pipeline, and describe all clips now.

    Such a step (``per_clip`` is true: `elrcn.features.base.ClipDescriptor`) learns nothing and
    sees one clip at a time, so the folds' rows are the same as if each fold did it again, and
    nothing of a test clip can reach a training clip.

    Returns
    -------
    estimator, X
        The rest of the pipeline and the features; unchanged if there is no such step.
    """
    steps = getattr(estimator, "steps", ())
    if len(steps) < 2 or not getattr(steps[0][1], "per_clip", False):
        return estimator, X
    return Pipeline(steps[1:]), clone(steps[0][1]).set_params(progress=progress).transform(X)


def converged(model) -> bool:
    """Whether the fitted `model` and every step of it converged; what says nothing did.

    An estimator that stops at a limit says so by ``converged_``
    (`elrcn.features.base.LinearSVM`).
    """
    steps = (step for _, step in getattr(model, "steps", ()))
    return bool(getattr(model, "converged_", True)) and all(map(converged, steps))


def _run_fold(estimator, X, table, labels, classes, fold: Fold, store: RunStore, seed, threads):
    with fixed_threads(threads):
        started = time.perf_counter()
        model = seeded_clone(estimator, fold_seed(seed, fold.name))
        model.fit(X[fold.train], labels[fold.train])
        fitted = time.perf_counter()
        chances = aligned_probabilities(model, X[fold.test], classes)
        ended = time.perf_counter()
    if len(chances) != len(fold.test):
        raise ElrcnError(
            f"The model gave {len(chances)} answers for {len(fold.test)} clips.",
            where=f"fold {fold.name}",
        )
    rows = pd.DataFrame(
        {
            "clip_id": table["clip_id"].to_numpy()[fold.test],
            "subject": table["subject"].to_numpy()[fold.test],
            "true": labels[fold.test],
            "predicted": np.asarray(classes, dtype=object)[chances.argmax(axis=1)],
        }
        | {f"p_{c}": chances[:, i] for i, c in enumerate(classes)}
    )
    # Written by whoever computed it, not by the caller: a fold is safe before the loop hears of it.
    # Its rows come last: a fold that has them has said whether its model converged.
    store.add_timing(
        fold.name,
        fit_s=fitted - started,
        predict_s=ended - fitted,
        train_clips=len(fold.train),
        test_clips=len(fold.test),
        unconverged=int(not converged(model)),
    )
    store.write_fold(fold.name, rows)
    return fold.name


def missing_folds(folds: Sequence[Fold], store: RunStore, clip_ids) -> list[Fold]:
    """Folds whose rows are not stored, are damaged, or are not of the fold's test clips."""
    clip_ids = np.asarray(clip_ids, dtype=object)
    stored = ((fold, store.read_fold(fold.name)) for fold in folds)
    return [
        fold
        for fold, rows in stored
        if rows is None or list(rows["clip_id"]) != list(clip_ids[fold.test])
    ]


def set_aside_damaged(store: RunStore, folds: Sequence[Fold]) -> None:
    """Move what is stored of `folds`, which cannot be used, out of the way and name it."""
    for fold in folds:
        set_aside(store.path(fold.name), "its rows are damaged, or not those of this run")


def run_protocol(
    estimator,
    X,
    manifest,
    labels,
    folds: Sequence[Fold],
    store: RunStore,
    workers: int = 1,
    progress: bool = True,
    threads: int = 2,
    classes: Sequence | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Train and test `estimator` on every fold that has no stored rows yet; return all rows.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Cloned for each fold, never fitted itself. Its parameters called ``random_state`` or
        ``seed``, nested ones too, are replaced by the fold's seed.
    X : ndarray or StackArray, shape (clips, ...)
        Only ``len(X)`` and ``X[index array]`` are used. Row i belongs to manifest row i.
    manifest : elrcn.manifest.Manifest
        Columns ``clip_id`` and ``subject`` are read.
    labels : array-like of str, shape (clips,)
        True class of each manifest row.
    folds : list of Fold
        From `elrcn.evaluation.protocols`.
    store : RunStore
        Receives each fold's rows the moment the fold ends.
    workers : int
        Folds computed at once, in processes of their own (joblib's loky). With 1, folds run here,
        unless an outer ``joblib.parallel_config`` names a backend (Dask, threads): it then decides.
    progress : bool
        Show a bar over the folds.
    threads : int
        Threads of the numerical libraries within a fold. Part of the result (sums round
        differently with another number), so it is fixed and does not depend on `workers`.
    classes : sequence of str, optional
        All classes of the task, in the order of the columns ``p_<class>``; default: the labels'
        own, sorted. The predicted class is the one of greatest probability, the first if tied.
    seed : int, optional
        Seed of the run; default: the ``seed`` of the store's card, else 0. A fold's seed comes from
        it and the fold's name, so it depends on no order and on no other fold.

    Returns
    -------
    pandas.DataFrame
        Columns ``run, fold, clip_id, subject, true, predicted, p_<class>...``, folds in order;
        ``attrs["unconverged"]`` names the folds whose model stopped before it converged.

    Raises
    ------
    ElrcnError
        If lengths disagree, a subject is on both sides of a fold, a label is no class, the store
        belongs to a run with other folds, or the rows cannot be written.
    """
    table = manifest.table
    labels = np.asarray(labels, dtype=object).astype(str)
    if not len(X) == len(table) == len(labels):
        raise ElrcnError(
            f"{len(X)} clips of input, {len(table)} of the manifest and {len(labels)} labels "
            "cannot be paired.",
        )
    classes = tuple(map(str, classes)) if classes is not None else tuple(sorted(set(labels)))
    outside = sorted(set(labels) - set(classes))
    if outside:
        raise ElrcnError(f"Labels that are not classes of the task: {', '.join(outside)}.")
    folds = check_folds(folds, table["subject"])
    seed = int(store.card.get("seed") or 0) if seed is None else int(seed)
    store.plan([fold.name for fold in folds])
    table = table[["clip_id", "subject"]]
    missing = missing_folds(folds, store, table["clip_id"])
    if missing:
        set_aside_damaged(store, missing)
        estimator, X = describe_once(estimator, X, progress)
        jobs = (
            (_run_fold, estimator, X, table, labels, classes, fold, store, seed, threads)
            for fold in missing
        )
        for _ in side_by_side(
            jobs, len(missing), title=store.run, unit="fold", total=len(folds), workers=workers,
            progress=progress,
        ):  # fmt: skip
            pass
    rows, timing = store.rows(), store.timing()
    if "unconverged" in timing:
        rows.attrs["unconverged"] = timing["fold"][timing["unconverged"] > 0].tolist()
    return rows
