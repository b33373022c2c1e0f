"""Pictures and words about the authors' code."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from elrcn.config import PROFILES
from elrcn.errors import ElrcnError
from elrcn.experiments import get_experiment
from elrcn.experiments.quirks import base_of
from elrcn.published.numbers import load_user_reports
from elrcn_book import figures_quirks as figures
from elrcn_book import quirk_answers as answers
from elrcn_book.ablation import ablation_table
from elrcn_book.comparison import comparison_alt, comparison_figure
from elrcn_book.figures import figure_svg
from elrcn_book.user_reports import reports_summary, reports_table

CLASSES = ("a", "b")
METHODS = get_experiment("quirks").methods


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def constant(answer="a"):
    """The same clips, all answered with one class."""
    return rows(4).assign(predicted=answer)


def rows(right):
    """Ten subjects of four clips; `right` of each subject's four are answered right.

    Unless all or none are: then one more of the first subject's and one less of the second's.
    """
    true = ["a", "b", "a", "b"] * 10
    other = {"a": "b", "b": "a"}
    more = {0: 1, 1: -1} if 0 < right < 4 else {}
    predicted = [t if k % 4 < right + more.get(k // 4, 0) else other[t] for k, t in enumerate(true)]
    subjects = [f"s{k // 4}" for k in range(40)]
    return pd.DataFrame(
        {"run": "r", "fold": subjects, "clip_id": [str(k) for k in range(40)],
         "subject": subjects, "true": true, "predicted": predicted, "p_a": 0.5, "p_b": 0.5}
    )  # fmt: skip


@pytest.fixture
def results():
    right = {"flow": 4, "flow-reshape_layout": 1, "flow-uint8_flow": 4, "flow-as_the_code_ran": 2,
             "elrcn_se": 3, "elrcn_se-reshape_layout": 3}  # fmt: skip
    return {name: rows(n) for name, n in right.items()}


def test_flow_counts_and_quantisation_by_hand():
    # 0 and -0.01 px are below half a step; 0.06 px is nearly one; 9 px is clipped.
    flow = np.array([[[0.0, 0.0], [0.06, 0.0], [-0.01, 0.0], [9.0, 0.0]]])
    counts = figures.flow_counts([flow, flow])
    assert counts.sum().tolist() == [1, 1]
    levels = figures.quantised(counts)
    assert levels.loc[127, "components"] == 0 and levels.loc[128, "components"] == 6 / 8
    assert levels.loc[129, "components"] == 1 / 8 and levels.loc[129, "px"] == 1 / 16
    facts = figures.quantisation_facts(counts)
    assert facts["still"] == 1 / 2 and facts["zero"] == 6 / 8 and facts["clipped"] == 1 / 8
    # A third channel is the speed itself.
    fast = np.dstack([flow, np.full(flow.shape[:2], 1.0)])
    assert figures.flow_counts([fast])["speed"].loc[1.0] == 1


def test_levels_are_those_of_the_8_bit_picture():
    flow = np.random.default_rng(0).normal(0, 1, (50, 50, 2)).astype(np.float32)
    levels = figures.stored_image(flow)[..., :2].astype(int)
    counted = figures.quantised(figures.flow_counts([flow]))["components"] * levels.size
    expected = np.bincount(levels.ravel(), minlength=256)
    np.testing.assert_allclose(counted.to_numpy(), expected, atol=1e-6)


def test_figures_have_titles_axes_and_stable_bytes():
    flow = np.random.default_rng(1).normal(0, 1, (24, 24, 2))
    for make in (
        lambda: figures.layout_figure(figures.stored_image(flow), ("p", "q", "|v|"), "t"),
        lambda: figures.quantisation_figure({"x": figures.flow_counts([flow])}, "t"),
    ):
        fig = make()
        assert fig.get_suptitle() == "t" and fig.axes[0].get_title("left")
        assert figure_svg(fig) == figure_svg(make())
    top, bottom = fig.axes
    assert "px" in top.get_xlabel() and "px" in bottom.get_xlabel() and bottom.get_ylabel()


def test_differences_pair_each_switch_with_its_own_base(results):
    table = answers.switch_differences(results, METHODS, CLASSES, draws=200)
    assert table["group"].tolist() == ["Flow, VGG fine-tuned, LSTM"] * 3 + ["ELRCN-SE"]
    assert table["difference"].tolist() == pytest.approx([-0.75, 0, -0.5, 0])
    part = answers.family(table, "ELRCN-SE")
    assert len(part) == 1 and part.attrs["metric"] == "uar"


def test_table_says_what_each_switch_did(results):
    differences = answers.switch_differences(results, METHODS, CLASSES, draws=200)
    table = answers.switches_table(differences, METHODS).set_index("switch")
    assert table.loc["reshaped layout", "Flow, VGG fine-tuned, LSTM"].startswith("lower: -0.750")
    assert table.loc["reshaped layout", "ELRCN-SE"].startswith("no significant difference")
    assert table.loc["sigmoid outputs", "ELRCN-SE"] == ""
    assert not table["code"].eq("").any() and not table["option"].eq("").any()
    html = answers.switches_html(table.reset_index(), "x")
    assert html.count("rowgroup") == len(table) and "Quirks(reshape_layout=True)" in html


def differences_of(results):
    return answers.switch_differences(results, METHODS, CLASSES, draws=200)


def test_answer_follows_the_numbers(results):
    def said(results):
        scores = ablation_table(results, METHODS, CLASSES, draws=200)
        return answers.answer(scores, differences_of(results), 0.5)

    text = said(results)
    assert "With *all: as the code ran* it is 0.500 (-0.500" in text
    assert "these differ from no switch: *reshaped layout*" in text
    assert "of the score" not in text
    text = said(results | {"flow-reshape_layout": rows(4), "flow-as_the_code_ran": rows(4)})
    assert "Of the 2 switches alone none differs significantly" in text
    text = said(results | {"flow": rows(2)})
    assert "nothing can be told" in text


def test_a_collapse_is_no_finding(results):
    results |= {"flow-raw_scale": constant(), "flow-as_the_code_ran": constant("b")}
    assert answers.one_answer(constant()) == 1 and answers.one_answer(rows(4)) == 0.5
    differences = differences_of(results)
    assert not differences["switch"].isin(["raw_scale", "as_the_code_ran"]).any()
    assert set(differences.attrs["unsettled"]) == {"flow-raw_scale", "flow-as_the_code_ran"}
    table = answers.switches_table(differences, METHODS).set_index("switch")
    assert "collapses" in table.loc["other input scale", "Flow, VGG fine-tuned, LSTM"]
    scores = ablation_table(results, METHODS, CLASSES, draws=200)
    assert "as the code ran" not in answers.answer(scores, differences, 0.5)
    _, candidates, open_ = answers.standing(differences, METHODS).split("\n\n")
    assert "*reshaped layout* in *Flow, VGG fine-tuned, LSTM*" in candidates
    assert "*other input scale* in *Flow, VGG fine-tuned, LSTM*: the network collapses" in open_


@pytest.mark.parametrize("answer", ["a", "b"])
def test_a_collapsed_base_leaves_its_family_unsettled(results, answer):
    # Sound switches as well: there is nothing to hold them against.
    flow = {"flow-reshape_layout", "flow-uint8_flow", "flow-as_the_code_ran"}
    differences = differences_of(results | {"flow": constant(answer)})
    assert set(differences.attrs["unsettled"]) == flow
    assert differences["group"].tolist() == ["ELRCN-SE"]
    assert all("without a switch" in r for r in differences.attrs["unsettled"].values())


@pytest.mark.filterwarnings("error")
def test_where_all_collapse_no_difference_stands(results):
    results = {name: constant() for name in results}
    differences = differences_of(results)
    assert differences.empty and len(differences.attrs["unsettled"]) == 4
    scores = ablation_table(results, METHODS, CLASSES, draws=50)
    assert answers.answer(scores, differences, 0.5).count("None of its switches") == 2
    _, candidates, open_ = answers.standing(differences, METHODS).split("\n\n")
    assert "no switch could be measured" in candidates and open_.count("collapses") == 4
    part = answers.family(differences, "ELRCN-SE")
    assert figure_svg(comparison_figure(part, "t")) and "no difference" in comparison_alt(part)
    assert "collapses" in answers.switches_table(differences, METHODS)["ELRCN-SE"].max()


def test_folds_of_one_clip_are_no_collapse(results):
    single = {name: r.assign(fold=r["clip_id"]) for name, r in results.items()}
    assert np.isnan(answers.one_answer(single["flow"]))
    assert not answers.unsettled(single, METHODS)
    # Only folds that could have had two answers count: here the first, of which half say "a".
    mixed = rows(4)
    mixed["fold"] = ["first"] * 4 + [f"f{k}" for k in range(36)]
    assert answers.one_answer(mixed) == 0.5


def test_labels_that_do_not_change_cannot_be_measured(results):
    same = results | {"flow-substring_label": rows(4)}
    (reason,) = differences_of(same).attrs["unsettled"].values()
    assert "cannot be measured" in reason
    # Where one changes, networks are compared on the sheet's labels.
    changed = rows(4)
    changed.loc[0, ["true", "predicted"]] = "b"  # one of 20 clips of a
    part = differences_of(results | {"flow-substring_label": changed}).set_index("switch")
    assert part.loc["substring_label", "difference"] == pytest.approx(-0.5 / 20)


def test_the_protocol_is_called_what_it_is():
    p = SimpleNamespace(protocol="leaving out 3 groups of subjects in turn")
    assert "not the protocol of Table I" in answers.protocol_note(p)
    assert "as in Table I" in answers.protocol_note(SimpleNamespace(protocol="LOSO"))


def test_reservations_are_those_of_the_run():
    text = answers.reservations(True, PROFILES["demo"])
    rate = PROFILES["demo"].spatial_train.lr / PROFILES["paper"].spatial_train.lr
    assert "synthetic" in text and f"{rate:.0f} times the paper's learning rate" in text
    text = answers.reservations(False, PROFILES["paper"])
    assert "synthetic" not in text and "learning rate" not in text and "published" in text


def test_every_switch_is_documented():
    for method in METHODS:
        if base_of(method):
            assert method.label and len(method.label) <= 40


def test_user_reports_stand_beside_the_paper(tmp_path):
    reports = load_user_reports()
    table = reports_table(reports).set_index("who")
    assert table.loc["ELRCN-TE", "WAR"] == 0.5244
    (war,) = reports[(reports["report"] == "issue 28") & (reports["metric"] == "WAR")]["value"]
    assert war == 89 / 246
    assert table.loc["largest class, always", "WAR"] == pytest.approx(99 / 246)
    text = reports_summary(table.reset_index(), 5)
    assert "53% of ELRCN-TE's" in text and text.count("below that of always") == 2
    with pytest.raises(ElrcnError, match="missing"):
        load_user_reports(tmp_path / "none.csv")
    reports.assign(value=1.5).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(ElrcnError, match="outside"):
        load_user_reports(tmp_path / "bad.csv")
