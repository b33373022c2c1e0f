from pathlib import Path

import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.published.audit import (
    audit,
    beside_majority,
    chance_passes,
    columns_put_right,
    f1_identity,
    grim_means,
    largest_classes,
    majority_rows,
    swapped_columns,
)
from elrcn.published.numbers import class_sizes, clip_sets, load_counts, load_published
from elrcn.published.rounding import grim, grim_chance, grim_pairs, precisions

FOLDER = Path(__file__).parents[2] / "data_manifest"


@pytest.fixture(scope="module")
def results():
    return load_published(FOLDER / "paper_results.csv")


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
    assert dict(text) == {"0.485": "33", "0.384": "71"}  # accuracies, though printed as UAR
    assert tables["grim_means"]["possible"].all()


def test_means_of_two_folds_by_brute_force(results, counts):
    table = grim_means(results, counts).set_index("method")
    pairs = sum(
        abs((a / 68 + b / 185) / 2 - 0.4345) <= 0.00005 for a in range(69) for b in range(186)
    )
    assert table.loc["ELRCN-SE", "pairs"] == pairs == 3
    assert grim_pairs("0.4345", 68, 185, 4) == [(8, 139), (33, 71), (51, 22)]
    assert grim_pairs("0.50", 1, 2, 2) == [(0, 2), (1, 0)] and grim_pairs("0.13", 2, 4, 2) == [
        (0, 1)
    ]
    values = {round((a / 68 + b / 185) / 2, 3) for a in range(69) for b in range(186)}
    assert table.loc["HOOF", "chance"] == pytest.approx(len(values) / 1001, abs=0.003)


def test_no_published_f1_is_micro_f1(tables):
    table = tables["f1_identity"]
    assert len(table) == 13 and not table["can_be_micro"].any()
    te = table[(table["source"] == "Table I") & (table["method"] == "ELRCN-TE")].iloc[0]
    assert te["F1 - WAR"] == pytest.approx(0.5 - 0.5244)
    p = te["implied_precision"]
    assert 2 * p * 0.4396 / (p + 0.4396) == pytest.approx(0.5)
    assert [bool(v) for v in table["can_be_harmonic"].dropna()] == [True] * 11
    assert table["implied_precision"].isna().sum() == 2  # rows without UAR
    folds = table[table["source"].str.startswith("Section IV-D")]
    assert list(folds["UAR"]) == ["0.382", "0.322"]  # from the column printed as WAR
    np.testing.assert_allclose(folds["implied_precision"], [0.440, 0.238], atol=5e-4)
    np.testing.assert_allclose(folds["F1 - WAR"], [-0.076, -0.110], atol=1e-12)


def test_columns_are_put_right_only_where_they_are_swapped(results, counts):
    right = columns_put_right(results, counts)
    text = results["source"] == "Section IV-D text"
    assert list(right.loc[text, "metric"]) == ["F1", "WAR", "UAR"] * 2
    assert right[~text].equals(results[~text])
    assert columns_put_right(right, counts) is right


def test_as_many_accuracies_pass_by_chance(tables):
    grim_table = tables["grim"]
    tries = chance_passes(grim_table[grim_table["source"] == "Table I"])
    assert (tries["tries"], tries["passes"]) == (24, 7)
    shares = {n: len({round(k / n, 4) for k in range(n + 1)}) for n in (185, 246, 247)}
    assert tries["expected"] == pytest.approx(8 * sum(shares.values()) / 10001)
    assert f"{tries['expected']:.2f}" == "0.54"


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


def test_majority_rows(counts):
    table = majority_rows(counts).set_index("clips")
    assert list(table["k/n"]) == ["99/246", "99/185", "119/253", "20/68, 25/185"]
    np.testing.assert_allclose(table["war"], [0.402, 0.535, 0.470, 0.2146], atol=5e-4)
    np.testing.assert_allclose(table["uar"], 0.2)
    assert list(largest_classes(counts).values()) == [99, 100, 99, 20 + 4, 119]


def test_each_accuracy_beside_the_largest_class_of_its_own_clips(results, counts):
    table = beside_majority(results, counts).set_index(["source", "method"])
    assert len(table) == 17
    row = table.loc["Table I", "LBP-TOP (reproduced)"]  # 85/185; the same value of 246 is above
    assert (row["k"], row["largest"], row["margin"], row["verdict"]) == ("85", "99", "-14", "below")
    verdicts = table["verdict"]
    assert verdicts["Table I"].value_counts().to_dict() == {
        "above": 6, "below": 1, "cannot be told to exceed": 1,
    }  # fmt: skip
    assert verdicts["Table I", "Adaptive MM + LBP-TOP"] == "cannot be told to exceed"
    row = table.loc["Table II", "ELRCN-TE"]
    assert (row["k"], row["margin"]) == ("118, 119, 120", "-1, +0, +1")
    assert row["verdict"] == "cannot be told to exceed"
    assert table.loc["Table II", "ELRCN-SE"]["verdict"] == "above"
    assert table.loc["Table II", "LBP-TOP (reproduced)"]["margin"] == "-12"
    assert (verdicts["Table III"] == "above").all()


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [("0.4704", "equal"), ("0.4664", "below"), ("0.47", "cannot be told to exceed")],
)
def test_verdicts_by_hand(results, counts, printed, verdict):
    """Of 253 clips 119 are of the largest class: 0.4704 is 119, 0.4664 is 118, 0.47 may be both."""
    part = (results["source"] == "Table II") & (results["method"] == "ELRCN-TE")
    table = beside_majority(results[part].assign(printed=printed), counts)
    assert list(table["verdict"]) == [verdict]


def test_a_mean_of_folds_is_not_above_what_it_may_round_from(results, counts):
    part = (results["source"] == "Table III") & (results["method"] == "ELRCN-TE")
    for printed, verdict in (("0.2146", "cannot be told to exceed"), ("0.2145", "below")):
        table = beside_majority(results[part].assign(printed=printed), counts)
        assert list(table["verdict"]) == [verdict]


def test_the_tables_follow_the_numbers(results, counts):
    changed = results.copy()
    where = (changed["source"] == "Table I") & (changed["method"] == "ELRCN-SE")
    changed.loc[where & (changed["metric"] == "WAR"), "printed"] = "0.4547"
    assert f1_identity(changed)["can_be_micro"].sum() == 1
    some = changed[changed["source"] != "Table III"]  # its pairs take the longest
    assert set(audit(some, counts)) == {
        "grim", "grim_means", "hde_pairs", "f1_identity", "uar_search", "swapped_columns",
        "other_clips", "majority_rows", "beside_majority",
    }  # fmt: skip
    with pytest.raises(ElrcnError, match="missing"):
        load_counts("nowhere.csv")
