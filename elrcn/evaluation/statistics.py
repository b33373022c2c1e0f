"""How sure the scores are: intervals and paired tests whose unit is the subject.

Clips of one subject are alike, so resampling clips would give intervals that are too narrow: the
bootstrap and the permutation test draw whole subjects. McNemar's test counts clips, as the field
does, and is the weaker evidence of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import confusion_matrix, get_metric, row_classes


@dataclass(frozen=True)
class PairedTest:
    """Outcome of a comparison of two methods on the same clips.

    Attributes
    ----------
    difference : float
        First method's score minus the second's (McNemar: difference of accuracies).
    p_value : float
        Two-sided.
    n : int
        Units compared: subjects (permutation) or clips on which one alone is right (McNemar).
    """

    difference: float
    p_value: float
    n: int


def subject_confusions(rows: pd.DataFrame, classes=None) -> tuple[np.ndarray, np.ndarray]:
    """Confusion matrix of each subject, sorted by subject.

    Returns
    -------
    subjects : numpy.ndarray of str, shape (S,)
    confusions : numpy.ndarray of int64, shape (S, C, C)
    """
    classes = classes or row_classes(rows)
    parts = {str(s): part for s, part in rows.groupby("subject")}
    subjects = np.array(sorted(parts))
    matrices = [
        confusion_matrix(parts[s]["true"], parts[s]["predicted"], classes) for s in subjects
    ]
    return subjects, np.array(matrices).reshape(-1, len(classes), len(classes))


def _blocks(rows: pd.DataFrame, per_fold: bool) -> list[pd.DataFrame]:
    if rows.empty:
        raise ElrcnError("There are no prediction rows to compute a score from.")
    return [part for _, part in rows.groupby("fold", sort=False)] if per_fold else [rows]


def bootstrap_scores(
    rows: pd.DataFrame,
    metric,
    n: int = 2000,
    seed: int = 0,
    classes=None,
    per_fold: bool = False,
) -> np.ndarray:
    """Score of `n` resamples of the subjects, drawn with replacement.

    Parameters are those of `bootstrap_interval`.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
    """
    score, generator = get_metric(metric), np.random.default_rng(seed)
    classes = classes or row_classes(rows)
    total = np.zeros(n)
    blocks = _blocks(rows, per_fold)
    for block in blocks:
        _, confusions = subject_confusions(block, classes)
        count = len(confusions)
        # How often each subject is drawn is all that matters: (n, S) counts times (S, C*C).
        draws = generator.multinomial(count, np.full(count, 1 / count), size=n)
        pooled = draws @ confusions.reshape(count, -1)
        total += score(pooled.reshape(n, len(classes), len(classes)))
    return total / len(blocks)


def bootstrap_interval(
    rows: pd.DataFrame,
    metric,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
    per_fold: bool = False,
) -> tuple[float, float]:
    """Percentile interval of a score, by resampling subjects.

    Parameters
    ----------
    rows : pandas.DataFrame
        Prediction rows; ``subject``, ``true``, ``predicted`` are used.
    metric : str or callable
        Name in `elrcn.evaluation.metrics.METRICS`, or a function of confusion matrices of shape
        (..., C, C).
    n : int
        Number of resamples.
    seed : int
        The interval is a function of the rows and this number.
    level : float
        Coverage, between 0 and 1.
    classes : sequence of str, optional
        Classes in order; default: those of the columns ``p_<class>``.
    per_fold : bool
        The score is the mean over folds of each fold's score (HDE); subjects are then drawn within
        each fold.

    Returns
    -------
    low, high : float

    Raises
    ------
    ElrcnError
        If there are no rows, the score is unknown or `level` is not between 0 and 1.

    Notes
    -----
    The interval holds over subjects, with the trained models as they are; it does not contain the
    spread over training seeds. With few subjects percentile intervals are somewhat too narrow.
    """
    if not 0 < level < 1:
        raise ElrcnError(f"The level of an interval lies between 0 and 1, not at {level}.")
    values = bootstrap_scores(rows, metric, n, seed, classes, per_fold)
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired(rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> pd.DataFrame:
    """Join two methods' rows by clip id.

    Returns
    -------
    pandas.DataFrame
        Columns ``clip_id, fold, subject, true, predicted_a, predicted_b``, in the order of
        `rows_a`.

    Raises
    ------
    ElrcnError
        If the clips, or their true classes, are not the same in both.
    """
    for rows in (rows_a, rows_b):
        if rows["clip_id"].duplicated().any():
            raise ElrcnError("A clip has two rows in one run; compare one run at a time.")
    keys = ["clip_id", "subject", "true"]
    both = rows_a[[*keys, "fold", "predicted"]].merge(
        rows_b[[*keys, "predicted"]], on=keys, suffixes=("_a", "_b")
    )
    if not len(both) == len(rows_a) == len(rows_b):
        raise ElrcnError(
            f"The two methods were not measured on the same clips: {len(rows_a)} and {len(rows_b)} "
            f"rows, {len(both)} in common.",
            fix="run both methods on the same manifest and task",
        )
    return both


def mcnemar(rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> PairedTest:
    """Exact McNemar test: clips that one method alone gets right are half each if they are equal.

    Source: McNemar 1947, doi 10.1007/BF02295996; two-sided binomial, no approximation.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips.
    """
    both = paired(rows_a, rows_b)
    right_a = (both["predicted_a"] == both["true"]).to_numpy()
    right_b = (both["predicted_b"] == both["true"]).to_numpy()
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = only_a + only_b
    p = binomtest(only_a, n, 0.5).pvalue if n else 1.0
    return PairedTest(float(right_a.mean() - right_b.mean()), float(p), n)


def permutation_test(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    metric,
    n: int = 10000,
    seed: int = 0,
    classes=None,
    per_fold: bool = False,
) -> PairedTest:
    """Paired permutation test of a score's difference, swapping the methods subject by subject.

    Under the null hypothesis a subject's two sets of predictions are exchangeable. All 2^S swaps
    are done when they are at most `n`, else `n` random ones, with the observed one counted in.

    Parameters are those of `bootstrap_interval`; `n` is the number of swaps.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips, or the score is unknown.
    """
    score = get_metric(metric)
    classes = classes or row_classes(rows_a)
    both = paired(rows_a, rows_b)
    blocks = []
    for block in _blocks(both, per_fold):
        _, a = subject_confusions(block.rename(columns={"predicted_a": "predicted"}), classes)
        _, b = subject_confusions(block.rename(columns={"predicted_b": "predicted"}), classes)
        blocks.append((a, b))
    subjects = sum(len(a) for a, _ in blocks)
    if 2**subjects <= n:
        swaps = (np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1
    else:
        swaps = np.random.default_rng(seed).integers(0, 2, size=(n, subjects))
        swaps[0] = 0
    differences, start = np.zeros(len(swaps)), 0
    for a, b in blocks:
        part = swaps[:, start : start + len(a)]
        start += len(a)
        moved = (part @ (b - a).reshape(len(a), -1)).reshape(-1, len(classes), len(classes))
        differences += score(a.sum(0) + moved) - score(b.sum(0) - moved)
    differences /= len(blocks)
    # Swaps that tie with the observed one must count although sums round differently.
    extreme = np.abs(differences) >= abs(differences[0]) - 1e-12
    return PairedTest(float(differences[0]), float(extreme.mean()), subjects)


def holm(p_values) -> np.ndarray:
    """Holm's step-down correction for several tests (Holm 1979, Scand. J. Statist. 6, 65-70).

    Parameters
    ----------
    p_values : array-like, shape (m,)

    Returns
    -------
    numpy.ndarray of float64, shape (m,)
        Adjusted p-values in the order given, at most 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
