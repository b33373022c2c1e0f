"""Ablations from hand-made rows: values worked by hand, groups as headings, recovered bars."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.experiments.methods import Method
from elrcn_book.ablation import (
    ablation_alt,
    ablation_figure,
    ablation_html,
    ablation_table,
)
from elrcn_book.ablation_text import chance_summary, labelled_pairs

CLASSES = ("a", "b")


def rows(true, predicted):
    frame = pd.DataFrame({"true": list(true), "predicted": list(predicted)})
    frame["subject"] = [f"s{i // 4}-{i % 2}" for i in range(len(frame))]
    frame["fold"] = frame["subject"]
    for name in CLASSES:
        frame[f"p_{name}"] = (frame["predicted"] == name).astype(float)
    return frame


METHODS = tuple(
    Method(name, label, None, group=group)
    for name, label, group in (
        ("most", "Most <frequent>", "no learning"),
        ("first", "First network", "from scratch"),
        ("second", "Second network with a label that needs two lines", "from scratch"),
        ("never", "Never run", "fine-tuned"),
    )
)
RESULTS = {
    "most": rows("aaab" * 3, "aaaa" * 3),
    "first": rows("aaab" * 3, "aabb" * 3),
    "second": rows("aaab" * 3, "aaab" * 3),
}


@pytest.fixture
def table():
    yield ablation_table(RESULTS, METHODS, CLASSES, draws=1000, recovered={"first": 0.31})
    plt.close("all")


def test_scores_by_hand(table):
    first = table.set_index("method").loc["First network"]
    assert (first["clips"], first["subjects"], first["group"]) == (12, 6, "from scratch")
    assert first["war"] == pytest.approx(3 / 4)
    assert first["uar"] == pytest.approx((2 / 3 + 1) / 2)
    assert first["uf1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert first["war_low"] <= first["war"] <= first["war_high"]
    assert first["recovered"] == 0.31 and table["recovered"].notna().sum() == 1
    assert list(table["method"]) == [m.label for m in METHODS[:3]]


def test_without_draws_there_are_no_intervals_and_no_results_are_an_error():
    table = ablation_table(RESULTS, METHODS, CLASSES, draws=0)
    assert table[["war_low", "uar_high"]].isna().all(axis=None) and "recovered" not in table
    assert "<small" not in ablation_html(table, "t")
    ablation_figure(table, "t")
    plt.close("all")
    with pytest.raises(ElrcnError):
        ablation_table({}, METHODS, CLASSES)


def test_html_has_a_heading_a_group_and_escapes(table):
    text = ablation_html(table, "figure5")
    assert text.count('scope="rowgroup"') == 2 and "From scratch" in text
    assert "Most &lt;frequent&gt;" in text and "Most <" not in text
    assert "<b>0.750</b>" in text and "0.31" in text and 'id="figure5"' in text


def test_figure_shows_headings_scores_and_recovered_bars(table):
    fig = ablation_figure(table, "A title", chance=0.5)
    (ax,) = fig.axes
    labels = [t.get_text().replace("\n", " ") for t in ax.get_yticklabels()]
    assert labels[0] == "No learning" and labels[2] == "From scratch"
    assert labels[3] == "First network" and fig.get_suptitle() == "A title"
    assert ax.get_xlabel().startswith("UAR") and ax.get_ylabel()
    dots = next(line for line in ax.lines if line.get_label().startswith("measured"))
    assert np.allclose(dots.get_xdata(), table["uar"])
    diamonds = next(line for line in ax.lines if "authors" in line.get_label())
    assert np.allclose(diamonds.get_xdata()[1], 0.31)
    # The first network's dot and diamond lie in the row of its label.
    place = ax.get_yticks()[3]
    assert abs(dots.get_ydata()[1] - place) < 0.3 and abs(diamonds.get_ydata()[1] - place) < 0.3
    text = ablation_alt(table)
    assert "First network 0.83" in text and "authors' script: First network 0.31" in text


def test_words_and_pairs(table):
    # The second network is right about every clip: its resamples do not differ, nor say how sure
    # that is. The others reach from 1/2 to 1.
    text = chance_summary(table, 0.4)
    assert text.startswith("Of 3 rows, 2 have an interval") and ": Most <frequent>; First" in text
    assert "highest UAR is 1.000 (Second network" in text and "two lines; no interval)" in text
    assert chance_summary(table, 0.5).startswith("Of 3 rows, 0 have an interval")
    assert "Below" in chance_summary(table, 1.1)
    pairs = labelled_pairs(RESULTS, METHODS, [("first", "most")])
    assert [pairs[0][0], pairs[0][2]] == ["First network", "Most <frequent>"]
    assert pairs[0][1] is RESULTS["first"]
    with pytest.raises(ElrcnError, match="never"):
        labelled_pairs(RESULTS, METHODS, [("first", "never")])
