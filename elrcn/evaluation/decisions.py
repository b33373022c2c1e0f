"""What a comparison of two methods can decide: P(A > B), detectable differences, chance.

A p-value says whether a difference is there, not whether it matters, nor what so few subjects
could have shown. These three numbers do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom, t

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import get_metric
from elrcn.evaluation.statistics import (
    interval,
    least_units,
    resampled_scores,
    resamples,
    subject_pairs,
)

#: P(A > B) from which Bouthillier et al. 2021 call a difference meaningful.
MEANINGFUL = 0.75


@dataclass(frozen=True)
class Decision:
    """How two methods stand to each other, from `decide`.

    Attributes
    ----------
    probability : float
        P(A > B): chance that the first method scores above the second when both are trained once
        more and as many subjects are drawn anew; equal scores count half.
    low, high : float
        Interval of it, over subjects and seeds; NaN where
        `elrcn.evaluation.statistics.interval` gives none.
    detectable : float
        Smallest difference of the mean scores that so many subjects and seeds would show in four
        of five experiments; NaN with a single subject.
    """

    probability: float
    low: float
    high: float
    detectable: float

    @property
    def advice(self) -> str:
        """What Bouthillier et al. 2021 advise to conclude.

        Either "no significant difference" (the interval holds 1/2), "significant, not meaningful"
        (it lies on one side of 1/2, and the probability short of 3/4) or "significant and
        meaningful".
        """
        if not (self.low > 0.5 or self.high < 0.5):
            return "no significant difference"
        clear = max(self.probability, 1 - self.probability) >= MEANINGFUL
        return "significant and meaningful" if clear else "significant, not meaningful"


def decide(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    metric="uar",
    n: int = 200,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
    per_fold: bool = False,
) -> Decision:
    """P(A > B) with its interval, and the difference that could have been detected.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips, of one or several seeds each.
    metric, seed, level, classes, per_fold
        As for `elrcn.evaluation.statistics.bootstrap_interval`.
    n : int
        Resamples, and resamples of each resample.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips, the score is unknown or `level` is not between 0
        and 1.

    Notes
    -----
    Source: Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks",
    arXiv 2103.03098, sections 4.1 and 5. There each pair of runs draws its own split of the data;
    here, where every subject is tested once, the subjects of a run are drawn with replacement.
    """
    folds, score = subject_pairs(rows_a, rows_b, classes, per_fold), get_metric(metric)
    counts = [pair.shape[2] for pair in folds]
    value, values = probability_better(folds, score, n, seed)
    low, high = interval(values, counts, level)
    if min(counts) >= least_units(level) and np.ptp(values) == 0 and value in (0, 1):
        low = high = value  # one method won every draw of every resample
    return Decision(value, low, high, detectable_difference(folds, score, n=2000, seed=seed))


def probability_better(
    folds: Sequence[np.ndarray], score: Callable, n: int = 200, seed: int = 0
) -> tuple[float, np.ndarray]:
    """P(A > B) of new subjects and new trainings, and its values in resamples of both.

    Parameters
    ----------
    folds : sequence of ndarray, shape (2, K, S, C, C)
        Confusion matrices by method, seed and subject, from
        `elrcn.evaluation.statistics.subject_pairs`; S may differ between folds.
    score : callable
        Function of confusion matrices of shape (..., C, C).
    n, seed : int
        Resamples, and what fixes them.

    Returns
    -------
    probability : float
        Share of 20 n draws, of S subjects and one seed of each method, in which the first method
        scores higher; ties count half.
    values : numpy.ndarray of float64, shape (n,)
        The same, computed from n resamples of the subjects and of the seeds.
    """
    generator = np.random.default_rng(seed)
    seeds = folds[0].shape[1]
    counts = [pair.shape[2] for pair in folds]
    every = np.broadcast_to(np.arange(seeds), (2, seeds))
    value = _share_better(folds, score, [None] * len(folds), every, 20 * n, generator)
    values = np.empty(n)
    for i in range(n):
        weights = [resamples(s, 1, generator)[0] / s for s in counts]
        drawn = generator.integers(0, seeds, size=(2, seeds))
        values[i] = _share_better(folds, score, weights, drawn, n, generator)
    return value, values


def _share_better(folds, score, weights, seeds, n, generator) -> float:
    """Share of `n` draws of subjects (by `weights`) and `seeds` in which A scores above B."""
    a, b = 0.0, 0.0
    for pair, weight in zip(folds, weights, strict=True):
        count, size = pair.shape[2], pair.shape[-1]
        pooled = resamples(count, n, generator, weight) @ pair.reshape(*pair.shape[:3], size * size)
        scores = score(pooled.reshape(*pooled.shape[:-1], size, size))  # (2, K, n)
        a, b = a + scores[0, seeds[0]], b + scores[1, seeds[1]]
    # Every seed of A against every seed of B; sums of the same clips round differently.
    gap = a[:, None] - b[None, :]
    return float(np.mean((gap > 1e-12) + 0.5 * (np.abs(gap) <= 1e-12)))


def standard_error(
    folds: Sequence[np.ndarray], score: Callable, n: int = 2000, seed: int = 0
) -> float:
    """Compute the standard error of the difference of two mean scores, over subjects and seeds.

    Parameters
    ----------
    folds, score, n, seed
        As for `probability_better`.

    Returns
    -------
    float
        NaN with a single subject in every fold.

    Notes
    -----
    The variance over subjects, from resamples, grows by S / (S - 1), by which a bootstrap
    underrates it; that over K > 1 seeds is the sum of both methods' variances divided by K.
    """
    means = resampled_scores(folds, score, n, seed).mean(axis=1)  # (2, n)
    counts = np.array([pair.shape[2] for pair in folds])
    freedom = counts.sum() - len(counts)
    if freedom == 0:
        return np.nan
    variance = (means[0] - means[1]).var() * counts.sum() / freedom
    by_seed = np.mean([score(pair.sum(axis=2)) for pair in folds], axis=0)  # (2, K)
    seeds = by_seed.shape[1]
    if seeds > 1:
        variance += by_seed.var(axis=1, ddof=1).sum() / seeds
    return float(np.sqrt(variance))


def power_factor(freedom: int, level: float = 0.95, power: float = 0.8) -> float:
    """Count the standard errors that a difference found with probability `power` must have.

    Parameters
    ----------
    freedom : int
        Degrees of freedom: subjects - 1.
    level, power : float
        Coverage of the interval that decides, and the probability wanted.

    Returns
    -------
    float
        The two quantiles of Student's t added up; 2.8 for many subjects.

    Raises
    ------
    ElrcnError
        If `level` or `power` is not between 0 and 1.
    """
    if not (0 < level < 1 and 0 < power < 1):
        raise ElrcnError(f"Level and power lie between 0 and 1, not at {level} and {power}.")
    return float(t.ppf((1 + level) / 2, freedom) + t.ppf(power, freedom))


def detectable_difference(
    folds: Sequence[np.ndarray],
    score: Callable,
    level: float = 0.95,
    power: float = 0.8,
    n: int = 2000,
    seed: int = 0,
) -> float:
    """Smallest difference of two methods that would be found with probability `power`.

    Parameters
    ----------
    folds, score, n, seed
        As for `standard_error`.
    level, power
        As for `power_factor`.

    Returns
    -------
    float
        Of the scores' scale; NaN where there is no standard error.
    """
    freedom = sum(pair.shape[2] for pair in folds) - len(folds)
    if freedom == 0:
        return np.nan
    return power_factor(freedom, level, power) * standard_error(folds, score, n, seed)


def least_above_chance(n: int, chance: float, level: float = 0.95) -> float:
    """Smallest accuracy on `n` clips that guessing reaches with probability 1 - `level` at most.

    Exact, from the binomial distribution (Combrisson and Jerbi 2015, doi
    10.1016/j.jneumeth.2015.01.010). It takes clips as independent; where a subject's clips are
    alike the true bound lies higher.

    Parameters
    ----------
    n : int
        Clips, at least 1.
    chance : float
        Probability of guessing a clip: 1 / C, or the share of the largest class.
    level : float
        One minus the error allowed, between 0 and 1.

    Returns
    -------
    float
        Above 1 where not even n of n clips exclude guessing.

    Raises
    ------
    ElrcnError
        If there is no clip, or `chance` or `level` is not between 0 and 1.
    """
    if n < 1 or not (0 < chance < 1 and 0 < level < 1):
        raise ElrcnError(
            f"The bound of chance needs clips, and a chance and a level between 0 and 1, "
            f"not n={n}, chance={chance}, level={level}."
        )
    # P(X >= k) = sf(k - 1) <= 1 - level, and isf gives the least k - 1 for which that holds.
    return (float(binom.isf(1 - level, n, chance)) + 1) / n
