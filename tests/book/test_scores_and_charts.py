"""Tables of scores by hand, and charts that draw what they are given."""

from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from elrcn.published.numbers import published_table
from elrcn_book import charts, scores
from elrcn_book.claims import Claim

CLASSES = ("happiness", "disgust", "others")
TRUE = ["happiness"] * 3 + ["disgust"] * 5 + ["others"] * 4
ROWS = pd.DataFrame(
    {
        "run": "r",
        "fold": ["s1", "s2"] * 6,
        "clip_id": [f"CASME2/x/{i:02}" for i in range(12)],
        "subject": ["s1", "s2"] * 6,
        "true": TRUE,
        "predicted": TRUE[:6] + ["happiness"] * 6,
        "seed": 0,
    }
)
PLAN = SimpleNamespace(
    methods=[
        SimpleNamespace(name="se", label="ELRCN-SE", published="ELRCN-SE"),
        SimpleNamespace(name="te", label="ELRCN-TE", published="ELRCN-TE"),
        SimpleNamespace(name="gone", label="Not run", published=""),
    ],
    classes=CLASSES,
    experiment=SimpleNamespace(task=SimpleNamespace(per_fold=False)),
    labels=np.array(TRUE),
    folds=[SimpleNamespace(test=np.arange(0, 12, 2)), SimpleNamespace(test=np.arange(1, 12, 2))],
)
RESULTS = {"se": ROWS, "te": ROWS.assign(predicted=ROWS["true"])}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_measured_by_hand():
    table = scores.measured(PLAN, RESULTS, draws=0)
    assert list(table.index) == ["ELRCN-SE", "ELRCN-TE"]
    assert table.loc["ELRCN-SE", "war"] == pytest.approx(6 / 12)
    assert table.loc["ELRCN-SE", "uar"] == pytest.approx((1 + 3 / 5 + 0) / 3)
    assert table.loc["ELRCN-TE", ["war", "uar", "uf1"]].tolist() == [1, 1, 1]
    assert table.loc["ELRCN-SE", "seeds"] == 1 and table.attrs["note"] == ""


def test_published_and_measured_stand_under_heads_of_their_own():
    paper = scores.published("Table I")
    both = scores.beside(PLAN, scores.measured(PLAN, RESULTS, draws=0), paper, "This run")
    assert list(both["Method"])[:2] == ["ELRCN-SE", "ELRCN-TE"]
    assert len(both) == len(paper)  # both methods repeat a row of the paper
    assert (
        both["Paper, people"]["UAR"][0]
        == f"{published_table('Table I').loc['ELRCN-SE', 'UAR']:.4f}"
    )
    assert both["This run"]["UAR"].tolist()[:2] == ["0.533", "1.000"]
    assert set(both["This run"]["UAR"][2:]) == {""}


def test_an_interval_breaks_nowhere_inside():
    assert scores.within(0.5, 0.25, 0.75) == "0.500 [0.25,\u00a00.75]"
    assert scores.within(0.5) == "0.500" and scores.within(float("nan")) == "–"


def test_answers_of_seeds_stand_once_where_they_agree():
    two = pd.concat([ROWS, ROWS.assign(seed=1, predicted="disgust")])
    table = scores.answers(PLAN, {"se": two})
    assert table.loc["CASME2/x/00"].tolist() == ["s1", "happiness", "happiness / disgust"]
    assert table.loc["CASME2/x/03", "ELRCN-SE"] == "disgust"


def test_confusion_counts():
    matrix = scores.confusion(ROWS, CLASSES)
    assert matrix.to_numpy().tolist() == [[3, 0, 0], [2, 3, 0], [4, 0, 0]]
    sizes = scores.sized_classes(PLAN)
    assert sizes == ["happiness (3)", "disgust (5)", "others (4)"]
    both = {"SE": matrix, "TE": scores.confusion(RESULTS["te"], CLASSES)}
    fig = charts.confusion_panel(both, sizes)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in fig.axes[:2]] == ["SE", "TE"]
    assert [t.get_text() for t in fig.axes[0].texts][:3] == ["3", "0", "0"]
    assert fig.axes[0].get_yticklabels()[1].get_text() == "disgust (5)"
    assert "SE: happiness 3 of 3, disgust 3 of 5, others 0 of 4" in charts.confusion_alt(
        {"SE": matrix}
    )


def test_where_folds_are_averaged_a_class_has_a_size_a_fold():
    task = SimpleNamespace(per_fold=True)
    by_fold = SimpleNamespace(**vars(PLAN) | {"experiment": SimpleNamespace(task=task)})
    assert scores.sized_classes(by_fold)[1] == "disgust (2 | 3)"


def test_dots_stand_where_the_scores_are():
    table = scores.measured(PLAN, RESULTS, draws=20)
    for fig in (charts.dots(plt.subplots()[1], table, chance=1 / 3).figure,
                charts.grouped(table, ["a", "b"], 1 / 3),):  # fmt: skip
        ax = fig.axes[0]
        assert len(ax.get_yticklabels()) == 2 and ax.get_xlabel()
    ax = charts.dots(plt.subplots()[1], table)
    (line,) = [one for one in ax.lines if len(one.get_xdata()) == 2]
    assert np.asarray(line.get_xdata(), float) == pytest.approx(table["uar"].to_numpy())


def test_only_what_is_significant_is_filled():
    sure = Claim("A", "B", "UAR", 0.2, 0.1, 0.3, 0.001, 0.002, 2)
    shy = Claim("A", "C", "UAR", 0.2, 0.1, 0.3, 0.04, 0.08, 2)
    ax = charts.differences([sure, shy]).axes[0]
    first, second = [one for one in ax.lines if one.get_marker() == "o"]
    assert first.get_markerfacecolor() != "white" == second.get_markerfacecolor()
    assert "A − C +0.200 (no significant difference)" in charts.difference_alt([sure, shy])
