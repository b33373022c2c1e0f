"""The page of speed: the bench's table, growth, rooflines, durations, a GPU's hours."""

import json

import numpy as np
import pandas as pd
import pytest

from elrcn.config import PROFILES
from elrcn.errors import ElrcnError
from elrcn.estimate import vgg_cost
from elrcn.evaluation.store import RunStore
from elrcn.workspace import Workspace
from elrcn_book import durations, performance
from elrcn_book import figures_performance as figures
from elrcn_book.figures import figure_svg

COLUMNS = [
    "stage", "what", "size", "threads", "rounds", "ms", "ratio", "ratio_low", "ratio_high",
    "yardstick", "goal", "peak_mb", "agreement", "tolerance", "note",
]  # fmt: skip


def row(stage, what, size, ms, note="", **other):
    return {"stage": stage, "what": what, "size": size, "threads": 1, "rounds": 5, "ms": ms,
            "note": note, **other}  # fmt: skip


def ratio(value, goal=None, **other):
    spread = {"ratio": value, "ratio_low": 0.9 * value, "ratio_high": 1.1 * value}
    return {**spread, "goal": goal, "yardstick": "slow", **other}


@pytest.fixture
def bench(tmp_path):
    rows = [
        row("tvl1", "slow", "pair", 700, **ratio(1)),
        row("tvl1", "ours", "pair", 14, **ratio(50, 30, agreement=1e-5, tolerance=1e-3)),
        row("strain", "ours", "frame", 1, **ratio(90, 20, agreement=1e-2, tolerance=1e-5)),
        row("training", "ours", "fold", 100, **ratio(2.0, 2.3)),
        row("training", "ours", "step", np.nan, "not measured", goal=1.0),
        *(row("growth", "work against pixels", f"{n} pixels", n**1.5, peak_mb=n / 10,
              **ratio(1)) for n in (100, 200, 400)),
        *(row("growth", "work against clips", f"{n} clips", 3 * n, peak_mb=3.0 + n / 99,
              **ratio(1)) for n in (8, 16, 32)),
        row("roofline", "roof: memory", "triad", 1000, "2e9 operations, 1.2e10 bytes"),
        row("roofline", "roof: second cache", "triad", 500, "2e9 operations, 1.2e10 bytes"),
        row("roofline", "roof: arithmetic", "matrix", 1000, "8e10 operations, 1e9 bytes"),
        row("roofline", "sweep", "64 x 64", 1000, "1.2e10 operations, 1.2e10 bytes"),
        row("roofline", "step", "64 x 64", 1000, "4e10 operations, 1e9 bytes"),
    ]  # fmt: skip
    pd.DataFrame(rows).reindex(columns=COLUMNS).to_csv(tmp_path / "bench.csv", index=False)
    machine = {"cpu": "A", "cores": 2, "memory_gb": 8.0, "load_before": [0.1], "date": "today"}
    (tmp_path / "bench_machine.json").write_text(json.dumps(machine))
    table, about = performance.load_bench(tmp_path)
    assert performance.machine_text(about) == "A, 2 cores, 8 GB, load 0.1 before, today"
    return table


def test_a_goal_counts_only_if_results_agree(bench):
    table = performance.peer_table(bench)
    verdicts = ["", "met", "missed: results differ", "missed", "not measured"]
    assert list(table["verdict"]) == verdicts
    text = performance.goal_summary(bench)
    assert "1 of 4 goals are met" in text
    assert "90 where 20 was wanted; results differ by 0.01" in text
    assert "2 where 2.3 was wanted" in text and "Not measured: training" in text


def test_exponents_are_those_of_the_law(bench):
    fitted = performance.exponents(performance.growth_table(bench)).set_index("axis")
    assert fitted.loc["pixels", "time"] == pytest.approx(1.5)
    assert fitted.loc["pixels", "memory"] == pytest.approx(1)
    assert fitted.loc["clips", "time"] == pytest.approx(1)
    assert fitted.loc["clips", "memory"] == 0
    text = performance.growth_summary(fitted.reset_index())
    assert "time of work against pixels (1.50)" in text and "clips" not in text
    assert "Nothing grows" in performance.growth_summary(fitted.loc[["clips"]].reset_index())


def test_share_is_of_the_lower_roof(bench):
    table = performance.roofline_table(bench).set_index("kernel")
    assert table.loc["sweep", "intensity"] == pytest.approx(1)
    # Second cache: 24 GB/s, so 24 GFLOP/s at most; the step is below the arithmetic peak.
    assert table.loc["sweep", "share"] == pytest.approx(0.5)
    assert table.loc["step", "share"] == pytest.approx(0.5)
    assert table.loc[["memory", "arithmetic"], "share"].isna().all()


