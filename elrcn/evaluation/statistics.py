"""How sure the scores are: intervals and paired tests whose unit is the subject.

Clips of one subject are alike, so the bootstrap and the permutation test draw whole subjects.
``data_manifest/coverage.csv`` holds how often each kind of interval covers, and how often tests
reject true nulls; McNemar's test, which takes clips as independent, does so too often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import (
    METRICS,
    by_seed,
    confusion_matrix,
    fold_mean,
    get_metric,
    pooled,
    row_classes,
)

# -- Confusion matrices of subjects


def subject_confusions(rows: pd.DataFrame, classes=None) -> np.ndarray:
    """Confusion matrices of each seed and subject, both ascending.

    Parameters
    ----------
    rows : pandas.DataFrame
        Prediction rows.
    classes : sequence of str, optional
        Classes in order; default: those of the columns ``p_<class>``.

    Returns
    -------
    numpy.ndarray of int64, shape (K, S, C, C)

    Raises
    ------
    ElrcnError
        If the seeds did not answer about the same clips.
    """
    classes = classes or row_classes(rows)
    seeds = list(by_seed(rows).values())
    if len(seeds) > 1 and len({tuple(sorted(part["clip_id"])) for part in seeds}) > 1:
        raise ElrcnError("The seeds of a method did not answer about the same clips.")
    matrices = [
        [
            confusion_matrix(own["true"], own["predicted"], classes)
            for _, own in part.groupby(part["subject"].astype(str))
        ]
        for part in seeds
    ]
    return np.array(matrices).reshape(len(seeds), -1, len(classes), len(classes))


def _folds(rows: pd.DataFrame, per_fold: bool) -> list[pd.DataFrame]:
    if rows.empty:
        raise ElrcnError("There are no prediction rows to compute a score from.")
    return [part for _, part in rows.groupby("fold", sort=False)] if per_fold else [rows]


def subject_pairs(
    rows_a: pd.DataFrame, rows_b: pd.DataFrame, classes=None, per_fold: bool = False
) -> list[np.ndarray]:
    """Confusion matrices of each seed and subject under both methods.

    A method of one seed answers beside every seed of the other.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips.
    classes : sequence of str, optional
        Default: those of the columns ``p_<class>`` of `rows_a`.
    per_fold : bool
        One array for each fold of `rows_a`, else a single one of all clips.

    Returns
    -------
    list of numpy.ndarray of int64, shape (2, K, S, C, C)
        First and second method, seeds and subjects sorted.

    Raises
    ------
    ElrcnError
        If there are no rows, or the clips, their true classes, or several seeds are not the same
        in both.
    """
    classes = classes or row_classes(rows_a)
    return [
        np.stack(
            [
                subject_confusions(part.assign(predicted=part[side]), classes)
                for side in ("predicted_a", "predicted_b")
            ]
        )
        for part in _folds(_paired(rows_a, rows_b), per_fold)
    ]


def _paired(rows_a: pd.DataFrame, rows_b: pd.DataFrame) -> pd.DataFrame:
    """Join two methods' rows by clip and seed; the folds are those of the first."""
    a, b = by_seed(rows_a), by_seed(rows_b)
    if len(a) > 1 and len(b) > 1 and list(a) != list(b):
        raise ElrcnError(
            f"One method has the seeds {list(a)}, the other {list(b)}.", fix="run both on the same"
        )
    seeds = list(a if len(a) > 1 else b)
    keys = ["clip_id", "subject", "true", "seed"]
    rows_a, rows_b = (
        pd.concat([part.assign(seed=seed) for seed, part in zip(seeds, cycle(parts.values()))])
        for parts in (a, b)
    )
    for rows in (rows_a, rows_b):
        if rows.duplicated(["clip_id", "seed"]).any():
            raise ElrcnError("A clip has two rows in one run; compare one run at a time.")
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


# -- Resamples of subjects


def resamples(subjects: int, n: int, generator: np.random.Generator, weights=None) -> np.ndarray:
    """Count how often each subject is drawn in `n` draws of all subjects, with replacement.

    With `weights`, shape (S,), a subject is drawn with that probability: the counts of a resample
    over S, to resample it once more.

    Returns
    -------
    numpy.ndarray of float64, shape (n, S)
        Whole numbers; every row sums to S.
    """
    weights = np.full(subjects, 1 / subjects) if weights is None else weights
    return generator.multinomial(subjects, weights, size=n).astype(float)


