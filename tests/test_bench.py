"""That the benchmarks run and say what they measured; never how long anything took."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bench import __main__ as command
from bench import coverage, harness, machine
from bench.pipeline import clip_lengths

from elrcn.evaluation.metrics import METRICS

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "data_manifest"
OF_TRAINING = ("training", "growth", "roofline")


def check(rows):
    """What must hold for every line of a table, whatever was measured."""
    for row in rows:
        assert row.stage in command.STAGES and row.what and row.size
        assert row.threads >= 1 and row.rounds >= 1
        assert math.isfinite(row.ms) and row.ms > 0
        if row.ratio is not None:
            assert 0 < row.ratio_low <= row.ratio <= row.ratio_high
        if row.goal is not None:
            assert row.ratio is not None
        if row.agreement is not None:
            assert 0 <= row.agreement <= row.tolerance, row
    for stage, size, threads, yardstick in {
        (r.stage, r.size, r.threads, r.yardstick) for r in rows
    }:
        if yardstick:
            same = [r for r in rows if (r.stage, r.size, r.threads) == (stage, size, threads)]
            ratios = [r.ratio for r in same if r.what == yardstick]
            assert ratios in ([], [1.0])


def run(folder, stages):
    arguments = ["--quick", "--only", *stages, "--out", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = harness.read_table(folder / "bench.csv")
    assert {row.stage for row in rows} == set(stages)
    check(rows)
    for row in rows:
        assert row.what in done.stdout
    return rows


def test_stages_of_preprocessing_run_and_agree_with_their_yardsticks(tmp_path):
    rows = run(tmp_path, [name for name in command.STAGES if name not in OF_TRAINING])
    compared = {row.stage for row in rows if row.agreement is not None}
    assert compared >= {"strain", "tim", "lbp_top", "pipeline"}
    about = json.loads((tmp_path / "bench_machine.json").read_text())
    assert about["cores"] >= 1 and about["torch"] and len(about["load_before"]) == 3


@pytest.mark.slow
def test_stages_of_training_run(tmp_path):
    run(tmp_path, OF_TRAINING)


def test_the_committed_table_has_every_stage():
    rows = harness.read_table(COMMITTED / "bench.csv")
    check(rows)
    assert {row.stage for row in rows} == set(command.STAGES)
    goals = {row.stage for row in rows if row.goal is not None}
    assert goals >= {"tvl1", "strain", "tim", "lbp_top", "pipeline", "training"}
    flow = [row for row in rows if row.stage == "tvl1" and row.goal is not None]
    assert {row.threads for row in flow} == {1, 2} and min(row.goal for row in flow) >= 30
    whole = [row for row in rows if row.stage == "pipeline" and row.peak_mb is not None]
    assert whole and "246 clips" in whole[0].size


def test_the_machine_is_described_without_its_name():
    committed = json.loads((COMMITTED / "bench_machine.json").read_text())
    now = machine.describe()
    assert set(now) <= set(committed)
    for about in (committed, now):
        assert not {"host", "hostname", "node", "user"} & set(about)


def test_competitors_take_turns():
    calls = []
    seconds = harness.interleave(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")},
        rounds=3,
        limits={"b": 2},
        warm=False,
    )
    assert "".join(calls) == "abbaa"
    assert np.isnan(seconds["b"]).tolist() == [False, False, True]


def test_ratios_are_taken_within_rounds():
    # The machine is ten times slower in the last round: no ratio may notice.
    slow = np.array([4.0, 4.4, 40.0])
    seconds = {"slow": slow, "fast": np.array([1.0, 1.1, 10.0])}
    first, second = harness.compare("tim", "x", seconds, "slow", 1, goals={"fast": 3.5})
    assert first.ratio == 1 and first.met is None
    assert (second.ratio_low, second.ratio, second.ratio_high) == pytest.approx((4, 4, 4))
    assert second.met and second.ms == pytest.approx(1100)
    far = harness.compare(
        "tim", "x", seconds, "slow", 1, {"fast": 3.5}, agreement={"fast": (0.2, 0.1)}
    )
    assert far[1].met is False


def test_the_table_is_read_as_it_was_written(tmp_path):
    row = harness.Row(
        "tim", 'a, "b"', "10", 2, 5, 1.5, 2.0, 1.0, 3.0, "c", None, 12.0, 1e-9, 1e-6, "d"
    )
    harness.write_table(tmp_path, [row], {"cores": 2})
    assert harness.read_table(tmp_path / "bench.csv") == [row]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench.csv", "bench_machine.json"]


def test_clips_are_about_as_long_as_casme2s():
    lengths = clip_lengths(246)
    assert 60 < lengths.mean() < 75 and lengths.min() >= 24 and lengths.max() <= 141


def test_help_shows_examples():
    assert "--only tvl1" in command.parser().format_help()


def test_scores_of_the_simulation_are_those_of_the_library():
    matrices = np.random.default_rng(0).integers(0, 3, (4, 50, 5, 5))
    matrices[0, 0, 2] = 0  # a class that does not occur, then one that is not answered either
    matrices[0, 1, 2] = matrices[0, 1, :, 2] = 0
    expected = [METRICS[name](matrices) for name in coverage.SCORES]
    np.testing.assert_allclose(coverage.scores(matrices), expected, rtol=1e-12)


def test_a_simulation_is_of_the_sizes_asked_for_and_equal_methods_are_equal():
    for case in coverage.CASES:
        for fold, count in enumerate(case.subjects):
            generator = np.random.default_rng(fold)
            confusions, right = coverage.draw(case, fold, 2000, generator)
            n = confusions.sum((2, 3))
            assert (n == n[0]).all() and n.min() >= 1
            assert n[0].mean() == pytest.approx(sum(case.sizes[fold]) / count, rel=0.1)
            np.testing.assert_array_equal(
                np.trace(confusions, axis1=2, axis2=3).sum(1), right.sum(1)
            )
            first, equal, weaker = right.mean(1)
            assert first == pytest.approx(equal, abs=0.03) and weaker < first - 0.02


def test_the_committed_coverage_has_every_case_and_expanding_helps():
    table = pd.read_csv(coverage.COMMITTED)
    assert list(table) == list(coverage.COLUMNS) and table["value"].between(0, 1).all()
    assert list(dict.fromkeys(table["case"])) == [case.name for case in coverage.CASES]
    wide = table.pivot_table("value", ["case", "quantity", "score"], "way", sort=False)
    covered = wide.loc[wide["percentile"].notna()]
    assert len(covered) == 9 * len(coverage.CASES)
    assert (covered["expanded percentile"] > covered["percentile"]).all()
    # Why it is used for every score, although a jackknife covers UF1 better.
    scores = wide.xs("score", level="quantity")
    uf1 = scores.xs("uf1", level="score")
    assert (uf1["jackknife-t"] > uf1["expanded percentile"]).all()
    assert scores.drop("uf1", level="score")["expanded percentile"].min() > 0.94


@pytest.mark.slow
def test_expanded_percentiles_cover_more_often_and_near_what_they_say():
    table = coverage.measure(coverage.CASES[0], simulations=300, draws=500, seed=5)
    wide = table.pivot_table("value", ["quantity", "score"], "way", sort=False)
    covered = wide.loc[list(coverage.COVERED)]
    assert (covered["expanded percentile"] > covered["percentile"]).all()
    assert covered["expanded percentile"].mean() > 0.9 > covered["percentile"].min()
