"""What looking at the test subject adds: choosing an epoch, or a seed, where it is scored.

Models of one method that differ in a choice (epochs trained, seed) answer about the same clips.
Taking for each subject the choice that suits this very subject is a leak: the score then measures
the choosing too. Varanka et al. (2024, doi 10.1109/TAFFC.2023.3265063) describe it in works on
micro-expressions; Cawley and Talbot (2010, JMLR 11, 2079-2107) in general.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import get_metric, row_classes
from elrcn.evaluation.statistics import interval, resampled_scores, subject_confusions


def _confusions(choices: Mapping[int, pd.DataFrame], classes):
    """Sorted choices, subjects (S,), confusion matrices (K, S, C, C)."""
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
    found = [subject_confusions(choices[key], classes) for key in keys]
    return keys, found[0][0], np.array([matrices for _, matrices in found])


def _gather(choices: Mapping[int, pd.DataFrame], chosen: Mapping[str, int]) -> pd.DataFrame:
    """Rows of every subject under the choice made for it, in the order of the first choice."""
    first = choices[min(choices)]
    parts = [
        rows[rows["subject"].astype(str).map(chosen) == key].assign(chosen=key)
        for key, rows in choices.items()
    ]
    gathered = pd.concat(parts).set_index("clip_id", drop=False)
    return gathered.loc[first["clip_id"]].reset_index(drop=True)


def oracle_rows(rows_by_epochs: Mapping[int, pd.DataFrame], classes=None) -> pd.DataFrame:
    """Rows of the leak: for each subject the epochs that answer most of its own clips right.

    Parameters
    ----------
    rows_by_epochs : mapping of int to DataFrame
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
    keys, subjects, confusions = _confusions(rows_by_epochs, classes)
    right = np.trace(confusions, axis1=-2, axis2=-1)
    best = right.argmax(axis=0)
    return _gather(rows_by_epochs, {s: keys[i] for s, i in zip(subjects, best, strict=True)})


def others_rows(
    rows_by_epochs: Mapping[int, pd.DataFrame], metric="uar", classes=None
) -> pd.DataFrame:
    """Rows of the honest choice: for each subject the epochs that are best on all other subjects.

    Parameters are those of `oracle_rows`; `metric` is pooled over the other subjects' clips.

    Returns
    -------
    DataFrame
        As from `oracle_rows`.

    Raises
    ------
    ElrcnError
        As from `oracle_rows`, also if there is a single subject.

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
    score = get_metric(metric)
    keys, subjects, confusions = _confusions(rows_by_epochs, classes)
    if len(subjects) < 2:
        raise ElrcnError("Choosing on the other subjects needs at least two subjects.")
    others = confusions.sum(axis=1, keepdims=True) - confusions
    best = _first_best(score(others))
    return _gather(rows_by_epochs, {s: keys[i] for s, i in zip(subjects, best, strict=True)})


def _first_best(values: np.ndarray) -> np.ndarray:
    """First index along axis 0 whose value is the greatest; sums that round differently tie."""
    return (values >= np.nanmax(values, axis=0) - 1e-12).argmax(axis=0)


def best_choice(choices: Mapping[int, pd.DataFrame], metric="uar", classes=None) -> int:
    """Give the key with the best score on all test clips: the milder leak, one choice for all."""
    keys, _, confusions = _confusions(choices, classes)
    return keys[int(_first_best(get_metric(metric)(confusions.sum(axis=1))))]


def best_of_gain(
    choices: Mapping[int, pd.DataFrame],
    metric="uar",
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
) -> tuple[float, float, float]:
    """Measure what reporting the best of several runs adds over their mean.

    Parameters
    ----------
    choices : mapping of int to DataFrame
        Seed (or any other choice) to prediction rows of the same clips.
    metric, n, seed, level, classes
        As for `elrcn.evaluation.statistics.bootstrap_interval`.

    Returns
    -------
    gain, low, high : float
        Best score minus mean score, never below 0, and its interval (NaN where there is none). In
        every resample of the subjects the best is chosen anew, as whoever reports it would have
        done.

    Raises
    ------
    ElrcnError
        If there is nothing to choose from, or the rows are not of the same clips.
    """
    score = get_metric(metric)
    _, subjects, confusions = _confusions(choices, classes)
    values = resampled_scores([confusions], score, n, seed)
    gains = values.max(axis=0) - values.mean(axis=0)
    whole = score(confusions.sum(axis=1))
    return float(whole.max() - whole.mean()), *interval(gains, len(subjects), level)
