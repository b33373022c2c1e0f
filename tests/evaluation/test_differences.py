"""Paired differences: the interval over subjects, its sign, and how often it holds."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from elrcn.errors import ElrcnError
from elrcn.evaluation.decisions import compare
from elrcn.evaluation.metrics import fold_mean, pooled, scores, uar
from elrcn.evaluation.statistics import (
    bootstrap_scores,
    interval,
    subject_pairs,
    swap_p_value,
    swapped_differences,
)

CLASSES = ("a", "b", "c")


def ends(*args, **kwargs):
    """Interval of a difference."""
    found = compare(*args, swaps=50, **kwargs)
    return found.low, found.high


def rows_of(right, subjects=8, clips=6, seed=0):
    """Rows in which clip i is answered right where `right[i]`, else by the next class."""
    truth = np.random.default_rng(seed).integers(0, 3, subjects * clips)
    answer = np.where(right, truth, (truth + 1) % 3)
    names = np.repeat([f"s{i}" for i in range(subjects)], clips)
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": np.where(np.arange(len(truth)) < len(truth) // 2, "one", "two"),
            "clip_id": [f"c{i}" for i in range(len(truth))],
            "subject": names,
            "true": np.array(CLASSES)[truth],
            "predicted": np.array(CLASSES)[answer],
        }
    )
    return rows.assign(p_a=0.0, p_b=0.0, p_c=0.0)


def two_methods(seed, gain, subjects=8, clips=6):
    """Two methods whose skill follows the same subjects; the first is better by `gain`."""
    g = np.random.default_rng(seed)
    ease = np.repeat(g.uniform(0.2, 0.8 - abs(gain), subjects), clips)
    return tuple(
        rows_of(g.random(subjects * clips) < ease + extra, subjects, clips, seed)
        for extra in (gain, 0)
    )


@pytest.mark.parametrize("per_fold", [False, True])
def test_interval_equals_resampling_the_rows_of_both_methods_together(per_fold):
    a, b = two_methods(1, 0.2)
    low, high = ends(a, b, "uar", n=40, seed=3, level=0.5, per_fold=per_fold)
    folds = ["one", "two"] if per_fold else [["one", "two"]]
    g, total = np.random.default_rng(3), np.zeros(40)
    for fold in folds:
        part = a["fold"].isin(np.atleast_1d(fold))
        names = sorted(set(a.loc[part, "subject"]))
        counts = g.multinomial(len(names), np.full(len(names), 1 / len(names)), size=40)
        for i, times in enumerate(counts):
            drawn = [
                a.index[part & (a["subject"] == n)]
                for n, k in zip(names, times, strict=True)
                for _ in range(k)
            ]
            index = np.concatenate(drawn)
            first, second = (
                scores(rows.loc[index, "true"], rows.loc[index, "predicted"], CLASSES)["uar"]
                for rows in (a, b)
            )
            total[i] += (first - second) / len(folds)
    subjects = 8
    freedom = subjects - len(folds)
    reach = np.sqrt(subjects / freedom) * t.ppf(0.75, freedom)
    assert (low, high) == pytest.approx(tuple(np.quantile(total, norm.cdf([-reach, reach]))))


def test_order_of_methods_turns_the_sign_and_order_of_rows_is_nothing():
    a, b = two_methods(2, 0.25)
    low, high = ends(a, b, "war")
    assert ends(b, a, "war") == pytest.approx((-high, -low))
    shuffled = b.sample(frac=1, random_state=0)
    assert compare(a, b) == compare(a, shuffled)
    # Nothing that the draws could tell: no interval, rather than one of no width.
    assert np.isnan(ends(a, a, "uar")).all()


def test_pairing_takes_out_what_subjects_share():
    a, b = two_methods(3, 0.05, subjects=20)
    b["predicted"] = a["predicted"].where(np.arange(len(a)) % 17 > 0, b["predicted"])
    low, high = ends(a, b, "war")
    alone = interval(bootstrap_scores(a, "war"), 20)
    assert high - low < 0.5 * (alone[1] - alone[0])


def test_no_difference_is_within_the_interval_about_as_often_as_it_says():
    inside = sum(
        low <= 0 <= high
        for low, high in (
            ends(*two_methods(seed, 0.0, subjects=20), "war", n=300) for seed in range(100)
        )
    )
    assert 85 <= inside <= 100


@pytest.mark.parametrize("per_fold", [False, True])
def test_compare_holds_the_difference_and_both_tests(per_fold):
    a, b = two_methods(4, 0.3, subjects=16)
    c = compare(a, b, "uar", n=500, per_fold=per_fold)
    summary = fold_mean if per_fold else pooled
    assert c.difference == pytest.approx(summary(a)["uar"] - summary(b)["uar"])
    assert c.low <= c.difference <= c.high
    assert c.subjects == 16
    swapped = swapped_differences(subject_pairs(a, b, per_fold=per_fold), uar)
    assert c.p_value == swap_p_value(swapped) and c.difference == swapped[0]


def test_other_clips_and_a_wrong_level_are_refused():
    a, b = two_methods(5, 0.1)
    with pytest.raises(ElrcnError, match="same clips"):
        compare(a, b.iloc[1:])
    with pytest.raises(ElrcnError, match="level"):
        ends(a, b, "uar", level=95)
    with pytest.raises(ElrcnError, match="no prediction rows"):
        compare(a.iloc[:0], b.iloc[:0])
