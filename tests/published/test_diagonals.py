"""Searches through diagonals, against slow enumerations that share no code with them."""

from bisect import bisect_left, bisect_right
from fractions import Fraction
from itertools import product
from math import lcm
from pathlib import Path

import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.published.audit import (
    columns_put_right,
    hde_pairs,
    moved_sizes,
    uar_search,
    wrong_label,
)
from elrcn.published.numbers import load_counts, load_published, load_user_reports
from elrcn.published.rounding import count_diagonals, uar_range

FOLDER = Path(__file__).parents[2] / "data_manifest"
EMOTIONS = (32, 63, 27, 25, 99)
SIZES = {
    "CASME II, five emotions": EMOTIONS,
    "CASME II, classes I to V": (25, 15, 99, 26, 20),
    "SAMM, classes I to V": (24, 13, 20, 8, 3),
    "CDE, classes I to V": (49, 28, 119, 34, 23),
}


@pytest.fixture(scope="module")
def results():
    return load_published(FOLDER / "paper_results.csv")


@pytest.fixture(scope="module")
def counts():
    return load_counts(FOLDER / "published_counts.csv")


@pytest.fixture(scope="module")
def singles(results, counts):
    return uar_search(columns_put_right(results, counts), counts)


@pytest.fixture(scope="module")
def pairs(results, counts):
    return hde_pairs(results, counts)


@pytest.fixture(scope="module")
def reports():
    return load_user_reports(FOLDER / "user_reports.csv")


def uars(sizes, right):
    """Every UAR with so many right answers, one a diagonal: plain loops, exact fractions."""
    for hits in product(*(range(n + 1) for n in sizes)):
        if sum(hits) == right:
            yield sum(Fraction(t, n) for t, n in zip(hits, sizes, strict=True)) / len(sizes)


