"""Choosing on the test subject gains where there is nothing to gain; choosing on others not."""

import numpy as np
import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.evaluation.decisions import best_choice, best_of_gain, oracle_rows, others_rows
from elrcn.evaluation.metrics import pooled

CLASSES = ("a", "b")


def frame(right, subjects, true=None):
    """Rows of clips answered right or wrong; every second clip is of class a unless given."""
    right = np.asarray(right, bool)
    true = np.tile(["a", "b"], len(right))[: len(right)] if true is None else np.array(true)
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": subjects,
            "clip_id": [f"c{i}" for i in range(len(right))],
            "subject": subjects,
            "true": true,
            "predicted": np.where(right, true, np.where(true == "a", "b", "a")),
        }
    )
    return rows.assign(p_a=0.5, p_b=0.5)


def test_choices_by_hand():
    subjects = ["s1"] * 4 + ["s2"] * 4 + ["s3"] * 4
    by_epochs = {
        # Right per subject:   s1 2, s2 4, s3 1;  s1 3, s2 1, s3 1;  s1 3, s2 2, s3 0.
        1: frame([1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0], subjects),
        5: frame([1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0], subjects),
        20: frame([0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0], subjects),
    }
    oracle = oracle_rows(by_epochs)
    assert oracle.groupby("subject")["chosen"].first().to_dict() == {"s1": 5, "s2": 1, "s3": 1}
    assert oracle["clip_id"].tolist() == by_epochs[1]["clip_id"].tolist()
    assert pooled(oracle)["war"] == pytest.approx(8 / 12)
    # Right on the others: for s1 5, 2, 2 of 8; for s2 3, 4, 3; for s3 6, 4, 5.
    others = others_rows(by_epochs, "war")
    assert others.groupby("subject")["chosen"].first().to_dict() == {"s1": 1, "s2": 5, "s3": 1}
    assert pooled(others)["war"] == pytest.approx((2 + 1 + 1) / 12)
    assert best_choice(by_epochs, "war") == 1


def test_own_answers_never_move_the_honest_choice():
    g = np.random.default_rng(0)
    subjects = np.repeat([f"s{i}" for i in range(5)], 6)
    by_epochs = {k: frame(g.random(30) < 0.5, subjects) for k in (1, 2, 3)}
    before = others_rows(by_epochs).groupby("subject")["chosen"].first()
    changed = {k: rows.copy() for k, rows in by_epochs.items()}
    own = changed[2]["subject"] == "s3"
    changed[2].loc[own, "predicted"] = changed[2].loc[own, "true"]
    after = others_rows(changed).groupby("subject")["chosen"].first()
    assert after["s3"] == before["s3"]
    assert (oracle_rows(changed).loc[own.to_numpy(), "chosen"] == 2).all()


def test_leak_gains_from_guessing_and_honest_choice_does_not():
    leaked, honest = [], []
    for seed in range(40):
        g = np.random.default_rng(seed)
        subjects = np.repeat([f"s{i}" for i in range(10)], 6)
        guesses = {k: frame(g.random(60) < 0.5, subjects) for k in range(6)}
        leaked.append(pooled(oracle_rows(guesses))["war"])
        honest.append(pooled(others_rows(guesses, "war"))["war"])
    assert np.mean(leaked) > 0.7
    assert abs(np.mean(honest) - 0.5) < 0.04


def test_best_of_several_runs():
    subjects = np.repeat([f"s{i}" for i in range(8)], 4)
    g = np.random.default_rng(1)
    runs = {s: frame(g.random(32) < 0.6, subjects) for s in range(3)}
    gain, low, high = best_of_gain(runs, "war", n=300)
    each = [pooled(r)["war"] for r in runs.values()]
    assert gain == pytest.approx(max(each) - np.mean(each))
    assert 0 <= low < high
    gain, *ends = best_of_gain({0: runs[0]}, n=50)
    assert gain == 0 and np.isnan(ends).all()


def test_other_clips_are_refused():
    subjects = ["s1"] * 2 + ["s2"] * 2
    rows = frame([1, 0, 1, 0], subjects)
    for function in (oracle_rows, others_rows, best_of_gain, best_choice):
        with pytest.raises(ElrcnError, match="same clips"):
            function({1: rows, 2: rows.iloc[1:]})
        with pytest.raises(ElrcnError, match="nothing to choose"):
            function({})
    with pytest.raises(ElrcnError, match="two subjects"):
        others_rows({1: rows.iloc[:2]})
