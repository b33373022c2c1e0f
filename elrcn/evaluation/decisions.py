"""Two methods on the same clips: what differs, how sure that is, what choosing on the test adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom, t

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import get_metric, row_classes
from elrcn.evaluation.statistics import (
    interval,
    least_units,
    resampled_scores,
    resamples,
    subject_confusions,
    subject_pairs,
    swap_p_value,
    swapped_differences,
)


@dataclass(frozen=True)
class Comparison:
    """Outcome of `compare`: first method against second, on the same clips.

    Attributes
    ----------
    difference : float
        First method's score minus the second's.
    low, high : float
        Interval of the difference, by resampling subjects; NaN where there is none.
    p_value : float
        Two-sided, from the permutation test over subjects, for one comparison alone.
    subjects : int
        Subjects compared.
    """

    difference: float
    low: float
    high: float
    p_value: float
    subjects: int


def compare(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    metric="uar",
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
    per_fold: bool = False,
    swaps: int = 10000,
) -> Comparison:
    """Compare two methods on the same clips: difference, interval and permutation test.

    A drawn subject brings both methods' answers about the same clips, so that what makes a subject
    easy or hard for both cancels. This is why the interval is usually narrower than the two
    methods' own intervals suggest. Of several seeds the means of the scores are compared.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips.
    metric, n, seed, classes, per_fold
        As for `elrcn.evaluation.statistics.bootstrap_scores`; the folds are those of `rows_a`.
    level : float
        Coverage of the interval, between 0 and 1.
    swaps : int
        Swaps of the test, as `n` of `elrcn.evaluation.statistics.swapped_differences`.

    Raises
    ------
    ElrcnError
        If there are no rows, the rows are not of the same clips, the score is unknown or `level`
        is not between 0 and 1.
    """
    folds, score = subject_pairs(rows_a, rows_b, classes, per_fold), get_metric(metric)
    counts = [pair.shape[2] for pair in folds]
    first, second = resampled_scores(folds, score, n, seed).mean(axis=1)
    low, high = interval(first - second, counts, level)
    differences = swapped_differences(folds, score, swaps, seed)
    p_value = float(swap_p_value(differences))
    return Comparison(float(differences[0]), low, high, p_value, sum(counts))


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
    classes=None,
    per_fold: bool = False,
) -> Decision:
    """P(A > B) with its 95% interval, and the difference that could have been detected.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips, of one or several seeds each.
    metric, seed, classes, per_fold
        As for `elrcn.evaluation.statistics.bootstrap_scores`.
    n : int
        Resamples, and resamples of each resample.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips, or the score is unknown.

    Notes
    -----
    Source: Bouthillier et al. 2021, "Accounting for variance in machine learning benchmarks",
    arXiv 2103.03098, sections 4.1 and 5. There each pair of runs draws its own split of the data;
    here, where every subject is tested once, the subjects of a run are drawn with replacement.
    """
    folds, score = subject_pairs(rows_a, rows_b, classes, per_fold), get_metric(metric)
    counts = [pair.shape[2] for pair in folds]
    value, values = probability_better(folds, score, n, seed)
    low, high = interval(values, counts)
    if min(counts) >= least_units() and np.ptp(values) == 0 and value in (0, 1):
        low = high = value  # one method won every draw of every resample
    return Decision(value, low, high, detectable_difference(folds, score, seed=seed))


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
    value = _share_better(folds, score, None, every, 20 * n, generator)
    values = np.empty(n)
    for i in range(n):
        weights = [resamples(s, 1, generator)[0] / s for s in counts]
        drawn = generator.integers(0, seeds, size=(2, seeds))
        values[i] = _share_better(folds, score, weights, drawn, n, generator)
    return value, values


def _share_better(folds, score, weights, seeds, n, generator) -> float:
    """Share of `n` draws of subjects (by `weights`) and `seeds` in which A scores above B."""
    scores = resampled_scores(folds, score, n, generator, weights)  # (2, K, n)
    # Every seed of A against every seed of B; sums of the same clips round differently.
    gap = scores[0, seeds[0]][:, None] - scores[1, seeds[1]]
    return float(np.mean((gap > 1e-12) + 0.5 * (np.abs(gap) <= 1e-12)))


def standard_error(
    folds: Sequence[np.ndarray], score: Callable, n: int = 2000, seed: int = 0
) -> float:
    """Compute the standard error of a difference of two mean scores, over subjects and seeds.

    The variance over subjects, from resamples, grows by S / (S - 1), by which a bootstrap
    underrates it; that over K > 1 seeds is the sum of both methods' variances divided by K.
    Arguments as of `probability_better`; NaN with a single subject in every fold.
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