def test_figures_are_drawn_alike_twice(bench):
    growth = performance.growth_table(bench)
    for draw in (
        lambda: figures.goal_figure(performance.peer_table(bench), "t"),
        lambda: figures.roofline_figure(performance.roofline_table(bench), "t"),
        lambda: figures.growth_figure(growth, performance.exponents(growth), "t"),
        lambda: figures.bar_figure(["a", "b"], [2.0, 1.0], "t", "s"),
    ):
        assert figure_svg(draw()) == figure_svg(draw())


def test_a_table_without_some_stages_is_shown_as_far_as_it_goes(bench):
    part = bench[bench["stage"] == "tvl1"]
    growth = performance.growth_table(part)
    fitted = performance.exponents(growth)
    assert growth.empty and "not measured" in performance.growth_summary(fitted)
    for figure in (
        figures.growth_figure(growth, fitted, "t"),
        figures.roofline_figure(performance.roofline_table(part), "t"),
        figures.bar_figure([], [], "t", "s"),
    ):
        assert figure_svg(figure)


def test_missing_or_foreign_table_is_told(tmp_path):
    with pytest.raises(ElrcnError, match="cannot be read"):
        performance.load_bench(tmp_path)
    (tmp_path / "bench.csv").write_text("stage,what\na,b\n")
    (tmp_path / "bench_machine.json").write_text("{}")
    with pytest.raises(ElrcnError, match="lacks the columns"):
        performance.load_bench(tmp_path)


def test_pages_of_the_profile_by_their_receipts(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.executed.mkdir(parents=True)
    for page, profile, seconds in (("a", "demo", 3), ("b", "demo", 60.5), ("c", "smoke", 99)):
        receipt = {"page": page, "parameters": {"profile": profile}, "seconds": seconds,
                   "started": "now"}  # fmt: skip
        (workspace.executed / f"{page}.receipt.json").write_text(json.dumps(receipt))
    (workspace.executed / "half.receipt.json").write_text('{"page": "hal')
    assert list(durations.page_times("demo", workspace, but="b")["page"]) == ["a"]
    table = durations.page_times("demo", workspace)
    assert list(table["page"]) == ["b", "a"] and table["seconds"].sum() == 63.5
    assert "2 pages were executed" in durations.page_summary(table)
    assert "No page" in durations.page_summary(durations.page_times("paper", workspace))


def test_folds_of_the_latest_run(tmp_path):
    workspace = Workspace(tmp_path)
    card = {"experiment": "table1", "method": "se", "profile": "demo"}
    store = RunStore(workspace.runs / "table1" / "se-1", card)
    for fold, fit in (("s1", 2.0), ("s2", 4.0), ("s3", 9.0)):
        store.add_timing(fold, fit_s=fit, predict_s=0.5)
    # As two processes leave it that begin the file at once.
    with open(store.folder / "timing.csv", "a") as file:
        file.write("fold,fit_s,predict_s\n")
    RunStore(workspace.runs / "table1" / "te-1", {**card, "method": "te"})
    RunStore(workspace.runs / "table1" / "x-1", {**card, "profile": "smoke"}).add_timing(
        "s1", fit_s=1, predict_s=1
    )
    table = durations.fold_times("demo", workspace)
    assert table.to_dict("records") == [
        {"experiment": "table1", "method": "se", "folds": 3, "median_s": 4.5, "total_s": 16.5}
    ]


def test_gpu_hours_by_hand():
    table = durations.gpu_table()
    one = table[(table["table"] == "Table I") & (table["method"] == "ELRCN-SE")].iloc[0]
    paper = PROFILES["paper"]
    each = vgg_cost(paper.vgg, 5, 5).training_flops
    # 246 clips of 26 subjects: every clip is trained on in 25 folds; 9 frames, 100 epochs.
    assert one["pflop"] == pytest.approx(246 * 25 * 9 * 100 * each / 1e15)
    hours = durations.gpu_hours(table, 0.5)
    assert hours["Tables I to III"] == pytest.approx(table["pflop"].sum() / 989 / 0.5 / 3.6)
    assert "would be kept with every epoch run" in durations.gpu_summary(table, 1.0)
    assert "epochs on average" in durations.gpu_summary(table, 0.3)
