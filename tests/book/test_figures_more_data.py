"""The page about more data says and draws what the numbers are."""

import cv2
import numpy as np
import pandas as pd
import pytest

from elrcn_book import figures_more_data as figures
from elrcn_book.figures import figure_svg
from elrcn_book.more_data_text import length_summary

LENGTHS = {
    "SE, T = 6": ("SE", 6), "SE, T = 10": ("SE", 10), "SE, no TIM": ("SE", 0),
    "TE, T = 6": ("TE", 6), "TE, T = 10": ("TE", 10), "TE, no TIM": ("TE", 0),
}  # fmt: skip


@pytest.fixture
def table():
    scores = pd.DataFrame(
        {
            "method": ["Largest", *list(LENGTHS)[:-1]],
            "uar": [0.2, 0.31, 0.35, 0.28, 0.41, 0.33],
            "uar_low": [0.2, 0.25, 0.3, 0.2, 0.3, 0.3],
            "uar_high": [0.2, 0.4, 0.4, 0.3, 0.5, 0.4],
        }
    )
    return figures.length_table(scores, LENGTHS)


def test_scores_are_picked_by_network_and_length(table):
    assert list(table["network"]) == ["SE"] * 3 + ["TE"] * 2
    assert list(table["T"]) == ["6", "10", "none", "6", "10"]
    assert list(table["score"]) == [0.31, 0.35, 0.28, 0.41, 0.33]
    assert "SE: 0.31 at 6, 0.35 at 10, 0.28 without TIM; TE:" in figures.length_alt(table)


def test_words_follow_the_numbers(table):
    se, te = length_summary(table, 10).splitlines()
    assert "**SE**: highest UAR at T = 10 (0.350), lowest without TIM (0.280)." in se
    assert "highest UAR at T = 6 (0.410), lowest at T = 10 (0.330)." in te
    table.loc[1, "score"] = 0.30
    assert "0.300 at the paper's T = 10" in length_summary(table, 10).splitlines()[0]


def test_line_of_lengths_leaves_out_no_tim(table):
    fig = figures.length_figure(table, "title", chance=0.2)
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.get_xticklabels()] == ["6", "10", "no TIM"]
    joined = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata())]
    assert [len(line.get_xdata()) for line in joined if line.get_marker() == "None"][-2:] == [2, 2]
    assert figure_svg(fig) == figure_svg(figures.length_figure(table, "title", chance=0.2))


def test_views_measure_flow_against_its_own_transform():
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    first = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 20, 235, cv2.NORM_MINMAX)
    second = np.roll(first, (0, 1), (0, 1))
    views = figures.make_views(first, second, "ipol")
    table = figures.view_table(views)
    assert [v.name for v in views] == ["plain", *table.index]
    assert (table["share"] < 0.15).all()
    # A mirrored picture of a field that points right would still point right: 2 px off.
    assert table.loc["mirror", "as a picture"] == pytest.approx(2, abs=0.2)
    assert table.loc["crop", "motion"] == pytest.approx(1 / 0.9, abs=0.1)
    fig = figures.views_figure(views, "clip")
    every = [*fig.axes, *(inset for ax in fig.axes for inset in ax.child_axes)]
    titles = {ax.get_title(loc) for ax in every for loc in ("left", "center")} - {""}
    assert titles == {v.name for v in views} | {"colour key"}
