"""Figure 9's rule of choice, its pictures and its words, on a small hand-made result."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from elrcn.experiments.attention import MAPS, summarise
from elrcn.manifest import COLUMNS, Manifest
from elrcn_book.attention_text import answer_summary, domain_summary, map_summary
from elrcn_book.figures import figure_svg
from elrcn_book.figures_attention import (
    blend,
    map_unit_figure,
    overlay_alt,
    overlay_figure,
    score_alt,
    score_figure,
)
from elrcn_book.maps import (
    KINDS,
    Overlay,
    answer_table,
    chosen_clips,
    map_scores,
    map_units,
)

UNITS = {"a": "4", "b": "4+7", "c": "12", "d": "L4 + 12B", "e": "4"}
RIGHT = {"LOSO": "bce", "CDE": "bde"}
LEVEL = {"trained": 0.6, "other": 0.4, "untrained": 0.3, "random": 0.2}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def manifest():
    rows = [
        (f"CASME2/{c}", "CASME2", f"CASME2/{i // 2}", ("f1.jpg",), 1, pd.NA, 1, 200.0, units,
         "others", "III", "")
        for i, (c, units) in enumerate(UNITS.items())
    ]  # fmt: skip
    return Manifest(pd.DataFrame(rows, columns=list(COLUMNS)), {"CASME2": "."})


@pytest.fixture
def table(manifest):
    rows = []
    for protocol, right in RIGHT.items():
        for i, (clip, subject) in enumerate(
            zip(manifest.table["clip_id"], manifest.table["subject"], strict=True)
        ):
            for kind in MAPS:
                # What is compared differs a little from clip to clip, as it does in life.
                score = LEVEL[kind] + 0.01 * i * (kind == "trained")
                score -= (0.1 - 0.02 * (i - 2)) * (protocol == "CDE")
                true = "others" if i % 2 else "disgust"
                about = (protocol, clip, subject, true, clip[-1] in right, kind)
                rows.append((*about, score, score, score, 0.1))
    columns = "protocol clip_id subject true right maps hit hit_tolerant energy mask_share".split()
    return pd.DataFrame(rows, columns=columns)


def twice(table):
    """The same clips again, of as many other subjects: six, which is enough for intervals."""
    again = table.assign(clip_id=table["clip_id"] + "'", subject=table["subject"] + "'")
    return pd.concat([table, again], ignore_index=True)


def test_clips_are_chosen_by_the_rule(table, manifest):
    # AU 4 has four clips, AU 12 two, AU 7 one; b and e were answered right under both.
    assert [c[-1] for c in chosen_clips(table, manifest)] == ["b", "c"]
    # b is taken, so AU 7 has no clip of its own; AU 12 takes c, right under one, before d.
    assert [c[-1] for c in chosen_clips(table, manifest, count=1)] == ["b"]
    # A clip that one protocol does not test is not shown.
    without = table[(table["clip_id"] != "CASME2/b") | (table["protocol"] == "LOSO")]
    assert [c[-1] for c in chosen_clips(without, manifest)] == ["e", "c"]


def test_words_follow_the_intervals(table):
    few = map_summary(summarise(table, draws=50))
    assert "more than" not in few and few.count("no interval") == 24
    table = twice(table)
    short = summarise(table, draws=200)
    text = map_summary(short)
    assert text.count("more than") == 24 and "not significantly different" not in text
    worse = table.copy()
    worse.loc[worse["maps"] == "random", ["hit", "hit_tolerant", "energy"]] = 0.9
    text = map_summary(summarise(worse, draws=200))
    assert text.count("less than random maps") == 8
    # A difference within noise is none.
    worse.loc[worse["maps"] == "random", "hit"] = np.where(np.arange(20) % 5 < 2, 0.9, 0.1)
    text = map_summary(summarise(worse, draws=200))
    assert text.count("not significantly different from random maps") == 2
    assert "energy inside the masks is more than that under CDE (+0.100" in domain_summary(
        table, 200
    )
    same = table.assign(hit=0.5, energy=0.5)
    text = map_summary(summarise(same, 50))
    assert "not significantly different from random maps (+0.000, no interval)" in text
    assert "synthetic dataset only" in map_summary(short.iloc[:0])
    assert "clips answered right" in answer_summary(answer_table(table, draws=50))


def test_table_for_readers(table):
    shown = map_scores(summarise(table, draws=50))
    assert "trained network − random maps" in set(shown["maps"])
    assert shown["energy"].iloc[0].startswith("0.620 (")


def test_units_count_clips_with_them(table, manifest):
    units = map_units(table, manifest, least=2, draws=50)
    trained = units[(units["maps"] == "trained") & (units["protocol"] == "LOSO")]
    assert dict(zip(trained["unit"], trained["clips"], strict=True)) == {4: 4, 12: 2}
    fig = map_unit_figure(units, "By unit")
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["LOSO", "CDE"]


def test_figures(table):
    frame, mask = np.full((34, 28), 128.0), np.zeros((34, 28), bool)
    mask[5:12, 6:14] = True
    cam = np.zeros((6, 6))
    cam[1, 1] = 2.0
    answers = {"LOSO": ("others", "disgust"), "CDE": ("III", "III")}
    items = [
        Overlay("CASME2/a", "4 + 7", frame, each, dict.fromkeys(answers, cam), answers)
        for each in (mask, None)
    ]
    fig = overlay_figure(items, "Where it looks")
    said = [ax.get_title(loc="left") for ax in fig.axes]
    assert "LOSO\ntrue: others\nanswer: disgust" in said
    assert len(fig.axes[0].collections) == 2 and not fig.axes[3].collections
    assert figure_svg(fig) == figure_svg(overlay_figure(items, "Where it looks"))
    assert "4 + 7" in overlay_alt(items) and "others answered disgust" in overlay_alt(items)
    short = summarise(table, draws=50)
    fig = score_figure(short, "Scores")
    assert fig.axes[0].get_yticklabels()[0].get_text() == "LOSO: trained network"
    assert len(fig.axes) == 4 and all(ax.get_xlabel() for ax in fig.axes)
    assert all(ax.get_ylabel() for ax in fig.axes[::2])
    assert all(KINDS[kind] in score_alt(short) for kind in MAPS)


def test_blending_keeps_the_face_and_shows_the_peak():
    frame = np.tile(np.linspace(0, 255, 40), (40, 1))
    cam = np.zeros((4, 4))
    cam[0, 0] = 3.0
    image = blend(frame, cam)
    assert image.shape == (40, 40, 3) and 0 <= image.min() and image.max() <= 1
    assert image[30, 39].mean() > image[30, 0].mean()
    assert image[0, 0, 1] > image[39, 0, 1] + 0.2
    np.testing.assert_array_equal(blend(frame, 2 * cam), image)
