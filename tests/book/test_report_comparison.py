"""Comparisons in a table, in words and in a picture say the same."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from elrcn_book.comparison import (
    COLUMNS,
    comparison_alt,
    comparison_digest,
    comparison_figure,
    comparison_summary,
    comparison_table,
    decision_digest,
    decision_html,
    decision_table,
    verdict,
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


def test_decisions_stand_beside_the_differences(table):
    good, poor = rows_of(0.9), rows_of(0.3)
    pairs = [("good", good, "poor", poor), ("poor", poor, "good", good), ("good", good, "x", good)]
    found = decision_table(table, pairs, CLASSES)
    pd.testing.assert_frame_equal(found[list(COLUMNS)], table)
    assert found["p_better"].tolist() == [1, 0, 0.5]  # every draw; none; all ties
    assert found["detectable"].iloc[0] == found["detectable"].iloc[1] > found["detectable"].iloc[2]
    assert found["advice"].str.contains("and meaningful").tolist() == [True, True, False]
    digest = decision_digest(found, 8)
    assert "2 of 3 differences are meaningful" in digest and "about 32 subjects" in digest
    html = decision_html(found, "t")
    assert html.count("<tr>") == 4 and "+0.600 [" in html and "1.00" in html


@pytest.fixture
def differences():
    """Rows of every kind; the fourth's interval excludes 0, but not its p-value the correction."""
    rows = [
        ("net", "base", 0.2, 0.1, 0.3, 0.001, 0.004),
        ("net", "sums", -0.15, -0.25, -0.05, 0.002, 0.006),
        ("net", "other", 0.02, -0.1, 0.15, 0.7, 0.7),
        ("other", "base", 0.1, 0.01, 0.2, 0.04, 0.08),
        ("other", "sums", -0.1, -0.2, 0.01, 0.01, 0.03),
        ("few", "base", 0.1, np.nan, np.nan, 0.01, 0.03),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_interval_and_test_must_agree(differences):
    words = [verdict(row) for _, row in differences.iterrows()]
    assert words == ["higher", "lower", *["no significant difference"] * 4]


def test_digest_names_the_better_method_first_and_the_rest_together(differences):
    lines = comparison_digest(differences).splitlines()
    assert lines[0].startswith("2 of 6 differences in UAR are significant")
    better, none = "has a higher UAR than", "- No significant difference between"
    assert lines[1:] == [
        "",
        f"- **net** {better} **base**: +0.200 (95% interval +0.10 to +0.30), p = 0.004.",
        f"- **sums** {better} **net**: +0.150 (95% interval +0.05 to +0.25), p = 0.006.",
        f"{none} **net** and other (+0.020; -0.10 to +0.15).",
        f"{none} **other** and base (+0.100; +0.01 to +0.20; p = 0.080), "
        "sums (-0.100; -0.20 to +0.01).",
        f"{none} **few** and base (+0.100; no interval).",
    ]
    assert comparison_digest(differences.iloc[:1]).startswith("1 of 1 differences in UAR is ")
    assert comparison_digest(differences.iloc[2:]).startswith("None of 4 differences in UAR is ")


def test_words_and_picture_follow_interval_and_test(table):
    lines = comparison_summary(table).splitlines()
    assert "**good** has a higher UAR than **poor**: +0.600" in lines[0]
    assert lines[0].endswith("; p = 0.023 after Holm's correction.")
    assert "**poor** has a lower UAR than **good**" in lines[1]
    nothing = "No significant difference in UAR between **good** and **x**: +0.000 (no interval)"
    assert nothing in lines[2]
    assert "Holm" not in comparison_summary(table.iloc[:1])
    doubtful = comparison_summary(table.assign(p_holm=0.06)).splitlines()
    assert all("No significant difference" in line for line in doubtful)
    alt = comparison_alt(table)
    assert alt.count("no significant difference") == 1 and "(lower)" in alt
    fig = comparison_figure(table, "Three pairs")
    ax = fig.axes[0]
    assert ax.get_title(loc="left") == "Three pairs" and "UAR" in ax.get_xlabel()
    assert [t.get_text() for t in fig.legends[0].get_texts()] == [
        "higher",
        "lower",
        "no significant difference",
    ]
    plt.close(fig)