def resampled_scores(
    folds: Sequence[np.ndarray],
    score: Callable,
    n: int = 2000,
    seed: int | np.random.Generator = 0,
    weights: Sequence | None = None,
) -> np.ndarray:
    """Score of `n` resamples of the subjects, the mean over folds within which they are drawn.

    Parameters
    ----------
    folds : sequence of ndarray, shape (..., S, C, C)
        Confusion matrix of each subject; the axes before it (methods, say) share the draws.
    score : callable
        Function of confusion matrices of shape (..., C, C).
    n, seed : int
        Number of resamples, and what fixes them.
    weights : sequence of ndarray, shape (S,), optional
        For each fold the `weights` of `resamples`.

    Returns
    -------
    numpy.ndarray of float64, shape (..., n)
    """
    generator, total = np.random.default_rng(seed), 0.0
    for i, confusions in enumerate(folds):
        *before, count, size, _ = confusions.shape
        drawn = resamples(count, n, generator, weights[i] if weights else None)
        # A resample's matrix is the sum of its subjects', each as often as it was drawn.
        matrices = drawn @ confusions.reshape(*before, count, size * size)
        total = total + score(matrices.reshape(*before, n, size, size))
    return total / len(folds)


# -- Intervals


def least_units(level: float = 0.95) -> int:
    """Fewest units whose resamples can reach an interval of coverage `level`; 6 for 95%.

    No percentile of resampled means leaves the range of the units, and that range misses the
    centre of a symmetric distribution whenever all S units fall on one side of it, which happens
    with probability 2^(1 - S).

    Raises
    ------
    ElrcnError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ElrcnError(f"The level of an interval lies between 0 and 1, not at {level}.")
    # Half a millionth of a unit, for levels such as 0.9375 = 1 - 2^-4 that are rounded.
    return int(np.ceil(1 - np.log2(1 - level) - 5e-7))


def expanded_levels(subjects: int | Sequence[int], level: float = 0.95) -> tuple[float, float]:
    """Percentiles of the bootstrap between which an interval of coverage `level` lies.

    They are Phi(-+ sqrt(S / d) t), with t the (1 + level)/2 quantile of Student's t for d = S - 1
    degrees of freedom. The bootstrap's spread is that of S units about their own mean, too small
    by sqrt(d / S), and it knows nothing of the error of that spread, which Student's t allows for.

    Source: Hesterberg 2015, doi 10.1080/00031305.2015.1089789, "expanded percentile". For F
    folds within which subjects are drawn d = S - F, which for folds of one size makes both
    corrections those of every fold.

    Parameters
    ----------
    subjects : int or sequence of int
        Units resampled: of all clips, or of each fold.
    level : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Between 0 and 1; NaN if some fold has fewer than `least_units`.
    """
    least, counts = least_units(level), np.atleast_1d(subjects)
    if counts.size == 0 or counts.min() < least:
        return np.nan, np.nan
    freedom = counts.sum() - counts.size
    reach = np.sqrt(counts.sum() / freedom) * t.ppf((1 + level) / 2, freedom)
    return float(norm.cdf(-reach)), float(norm.cdf(reach))


def interval(values, subjects: int | Sequence[int], level: float = 0.95):
    """Interval of a score, or of a difference, from its values in resamples of the subjects.

    Every interval of the project is made here, by the percentiles of `expanded_levels`.

    Parameters
    ----------
    values : array-like, shape (n, ...)
        Score of each resample; those that are NaN are left out.
    subjects, level
        As for `expanded_levels`.

    Returns
    -------
    low, high : float, or numpy.ndarray of the shape of one of `values`
        NaN where there is no interval: with fewer than `least_units` in some fold, and where the
        resamples do not differ. A width of zero would say that the score is known exactly.

    Raises
    ------
    ElrcnError
        If `level` is not between 0 and 1.
    """
    levels, values = expanded_levels(subjects, level), np.asarray(values, float)
    ends = np.full((2, *values.shape[1:]), np.nan)
    some = ~np.isnan(values).all(axis=0)
    if not np.isnan(levels).any() and some.any():
        ends[:, some] = np.nanquantile(values[:, some], levels, axis=0)
    # Sums of the same clips round differently.
    low, high = np.where(ends[1] - ends[0] > 1e-12, ends, np.nan)
    return (float(low), float(high)) if values.ndim == 1 else (low, high)


def bootstrap_scores(
    rows: pd.DataFrame, metric, n: int = 2000, seed: int = 0, classes=None, per_fold: bool = False
) -> np.ndarray:
    """Score of `n` resamples of the subjects, drawn with replacement.

    Of rows of several seeds it is the mean of their scores; a subject is drawn for all seeds alike.
    The trained models stay as they are: an `interval` of these values does not contain the spread
    over training seeds.

    Parameters
    ----------
    rows : pandas.DataFrame
        Prediction rows; ``subject``, ``true``, ``predicted`` are used.
    metric : str or callable
        Name in `elrcn.evaluation.metrics.METRICS`, or a function of confusion matrices of shape
        (..., C, C).
    n, seed : int
        Number of resamples, and what fixes them.
    classes : sequence of str, optional
        Classes in order; default: those of the columns ``p_<class>``.
    per_fold : bool
        The score is the mean over folds of each fold's score (HDE); subjects are then drawn within
        each fold.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Raises
    ------
    ElrcnError
        If there are no rows or the score is unknown.
    """
    folds = [subject_confusions(part, classes) for part in _folds(rows, per_fold)]
    return resampled_scores(folds, get_metric(metric), n, seed).mean(axis=0)


def score_table(
    rows: pd.DataFrame,
    by: str | None = None,
    scores: Sequence[str] = tuple(METRICS),
    classes=None,
    per_fold: bool = False,
    draws: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of prediction rows with their 95% intervals: of all, or of each part of them.

    Parameters
    ----------
    rows : pandas.DataFrame
        Prediction rows of one method, of one or several seeds.
    by : str, optional
        Column whose every value gets a row of the table, such as ``"fold"`` or ``"subject"``;
        ``"database"`` is read from the clip ids, and ``"seed"`` may be missing. Default: one row.
    scores : sequence of str
        Names in `elrcn.evaluation.metrics.METRICS`.
    classes, per_fold
        As for `bootstrap_scores`.
    draws, seed : int
        Resamples of the subjects behind each interval, and what fixes them; 0 draws: no intervals.

    Returns
    -------
    pandas.DataFrame
        Index: the values of `by` in order of occurrence. Columns `clips`, `subjects`, and for each
        score its value, ``<score>_low``, ``<score>_high`` and ``<score>_sd``, the standard
        deviation over the resamples (all three NaN without draws).
    """
    if by is None:
        parts = {"all": rows}
    elif by == "seed":
        parts = by_seed(rows)
    else:
        column = rows["clip_id"].str.partition("/")[0] if by == "database" else rows[by]
        parts = dict(list(rows.groupby(column, sort=False)))
    table = {}
    for key, part in parts.items():
        values = (fold_mean if per_fold else pooled)(part, classes)
        row = {"clips": values["n"], "subjects": part["subject"].nunique()}
        for name in scores:
            low = high = sd = np.nan
            if draws:
                sample = bootstrap_scores(part, name, draws, seed, classes, per_fold)
                units = [fold["subject"].nunique() for fold in _folds(part, per_fold)]
                (low, high), sd = interval(sample, units), np.nanstd(sample)
            row |= {name: values[name], f"{name}_low": low, f"{name}_high": high, f"{name}_sd": sd}
        table[key] = row
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis(by)
    return frame.astype({"clips": int, "subjects": int})


