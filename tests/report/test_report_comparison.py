"""Comparisons in a table, in words and in a picture say the same."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from elrcn.report.comparison import (
    COLUMNS,
    comparison_alt,
    comparison_figure,
    comparison_summary,
    comparison_table,
)

CLASSES = ("a", "b")


def rows_of(share):
    true = np.tile(["a", "b"], 40)
    subject = np.arange(80) // 10
    # The poorer method is a clip better about one subject and a clip worse about another.
    lean = ((subject == 0).astype(int) - (subject == 1)) * (share < 0.5)
    wrong = np.arange(80) % 10 >= 10 * share + lean
    return pd.DataFrame(
        {
            "fold": "all",
            "clip_id": [f"c{i}" for i in range(80)],
            "subject": [f"s{i // 10}" for i in range(80)],
            "true": true,
            "predicted": np.where(wrong, np.where(true == "a", "b", "a"), true),
        }
    )


@pytest.fixture
def table():
    good, poor = rows_of(0.9), rows_of(0.3)
    pairs = [("good", good, "poor", poor), ("poor", poor, "good", good), ("good", good, "x", good)]
    return comparison_table(pairs, CLASSES, draws=200)


def test_table(table):
    assert tuple(table.columns) == COLUMNS
    assert table["difference"].tolist() == pytest.approx([0.6, -0.6, 0])
    # All eight subjects swapped or none: 2 of 256 swaps are as extreme; Holm takes 3 tests.
    assert table["p_value"].tolist() == pytest.approx([2 / 256, 2 / 256, 1])
    assert table["p_holm"].tolist() == pytest.approx([6 / 256, 6 / 256, 1])


def test_words_and_picture_follow_the_intervals(table):
    lines = comparison_summary(table).splitlines()
    assert "**good** has a higher UAR than **poor**" in lines[0] and "+0.600" in lines[0]
    assert "**poor** has a lower UAR than **good**" in lines[1]
    assert "**good** is not told apart from **x** in UAR: +0.000 (no interval)." in lines[2]
    assert "p = 0.023 after" in lines[0] and "luck" not in lines[0]
    assert "p = 0.060 after Holm's correction, so among 3 comparisons it may be luck" in (
        comparison_summary(table.assign(p_holm=0.06))
    )
    alt = comparison_alt(table)
    assert alt.count("not told apart") == 1 and "(lower)" in alt
    fig = comparison_figure(table, "Three pairs")
    ax = fig.axes[0]
    assert ax.get_title(loc="left") == "Three pairs" and "UAR" in ax.get_xlabel()
    assert [t.get_text() for t in fig.legends[0].get_texts()] == [
        "higher",
        "lower",
        "not told apart",
    ]
    plt.close(fig)
