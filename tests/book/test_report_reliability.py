"""Tables and figures of the page on statistics say what the rows say."""

from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from elrcn.evaluation.metrics import pooled
from elrcn_book import comparison, leak
from elrcn_book import figures_statistics as figures
from elrcn_book import reliability as report
from elrcn_book.figures import figure_svg

CLASSES = ("a", "b")


def rows_of(seed, skill=0.6, subjects=8, clips=6, alike=False):
    """Clips answered right with chance `skill`; all of a subject alike if `alike`."""
    g = np.random.default_rng(seed)
    number = subjects * clips
    right = np.repeat(g.random(subjects) < skill, clips) if alike else g.random(number) < skill
    true = np.tile(["a", "b"], number // 2)
    rows = pd.DataFrame(
        {
            "fold": "all",
            "clip_id": [f"c{i}" for i in range(number)],
            "subject": np.repeat([f"s{i}" for i in range(subjects)], clips),
            "true": true,
            "predicted": np.where(right, true, np.where(true == "a", "b", "a")),
        }
    )
    return rows.assign(p_a=0.5, p_b=0.5)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_seeds():
    runs = {"SE": {s: rows_of(s) for s in range(3)}, "TE": {s: rows_of(7) for s in range(3)}}
    table = report.seed_table(runs, CLASSES, draws=200)
    assert table["uar"][0] == pooled(runs["SE"][0])["uar"]
    spread = report.seed_spread(runs, table, draws=200)
    uar = [pooled(r)["uar"] for r in runs["SE"].values()]
    assert spread.loc["SE", "sd_over_seeds"] == pytest.approx(np.std(uar, ddof=1))
    assert spread.loc["SE", "best_seed_gain"] == pytest.approx(max(uar) - np.mean(uar))
    assert spread.loc["TE", ["sd_over_seeds", "best_seed_gain"]].tolist() == pytest.approx([0, 0])
    spread.loc["SE", "sd_over_seeds"] = 1.0
    lines = report.seed_summary(spread).splitlines()
    assert "the seeds weigh more" in lines[0] and "the subjects weigh more" in lines[1]
    fig = figures.seed_figure(table, "Seeds", 0.5)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == [
        "seed 0", "seed 1", "seed 2", "seed 0", "seed 1", "seed 2",
    ]  # fmt: skip


def test_clips_of_a_subject_that_are_alike_make_clip_intervals_too_narrow():
    runs = {"alike": rows_of(1, alike=True), "unlike": rows_of(1)}
    table = report.unit_table(runs, CLASSES, draws=500)
    assert table.loc["alike", "ratio"] > 1.5 and table.loc["unlike", "ratio"] < 1.3
    assert "for 1 of 1 methods that have both" in report.unit_summary(table.loc[["alike"]])
    for fig in (
        figures.unit_figure(table, "Units"),
        figures.resampling_figure(runs["alike"], CLASSES, "Resamples", draws=200),
    ):
        ax = fig.axes[0]
        assert ax.get_title(loc="left") and ax.get_xlabel() and ax.get_ylabel()
        assert figure_svg(fig) == figure_svg(fig)


@pytest.mark.filterwarnings("error")
def test_few_subjects_have_pages_without_intervals():
    rows, other = rows_of(1, subjects=4), rows_of(2, subjects=4)
    runs = {"SE": {0: rows, 1: other}}
    seeds = report.seed_table(runs, CLASSES, draws=50)
    spread = report.seed_spread(runs, seeds, draws=50)
    assert seeds[["uar_low", "uar_high"]].isna().all(axis=None) and spread["gain_low"].isna().all()
    units = report.unit_table({"SE": rows}, CLASSES, draws=50)
    assert units["clips_low"].notna().all() and "No method" in report.unit_summary(units)
    pairs = comparison.comparison_table([("a", rows, "b", other)], CLASSES, draws=50)
    decisions = comparison.decision_table(pairs, [("a", rows, "b", other)], CLASSES)
    assert "0 of 1 differences are meaningful" in comparison.decision_digest(decisions, 4)
    assert "no interval" in comparison.comparison_summary(pairs)
    by_epochs = {1: rows, 5: other}
    leaks = {"SE": leak.leak_table(by_epochs, rows, CLASSES, draws=50)}
    words = [leak.leak_summary(leaks), report.seed_summary(spread)]
    assert "no interval" in words[0] and not any("nan" in text for text in words)
    curves = figures.epoch_table({"SE": by_epochs}, CLASSES)
    for fig in (
        figures.seed_figure(seeds, "Seeds", 0.5),
        figures.unit_figure(units, "Units"),
        figures.resampling_figure(rows, CLASSES, "Resamples", draws=50),
        figures.leak_figure(curves, leaks, "Leak", 0.5),
        comparison.comparison_figure(pairs, "Pairs"),
        comparison.comparison_figure(pairs.iloc[:0], "None"),
    ):
        fig.draw_without_rendering()
    assert "no difference" in comparison.comparison_alt(pairs.iloc[:0])


def test_pairs_hold_a_network_each_and_none_twice():
    methods = [
        SimpleNamespace(name=n, label=n.upper())
        for n in ("majority", "lbp_top", "elrcn_se", "elrcn_te")
    ]
    results = {m.name: rows_of(0) for m in methods}
    pairs = {(a, b) for a, _, b, _ in report.network_pairs(methods, results)}
    assert pairs == {
        ("ELRCN_TE", "ELRCN_SE"), ("ELRCN_TE", "MAJORITY"), ("ELRCN_TE", "LBP_TOP"),
        ("ELRCN_SE", "MAJORITY"), ("ELRCN_SE", "LBP_TOP"),
    }  # fmt: skip


def test_accuracies_stand_beside_the_exact_bounds_of_chance():
    methods = [SimpleNamespace(name=n, label=n.upper()) for n in ("same", "right")]
    rows = rows_of(0)
    right = rows.assign(predicted=rows["true"])
    text = report.chance_bounds({"same": rows, "right": right}, methods, CLASSES)
    n, largest = len(rows), rows["true"].value_counts().max()
    for chance in (1 / len(CLASSES), largest / n):
        least = next(k for k in range(n + 1) if binom.sf(k - 1, n, chance) <= 0.05)
        assert f"{least / n:.3f} is needed" in text and f"({chance:.2f})" in text
    assert text.count("RIGHT (1.000)") == 2 and f"{n} clips" in text


def test_leak_table_and_picture():
    by_epochs = {k: rows_of(k) for k in (1, 5, 20)}
    table = leak.leak_table(by_epochs, rows_of(3), CLASSES, draws=200)
    assert list(table.index) == list(leak.RULES)
    assert table.loc["oracle", "uar"] >= table.loc["best", "uar"] >= table.loc["last", "uar"]
    assert table.loc["others", "gain"] == 0 and table.loc["oracle", "gain"] > 0
    gap = table.loc["oracle", "uar"] - table.loc["last", "uar"]
    assert table.loc["oracle", "over_last"] == pytest.approx(gap)
    assert table.loc["last", "epochs"] == "20" and table.loc["table", "epochs"] == ""
    curves = figures.epoch_table({"SE": by_epochs}, CLASSES)
    assert curves.index.tolist() == [1, 5, 20]
    assert curves.loc[20, "SE"] == table.loc["last", "uar"]
    fig = figures.leak_figure(curves, {"SE": table}, "Leak", 0.5)
    assert fig.axes[0].get_xlabel() and len(fig.legends[0].get_texts()) == 5
    assert f"{table.loc['oracle', 'uar']:.3f}" in leak.leak_summary({"SE": table})
    assert "SE: UAR" in figures.leak_alt(curves, {"SE": table})