# -- Swaps of two methods


def swapped_differences(
    folds: Sequence[np.ndarray], score: Callable, n: int = 10000, seed: int = 0
) -> np.ndarray:
    """Differences of two methods' scores after swapping them subject by subject.

    The permutation test of a paired difference: under the null hypothesis a subject's two sets of
    predictions are exchangeable. Those of all seeds are swapped together.

    Parameters
    ----------
    folds : sequence of ndarray, shape (2, S, C, C) or (2, K, S, C, C)
        From `subject_pairs`; of K seeds the mean of the scores counts.
    score : callable
        Function of confusion matrices of shape (..., C, C).
    n, seed : int
        Swaps and what fixes them. All 2^S are done if they are at most `n`, else `n` random ones.

    Returns
    -------
    numpy.ndarray of float64, shape (..., swaps)
        Means over folds; the first is of no swap.
    """
    subjects = sum(pair.shape[-3] for pair in folds)
    if 2**subjects <= n:
        swaps = (np.arange(2**subjects)[:, None] >> np.arange(subjects)) & 1
    else:
        swaps = np.random.default_rng(seed).integers(0, 2, size=(n, subjects))
        swaps[0] = 0
    differences, start = 0.0, 0
    for a, b in folds:
        count = a.shape[-3]
        part = swaps[:, start : start + count].astype(float)
        start += count
        # (swaps, S) times (..., S, C, C) over S; the swaps come before the two class axes' seeds.
        moved = np.tensordot(part, (b - a).astype(float), axes=(1, -3))
        found = score(a.sum(-3) + moved) - score(b.sum(-3) - moved)
        differences = differences + (found.mean(axis=-1) if a.ndim > 3 else found)
    return differences / len(folds)


def swap_p_value(differences: np.ndarray) -> np.ndarray:
    """Two-sided p-value: share of `swapped_differences` as far from 0 as the first (last axis)."""
    # Swaps that tie with the observed one must count although sums round differently.
    return (np.abs(differences) >= np.abs(differences[..., :1]) - 1e-12).mean(axis=-1)


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
