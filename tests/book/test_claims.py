"""Verdicts: on corrected comparisons alone, in one vocabulary."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from elrcn.evaluation.decisions import compare
from elrcn.evaluation.statistics import holm
from elrcn.experiments import run
from elrcn.session import Session
from elrcn.workspace import Workspace
from elrcn_book.claims import (
    HIGHER,
    LOWER,
    NEITHER,
    Claim,
    Family,
    network_family,
    p_text,
    sentence,
    verdict,
)

CLAIM = Claim("A", "B", "UAR", 0.2, 0.1, 0.3, 0.002, 0.01, 5)


def rows(right, seed=0):
    """Prediction rows of 8 subjects with 6 clips each, a share of them right."""
    random = np.random.default_rng(seed)
    true = np.array(["x", "y"] * 24)
    wrong = np.where(true == "x", "y", "x")
    subject = np.repeat([f"s{i}" for i in range(8)], 6)
    said = np.where(random.random(48) < right, true, wrong)
    return pd.DataFrame(
        {"run": "r", "fold": subject, "clip_id": [f"c{i}" for i in range(48)], "subject": subject,
         "true": true, "predicted": said}
    )  # fmt: skip


def test_interval_and_test_must_agree():
    assert verdict(CLAIM) == HIGHER
    assert verdict(CLAIM.reversed) == LOWER
    assert verdict(dataclasses.replace(CLAIM, p_holm=0.05)) == NEITHER
    assert verdict(dataclasses.replace(CLAIM, low=-0.01)) == NEITHER
    assert verdict(dataclasses.replace(CLAIM, low=np.nan, high=np.nan)) == NEITHER


@pytest.mark.parametrize("other", [0.01, {"p_holm": 0.01}, pd.Series({"p_holm": 0.01}), None])
def test_what_was_not_corrected_has_no_verdict(other):
    with pytest.raises(TypeError, match="Family"):
        verdict(other)


def test_the_better_method_stands_first_and_no_p_is_zero():
    assert sentence(CLAIM) == sentence(CLAIM.reversed)
    assert sentence(CLAIM).startswith("A has a higher UAR than B (+0.200, 95% interval +0.10 to")
    shy = sentence(dataclasses.replace(CLAIM, p_holm=0.3))
    assert shy.startswith("No significant difference in UAR between A and B (+0.200")
    assert "p = 0.300 after Holm's correction" in shy
    assert p_text(0.0) == p_text(0.0004) == "p < 0.001" and p_text(0.021) == "p = 0.021"


def test_a_family_is_corrected_for_its_number():
    a, b, c = rows(0.95), rows(0.5, 1), rows(0.55, 2)
    family = Family([("A", a, "B", b), ("A", a, "C", c), ("B", b, "C", c)], ("x", "y"))
    raw = [compare(*pair, classes=("x", "y")).p_value for pair in ((a, b), (a, c), (b, c))]
    assert [claim.p_value for claim in family] == raw
    assert [claim.p_holm for claim in family] == pytest.approx(holm(raw))
    assert family["B", "A"].difference == -family["A", "B"].difference
    assert {claim.first for claim in family.significant} == {"A"}
    assert family.table["verdict"].tolist() == [HIGHER, HIGHER, NEITHER]
    with pytest.raises(KeyError, match="not compared"):
        family["A", "D"]
    assert len(Family([], ("x", "y"))) == 0


def test_values_of_clips_are_compared_by_subject():
    subjects = pd.Series(np.repeat([f"s{i}" for i in range(9)], 4), [f"c{i}" for i in range(36)])
    noise = pd.Series(np.random.default_rng(0).normal(0, 0.05, 36), subjects.index)
    more, less = 0.5 + noise, 0.3 - noise
    family = Family.of_values(
        [("A", more, "B", less), ("A", more, "A too", more + 0.001 * noise)], subjects, "energy"
    )
    assert [verdict(claim) for claim in family] == [HIGHER, NEITHER]
    assert family[0].difference == pytest.approx((more - less).mean())
    assert family[0].metric == "energy" and family[0].family == 2


def test_networks_are_compared_with_every_other_row(smoke_home):
    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    from elrcn.experiments import plan

    p = plan("table1", session, seeds=1)
    results = run(p, session, ("majority", "flow_sums", "elrcn_se", "elrcn_te"))
    family = network_family(p, results, draws=50)
    assert [(c.first, c.second) for c in family] == [
        ("ELRCN-TE", "ELRCN-SE"),
        *(("ELRCN-TE", other) for other in ("Largest training class", "Flow sums + linear SVM")),
        *(("ELRCN-SE", other) for other in ("Largest training class", "Flow sums + linear SVM")),
    ]