def numerators(sizes, right):
    """The same times C lcm(sizes) as whole numbers, for sizes too many for fractions."""
    *rest, last = sorted(sizes)
    u, v, w, x, y = (lcm(*sizes) // n for n in (*rest, last))
    for a, b, c, d in product(*(range(n + 1) for n in rest)):
        left = right - a - b - c - d
        if 0 <= left <= last:
            yield a * u + b * v + c * w + d * x + left * y


def window(printed, decimals, scale):
    low, high = (Fraction(printed) + sign * Fraction(1, 2 * 10**decimals) for sign in (-1, 1))
    return -(-low * scale // 1), high * scale // 1


@pytest.mark.parametrize("sizes", [(3,), (4, 2), (2, 3, 4), (5, 1, 4, 3), (2, 2, 3, 1, 4)])
def test_every_diagonal_is_counted_once(sizes):
    for right in range(sum(sizes) + 1):
        found = list(uars(sizes, right))
        assert uar_range([(sizes, right)]) == (min(found), max(found))
        for low, high in ((0, 1), (Fraction(1, 3), Fraction(1, 2)), (min(found), min(found))):
            expected = sum(low <= u <= high for u in found)
            assert count_diagonals([(sizes, right)], Fraction(low), Fraction(high)) == expected


def test_pairs_of_diagonals_of_two_folds():
    one, two = (3, 1, 4), (2, 5, 3)
    for k1, k2 in product(range(9), range(0, 11, 2)):
        found = [(a + b) / 2 for a in uars(one, k1) for b in uars(two, k2)]
        folds = [(one, k1), (two, k2)]
        assert uar_range(folds) == (min(found), max(found))
        for low, high in ((Fraction(3, 10), Fraction(1, 2)), (max(found), max(found))):
            expected = sum(low <= u <= high for u in found)
            assert count_diagonals(folds, low, high) == expected


def test_more_right_answers_than_clips_have_no_diagonal():
    sizes = (2, 3)
    assert count_diagonals([(sizes, 6)], Fraction(0), Fraction(1)) == 0
    assert count_diagonals([(sizes, 6), (sizes, 1)], Fraction(0), Fraction(1)) == 0


def test_table_three_is_reconstructed(pairs):
    found = {
        method: [
            (r["SAMM"], r["CASME II"], r["possible"], r["in_text"]) for _, r in part.iterrows()
        ]
        for method, part in pairs.groupby("method")
    }
    assert found["ELRCN-TE"] == [("22/68", "26/185", True, False)]
    assert found["LBP-TOP (reproduced)"] == [
        ("18/68", "95/185", True, False),
        ("43/68", "27/185", False, False),
    ]
    assert [(a, b, told) for a, b, _, told in found["ELRCN-SE"]] == [
        ("8/68", "139/185", False),
        ("33/68", "71/185", True),
        ("51/68", "22/185", False),
    ]
    by_hand = [
        (a, b) for a, b in product(range(69), range(186)) if abs(a / 68 + b / 185 - 0.464) < 1e-4
    ]
    assert by_hand == [(22, 26)]  # no pair is near the edge of the interval
    ruled_out = pairs[~pairs["possible"]].iloc[0]
    # 43 right on SAMM: all 24 and 19 of 20; 27 on CASME II: of the 99.
    assert ruled_out["least_UAR"] == pytest.approx((24 / 24 + 19 / 20 + 27 / 99) / 10)
    assert 0.2222 < ruled_out["least_UAR"] < 0.2223 and ruled_out["UAR"] == "0.2179"
    assert set(pairs.loc[pairs["method"] == "ELRCN-TE", "if_padded"]) == {12}


def test_every_published_uar_can_be_had(singles, pairs):
    assert singles["possible"].all() and len(singles) == 18
    assert (singles["diagonals"].min(), singles["diagonals"].max()) == (25, 17021)
    assert pairs.groupby("method")["possible"].any().all()


def test_the_uar_of_a_fold_by_enumeration(singles):
    row = singles[singles["clips"] == "SAMM, classes I to V"].iloc[0]
    sizes = SIZES[row["clips"]]
    low, high = window(row["UAR"], row["decimals"], 5 * lcm(*sizes))
    assert row["diagonals"] == sum(low <= u <= high for u in numerators(sizes, row["k"])) == 25


def test_one_clip_moves_in_twenty_ways():
    assert moved_sizes((2, 3), 1) == [(2, 3), (1, 4), (3, 2)]
    assert moved_sizes((0, 3), 1) == [(0, 3), (1, 2)]
    assert len(moved_sizes(EMOTIONS)) == 1 + 20
    # Two clips: 10 pairs lose two, or one class does; the same of those that gain.
    two = {
        tuple(n + d for n, d in zip(EMOTIONS, change, strict=True))
        for change in product(range(-2, 3), repeat=5)
        if sum(change) == 0 and sum(map(abs, change)) <= 4
    }
    assert set(moved_sizes(EMOTIONS, 2)) == two and len(two) == 131


def test_the_reported_uar_needs_other_sizes_of_the_classes(reports, counts):
    one = wrong_label(reports, counts)
    assert len(one) == 21 and one["sizes"].iloc[0] == "32/63/27/25/99"
    fits = one[one["possible"]]
    assert list(fits["sizes"]) == ["33/63/26/25/99"]
    assert list(fits["moved"]) == ["happiness +1, repression -1"]
    row = fits.iloc[0]
    assert (row["right"], row["multiple"], row["denominator"]) == (89, 552943, 2252250)
    assert 552943 / 2252250 == 0.2455069375069375  # to the last digit
    assert row["diagonals"] == 6
    assert (one.loc[~one["possible"], "distance"] > 1e-10).all()
    two = wrong_label(reports, counts, clips=2)
    assert len(two) == 21 + 110
    assert sorted(two.loc[two["possible"], "sizes"]) == ["33/63/25/26/99", "33/63/26/25/99"]


def test_a_uar_of_the_published_sizes_is_recognised(counts):
    hits = (10, 20, 3, 4, 50)
    uar = sum(t / n for t, n in zip(hits, EMOTIONS, strict=True)) / 5
    report = pd.DataFrame(
        {"report": "x", "metric": ["WAR", "UAR"], "value": [sum(hits) / 246, uar]}
    )
    assert wrong_label(report, counts)["possible"].iloc[0]
    with pytest.raises(ElrcnError, match="no whole number of right answers out of 246"):
        wrong_label(report.assign(value=[0.3537, uar]), counts)


@pytest.mark.slow
def test_published_uars_by_enumeration(singles):
    for (name, right), part in singles.groupby(["clips", "k"]):
        found = sorted(numerators(SIZES[name], right))
        for _, row in part.iterrows():
            low, high = window(row["UAR"], row["decimals"], 5 * lcm(*SIZES[name]))
            assert row["diagonals"] == bisect_right(found, high) - bisect_left(found, low)


@pytest.mark.slow
def test_table_three_by_enumeration(pairs):
    samm, casme2 = SIZES["SAMM, classes I to V"], SIZES["CASME II, classes I to V"]
    common = lcm(lcm(*samm), lcm(*casme2))
    for _, row in pairs[pairs["WAR"].str.len() == 6].iterrows():
        k1, k2 = (int(row[name].partition("/")[0]) for name in ("SAMM", "CASME II"))
        first = [u * (common // lcm(*samm)) for u in numerators(samm, k1)]
        second = sorted(u * (common // lcm(*casme2)) for u in numerators(casme2, k2))
        low, high = window(row["UAR"], row["decimals"], 10 * common)
        found = sum(bisect_right(second, high - u) - bisect_left(second, low - u) for u in first)
        assert row["diagonals"] == found


@pytest.mark.slow
def test_only_one_move_of_one_clip_gives_the_reported_uar(counts, reports):
    """Every diagonal of all 21 sizes, with the tolerance of the last printed digits only."""
    value, fitting = Fraction("0.2455069375069375"), []
    for sizes in moved_sizes(EMOTIONS):
        scale = 5 * lcm(*sizes)
        near = {round(value * scale) + d for d in (-1, 0, 1)}
        hits = [u for u in numerators(sizes, 89) if u in near]
        fitting += [sizes for u in hits if abs(Fraction(u, scale) - value) < Fraction(1, 10**15)]
    assert fitting == [(33, 63, 26, 25, 99)] * 6


def test_reports_that_cannot_be_read_are_refused(tmp_path, reports):
    with pytest.raises(ElrcnError, match="missing"):
        load_user_reports(tmp_path / "none.csv")
    reports.assign(value=1.5).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(ElrcnError, match="outside"):
        load_user_reports(tmp_path / "bad.csv")