def power_factor(freedom: int) -> float:
    """Count the standard errors of a difference found, at 95%, in four of five experiments.

    Two quantiles of Student's t of `freedom` (subjects - 1) added up; 2.8 for many subjects.
    """
    return float(t.ppf((1 + 0.95) / 2, freedom) + t.ppf(0.8, freedom))


def detectable_difference(
    folds: Sequence[np.ndarray], score: Callable, n: int = 2000, seed: int = 0
) -> float:
    """Smallest difference of two methods found in four of five experiments, on the scores' scale.

    Arguments as of `probability_better`; NaN with a single subject in every fold.
    """
    freedom = sum(pair.shape[2] for pair in folds) - len(folds)
    return power_factor(freedom) * standard_error(folds, score, n, seed)


def least_above_chance(n: int, chance: float) -> float:
    """Smallest accuracy on `n` clips that guessing reaches in at most one of twenty cases.

    Exact, from the binomial distribution (Combrisson and Jerbi 2015, doi
    10.1016/j.jneumeth.2015.01.010). It takes clips as independent; where a subject's clips are
    alike the true bound lies higher.

    Parameters
    ----------
    n : int
        Clips, at least 1.
    chance : float
        Probability of guessing a clip: 1 / C, or the share of the largest class.

    Returns
    -------
    float
        Above 1 where not even n of n clips exclude guessing.

    Raises
    ------
    ElrcnError
        If there is no clip, or `chance` is not between 0 and 1.
    """
    if n < 1 or not 0 < chance < 1:
        raise ElrcnError(
            f"The bound of chance needs clips, and a chance between 0 and 1, not n={n}, "
            f"chance={chance}."
        )
    # P(X >= k) = sf(k - 1) <= 5%, and isf gives the least k - 1 for which that holds.
    return (float(binom.isf(1 - 0.95, n, chance)) + 1) / n


# -- Choosing among several runs of one method on the same clips


def _confusions(choices: Mapping[int, pd.DataFrame], classes) -> tuple[list[int], np.ndarray]:
    """Sorted keys of the choices, and confusion matrices (K, S, C, C) of choices and subjects."""
    if not choices:
        raise ElrcnError("There is nothing to choose from.")
    keys = sorted(choices)
    first = choices[keys[0]]
    if first.empty:
        raise ElrcnError("There are no prediction rows to choose by.")
    clips = sorted(zip(first["clip_id"], first["true"], strict=True))
    for key in keys:
        if sorted(zip(choices[key]["clip_id"], choices[key]["true"], strict=True)) != clips:
            raise ElrcnError(
                f"The choices {keys[0]} and {key} were not measured on the same clips.",
                fix="run all of them on the same manifest and task",
            )
    classes = tuple(classes or row_classes(first))
    return keys, np.array([subject_confusions(choices[k], classes).sum(axis=0) for k in keys])


def _first_best(values: np.ndarray) -> np.ndarray:
    """First index along axis 0 whose value is the greatest; sums that round differently tie."""
    return (values >= np.nanmax(values, axis=0) - 1e-12).argmax(axis=0)


