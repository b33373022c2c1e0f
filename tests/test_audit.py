from pathlib import Path

import numpy as np
import pytest

from elrcn.audit import audit, f1_identity, grim_means, majority_rows, swapped_columns
from elrcn.errors import ElrcnError
from elrcn.grim import grim, grim_chance, precisions
from elrcn.printed import class_sizes, clip_sets, load_counts, load_printed

FOLDER = Path(__file__).parents[1] / "data_manifest"


@pytest.fixture(scope="module")
def results():
    return load_printed(FOLDER / "paper_results.csv")


@pytest.fixture(scope="module")
def counts():
    return load_counts(FOLDER / "published_counts.csv")


@pytest.fixture(scope="module")
def tables(results, counts):
    return audit(results, counts)


@pytest.mark.parametrize("n", [1, 7, 68, 246])
def test_grim_finds_every_fraction_and_only_those(n):
    for value in range(0, 1001, 37):
        printed = f"{value / 1000:.3f}"
        expected = [k for k in range(n + 1) if abs(k / n - value / 1000) <= 0.0005 + 1e-12]
        assert list(grim(printed, n)) == expected
    passing = [v for v in range(1001) if grim(f"{v / 1000:.3f}", n)]
    # A share half-way between two values passes both, but counts once as chance.
    assert len(passing) >= grim_chance(n, 3) * 1001 - 1e-9
    assert len(passing) <= grim_chance(n, 3) * 1001 + n


def test_grim_by_hand():
    assert grim("0.4715", 246) == (116,) and grim("0.4715", 247) == ()
    assert grim("0.5", 4) == (2,) and grim("0.13", 8) == (1,) and grim("0.12", 8) == (1,)
    assert grim("0.57", 253) == (143, 144, 145) and grim("0.5700", 253) == ()
    assert grim("1.000", 3) == (3,) and grim("0.0000", 3) == (0,)
    assert precisions("0.5700") == [4, 2] and precisions("0.322") == [3]
    assert precisions("0.2320") == [4]


def test_numbers_are_kept_as_printed(results):
    printed = results.set_index(["source", "method", "metric"])["printed"]
    assert printed["Table II", "ELRCN-SE", "WAR"] == "0.5700"
    assert (results["printed"].astype(float) == results["value"]).all()


def test_clip_sets_add_up(counts):
    assert list(clip_sets(counts).values()) == [246, 247, 185, 68, 253]
    assert sum(class_sizes(counts, "CDE", "objective").values()) == 253
    with pytest.raises(ElrcnError, match="no published count"):
        class_sizes(counts, "SAMM", "emotion")


def test_accuracies_of_table_one_belong_to_different_clips(tables):
    wide = tables["other_clips"].set_index("method")
    expected = {
        "LBP-TOP (reproduced)": ("85", "", ""),
        "Adaptive MM + LBP-TOP": ("", "", ""),
        "FDM": ("", "113", ""),
        "LBP-SIP": ("", "", "115"),
        "EVM+HIGO": ("", "", "166"),
        "CNN-LSTM": ("", "150", ""),
        "ELRCN-SE": ("", "116", ""),
        "ELRCN-TE": ("", "129", ""),
    }
    assert {m: tuple(wide.loc[m, [185, 246, 247]]) for m in wide.index} == expected


def test_accuracies_of_cde_and_hde(tables):
    grim_table = tables["grim"]
    cde = grim_table[grim_table["source"] == "Table II"].set_index(["method", "decimals"])["k"]
    assert cde["LBP-TOP (reproduced)", 4] == "107"
    assert cde["ELRCN-SE", 4] == "" and cde["ELRCN-SE", 2] == "143, 144, 145"
    assert cde["ELRCN-TE", 2] == "118, 119, 120"
    text = grim_table[grim_table["source"].str.startswith("Section")].set_index("printed")["k"]
    assert text["0.322"] == ""
    assert tables["grim_means"]["possible"].all()


def test_means_of_two_folds_by_brute_force(results, counts):
    table = grim_means(results, counts).set_index("method")
    pairs = sum(
        abs((a / 68 + b / 185) / 2 - 0.4345) <= 0.00005 for a in range(69) for b in range(186)
    )
    assert table.loc["ELRCN-SE", "pairs"] == pairs
    values = {round((a / 68 + b / 185) / 2, 3) for a in range(69) for b in range(186)}
    assert table.loc["HOOF", "chance"] == pytest.approx(len(values) / 1001, abs=0.003)


def test_no_published_f1_is_micro_f1(results):
    table = f1_identity(results)
    assert len(table) == 13 and not table["can_be_micro"].any()
    te = table[(table["source"] == "Table I") & (table["method"] == "ELRCN-TE")].iloc[0]
    assert te["F1 - WAR"] == pytest.approx(0.5 - 0.5244)
    p = te["implied_precision"]
    assert 2 * p * 0.4396 / (p + 0.4396) == pytest.approx(0.5)
    assert [bool(v) for v in table["can_be_harmonic"].dropna()] == [True] * 11
    assert table["implied_precision"].isna().sum() == 2  # rows without UAR


def test_the_two_folds_columns_are_swapped(results, counts):
    table = swapped_columns(results, counts).set_index("column of the text")
    assert table.loc["UAR", "train CASME II test SAMM: k/n"] == "33/68"
    assert table.loc["UAR", "train SAMM test CASME II: k/n"] == "71/185"
    assert table.loc["UAR", "mean of folds"] == pytest.approx((33 / 68 + 71 / 185) / 2, rel=1e-15)
    assert f"{table.loc['UAR', 'mean of folds']:.6f}" == "0.434539"
    assert table.loc["UAR", "score of Table III"] == "WAR 0.4345"
    assert table.loc["WAR", "score of Table III"] == "UAR 0.3522"
    assert not table.loc["WAR", "accuracies in both folds"]
    with pytest.raises(ElrcnError, match="Section IV-D"):
        swapped_columns(results[results["source"] == "Table I"], counts)


def test_majority_rows(results, counts):
    table = majority_rows(results, counts).set_index("clips")
    assert list(table["k/n"]) == ["99/246", "99/185", "119/253", "20/68, 25/185"]
    np.testing.assert_allclose(table["war"], [0.402, 0.535, 0.470, 0.2146], atol=5e-4)
    np.testing.assert_allclose(table["uar"], 0.2)
    assert "ELRCN-TE (0.4700)" in table.loc["CDE, classes I to V", "published_not_above"]
    assert table.loc["CASME II, five emotions", "published_not_above"] == ""


def test_the_tables_follow_the_numbers(results, counts):
    changed = results.copy()
    where = (changed["source"] == "Table I") & (changed["method"] == "ELRCN-SE")
    changed.loc[where & (changed["metric"] == "WAR"), "printed"] = "0.4547"
    assert f1_identity(changed)["can_be_micro"].sum() == 1
    assert set(audit(changed, counts)) == {
        "grim", "grim_means", "f1_identity", "swapped_columns", "other_clips", "majority_rows",
    }  # fmt: skip
    with pytest.raises(ElrcnError, match="missing"):
        load_counts("nowhere.csv")