def _gather(choices: Mapping[int, pd.DataFrame], keys: list[int], values) -> pd.DataFrame:
    """Rows of every subject under the choice of greatest value, shape (choices, subjects)."""
    first = choices[keys[0]]
    subjects = sorted(set(first["subject"].astype(str)))
    chosen = {s: keys[i] for s, i in zip(subjects, _first_best(values), strict=True)}
    parts = [
        rows[rows["subject"].astype(str).map(chosen) == key].assign(chosen=key)
        for key, rows in choices.items()
    ]
    gathered = pd.concat(parts).set_index("clip_id", drop=False)
    return gathered.loc[first["clip_id"]].reset_index(drop=True)


def oracle_rows(choices: Mapping[int, pd.DataFrame], classes=None) -> pd.DataFrame:
    """Rows of the leak: for each subject the choice that answers most of its own clips right.

    Parameters
    ----------
    choices : mapping of int to DataFrame
        Epochs trained (or any other choice) to prediction rows of the same clips.
    classes : sequence of str, optional
        Default: those of the columns ``p_<class>``.

    Returns
    -------
    DataFrame
        Prediction rows with a column `chosen`, in the order of the rows of the smallest key. Where
        several choices are equally right the smallest key is taken.

    Raises
    ------
    ElrcnError
        If there is nothing to choose from, or the rows are not of the same clips.
    """
    keys, confusions = _confusions(choices, classes)
    return _gather(choices, keys, np.trace(confusions, axis1=-2, axis2=-1))


def others_rows(choices: Mapping[int, pd.DataFrame], metric="uar", classes=None) -> pd.DataFrame:
    """Rows of the honest choice: for each subject the epochs that are best on all other subjects.

    Parameters, returns and errors are those of `oracle_rows`; `metric` is pooled over the other
    subjects' clips, and a single subject is refused.

    Notes
    -----
    What is not leaked: no answer about the subject itself takes part in its choice, so the choice
    cannot follow luck on its few clips. What remains: the other subjects' answers come from models
    whose training clips include this subject's (each of them held out someone else), so its labels
    act on the choice through those models' weights. A strict nesting would train a model for
    every pair of subjects instead. The remaining path carries one number (the epochs) that all
    subjects nearly share, and not what was right about this subject's clips. There is an effect
    the other way too: a subject that does well at some k is missing from k's score when its own
    choice is made, so this choice is too pessimistic where several numbers of epochs are about
    equally good or a class comes from one or two subjects. Compare with the last epoch as well,
    which chooses nothing.
    """
    keys, confusions = _confusions(choices, classes)
    if confusions.shape[1] < 2:
        raise ElrcnError("Choosing on the other subjects needs at least two subjects.")
    others = confusions.sum(axis=1, keepdims=True) - confusions
    return _gather(choices, keys, get_metric(metric)(others))


def best_choice(choices: Mapping[int, pd.DataFrame], metric="uar", classes=None) -> int:
    """Give the key with the best score on all test clips: the milder leak, one choice for all."""
    keys, confusions = _confusions(choices, classes)
    return keys[int(_first_best(get_metric(metric)(confusions.sum(axis=1))))]


def best_of_gain(
    choices: Mapping[int, pd.DataFrame], metric="uar", n: int = 2000, seed: int = 0, classes=None
) -> tuple[float, float, float]:
    """Measure what reporting the best of several runs adds over their mean.

    Parameters
    ----------
    choices : mapping of int to DataFrame
        Seed (or any other choice) to prediction rows of the same clips.
    metric, n, seed, classes
        As for `elrcn.evaluation.statistics.bootstrap_scores`.

    Returns
    -------
    gain, low, high : float
        Best score minus mean score, never below 0, and its 95% interval (NaN where there is none).
        In every resample of the subjects the best is chosen anew, as whoever reports it would have
        done.

    Raises
    ------
    ElrcnError
        If there is nothing to choose from, or the rows are not of the same clips.
    """
    score = get_metric(metric)
    _, confusions = _confusions(choices, classes)
    values = resampled_scores([confusions], score, n, seed)
    gains = values.max(axis=0) - values.mean(axis=0)
    whole = score(confusions.sum(axis=1))
    return float(whole.max() - whole.mean()), *interval(gains, confusions.shape[1])
