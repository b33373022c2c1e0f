import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from elrcn.errors import ElrcnError
from elrcn.evaluation import statistics as s
from elrcn.evaluation.decisions import compare
from elrcn.evaluation.metrics import METRICS, confusion_matrix, fold_mean, pooled, scores

CLASSES = ["a", "b", "c"]


def random_rows(seed, subjects=6, clips=5, skill=0.6):
    g = np.random.default_rng(seed)
    true = np.random.default_rng(99).choice(CLASSES, subjects * clips)
    right = g.random(len(true)) < skill
    predicted = np.where(right, true, g.choice(CLASSES, len(true)))
    names = [f"s{i // clips}" for i in range(len(true))]
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": ["one" if n < "s3" else "two" for n in names],
            "clip_id": [f"c{i}" for i in range(len(true))],
            "subject": names,
            "true": true,
            "predicted": predicted,
        }
    )
    return rows.assign(p_a=0.0, p_b=0.0, p_c=0.0)


def bootstrap_interval(rows, metric, n=2000, seed=0, level=0.95, per_fold=False):
    values = s.bootstrap_scores(rows, metric, n, seed, per_fold=per_fold)
    folds = [part for _, part in rows.groupby("fold")] if per_fold else [rows]
    return s.interval(values, [part["subject"].nunique() for part in folds], level)


def test_subject_matrices_add_up_to_the_pooled_one():
    rows = random_rows(0)
    (matrices,) = s.subject_confusions(rows)
    assert matrices.shape == (6, 3, 3)
    own = rows[rows["subject"] == "s2"]
    np.testing.assert_array_equal(
        matrices[2], confusion_matrix(own["true"], own["predicted"], CLASSES)
    )
    for name, score in METRICS.items():
        assert score(matrices.sum(0)) == pytest.approx(pooled(rows)[name])


@pytest.mark.parametrize("name", list(METRICS))
def test_bootstrap_equals_resampling_the_rows_one_by_one(name):
    rows = random_rows(1)
    values = s.bootstrap_scores(rows, name, n=20, seed=5)
    draws = np.random.default_rng(5).multinomial(6, np.full(6, 1 / 6), size=20)
    parts = [rows[rows["subject"] == f"s{i}"] for i in range(6)]
    for value, counts in zip(values, draws, strict=True):
        sample = pd.concat([p for p, c in zip(parts, counts, strict=True) for _ in range(c)])
        assert value == pytest.approx(scores(sample["true"], sample["predicted"], CLASSES)[name])


def test_interval_contains_the_score_and_widens_with_its_level():
    rows = random_rows(2, subjects=20)
    low, high = bootstrap_interval(rows, "war")
    assert low < pooled(rows)["war"] < high
    assert (low, high) == bootstrap_interval(rows, "war")
    narrow = bootstrap_interval(rows, "war", level=0.5)
    assert low < narrow[0] < narrow[1] < high
    with pytest.raises(ElrcnError):
        bootstrap_interval(rows, "war", level=95)
    with pytest.raises(ElrcnError):
        bootstrap_interval(rows.iloc[:0], "war")


@pytest.mark.parametrize(("subjects", "level"), [(2, 0.5), *product([6, 14, 26, 400], [0.5, 0.95])])
def test_levels_are_expanded_as_hesterberg_says(subjects, level):
    low, high = s.expanded_levels(subjects, level)
    # His formula: the percentile whose normal quantile is sqrt(n / (n - 1)) times Student's.
    factor = np.sqrt(subjects / (subjects - 1))
    assert norm.ppf(low) == pytest.approx(-factor * t.ppf((1 + level) / 2, subjects - 1))
    assert low + high == pytest.approx(1) and low < (1 - level) / 2
    # Two folds of one size: the factor of each, the freedom of both.
    both = s.expanded_levels([subjects, subjects], level)
    assert norm.ppf(both[0]) == pytest.approx(-factor * t.ppf((1 + level) / 2, 2 * subjects - 2))
    assert s.expanded_levels(10**6, level) == pytest.approx(
        ((1 - level) / 2, (1 + level) / 2), abs=1e-5
    )


@pytest.mark.parametrize("level", [0.01, 0.5, 0.8, 0.9375, 0.95, 0.99])
def test_too_few_subjects_have_no_interval(level):
    least = next(n for n in range(1, 20) if 2.0 ** (1 - n) <= 1 - level)
    assert s.least_units(level) == least
    values = np.random.default_rng(0).normal(size=100)
    assert not np.isnan(s.interval(values, least, level)).any()
    assert not np.isnan(s.interval(values, [least, least + 3], level)).any()
    for few in (least - 1, [least + 3, least - 1]):
        assert np.isnan(s.interval(values, few, level)).all()


def test_six_subjects_are_the_fewest_for_95_percent():
    assert s.least_units() == 6
    # The range of five subjects' means holds the middle of all people in 15 of 16 samples.
    signs = np.array(list(product([-1, 1], repeat=5)))
    assert (np.abs(signs.sum(1)) < 5).mean() == 15 / 16 < 0.95
    for subjects in (2, 3, 4, 5):
        rows = random_rows(8, subjects=subjects)
        assert np.isnan(bootstrap_interval(rows, "war")).all()
    assert not np.isnan(bootstrap_interval(random_rows(8), "war")).any()


def test_levels_by_hand():
    # Student's t of 13 and 25 degrees of freedom at .975: 2.1604 and 2.0595, from a table.
    assert s.expanded_levels(14)[0] == pytest.approx(norm.cdf(-2.1604 * np.sqrt(14 / 13)), abs=1e-5)
    assert s.expanded_levels(26)[0] == pytest.approx(norm.cdf(-2.0595 * np.sqrt(26 / 25)), abs=1e-5)


@pytest.mark.parametrize("name", ["war", "uar", "uf1"])
def test_interval_of_a_score_equals_the_slow_way(name):
    rows = random_rows(4, subjects=9)
    values = sorted(s.bootstrap_scores(rows, name, n=501, seed=2))
    got = bootstrap_interval(rows, name, n=501, seed=2)
    for end, level in zip(got, s.expanded_levels(9), strict=True):
        place = level * 500
        below = int(place)
        slow = values[below] + (place - below) * (values[below + 1] - values[below])
        assert end == pytest.approx(slow)


def test_interval_of_several_columns_and_of_values_that_are_missing():
    values = np.random.default_rng(0).normal(size=(300, 2, 3))
    values[:40, 1, 1] = np.nan
    values[:, 0, 2] = np.nan
    low, high = s.interval(values, 14)
    assert low.shape == high.shape == (2, 3) and np.isnan(low[0, 2]) and np.isnan(high[0, 2])
    one = s.interval(values[40:, 1, 1], 14)
    assert (low[1, 1], high[1, 1]) == pytest.approx(one) and all(type(v) is float for v in one)


def test_no_interval_rather_than_one_without_width():
    values = np.random.default_rng(0).normal(size=50)
    for subjects in (0, 1, [9, 1], []):
        assert np.isnan(s.interval(values, subjects)).all()
    assert np.isnan(s.interval(np.full(50, 0.2), 14)).all()
    assert np.isnan(s.interval(np.full(50, np.nan), 14)).all()
    assert np.isnan(s.interval([], 14)).all()
    one = random_rows(3, subjects=1, clips=12)
    assert np.isnan(bootstrap_interval(one, "war")).all()
    # Five subjects in one of two folds: its spread is not known, so that of the mean is not.
    rows = random_rows(3, subjects=12)
    assert rows.groupby("fold")["subject"].nunique().to_dict() == {"one": 5, "two": 7}
    assert np.isnan(bootstrap_interval(rows, "war", per_fold=True)).all()
    assert not np.isnan(bootstrap_interval(rows, "war")).any()
    for level in (0, 1, 95):
        with pytest.raises(ElrcnError, match="level"):
            s.interval(values, 14, level)


def test_intervals_and_draws_of_subjects_are_made_in_one_place():
    package = Path(s.__file__).parents[1]
    own = re.compile(r"multinomial\(|(quantile|percentile)\(.*(\.025|\.975|97\.5|level)")
    pages = (package.parent / "notebooks").glob("*.ipynb")
    found = {p.name for p in (*package.rglob("*.py"), *pages) if own.search(p.read_text("utf-8"))}
    # The page on statistics shows the equation in a cell, which it holds against the library.
    assert found == {"statistics.py", "statistics.ipynb"}


def test_interval_covers_the_truth_about_as_often_as_it_says():
    truth, hits = 0.6 + 0.4 / 3, 0
    for seed in range(120):
        low, high = bootstrap_interval(random_rows(seed, subjects=25), "war", n=400)
        hits += low <= truth <= high
    assert 0.85 <= hits / 120 <= 1


def test_interval_of_a_mean_over_folds():
    rows = random_rows(3, subjects=14)
    low, high = bootstrap_interval(rows, "uar", per_fold=True)
    assert low < fold_mean(rows)["uar"] < high


def test_rows_are_joined_by_clip_not_by_position():
    a, b = random_rows(5), random_rows(6)
    shuffled = b.sample(frac=1, random_state=0)
    assert compare(a, b, "uar") == compare(a, shuffled, "uar")
    with pytest.raises(ElrcnError, match="same clips"):
        compare(a, b.iloc[1:])
    with pytest.raises(ElrcnError, match="same clips"):
        compare(a, b.assign(true=np.roll(b["true"], 1)))
    with pytest.raises(ElrcnError, match="two rows"):
        compare(a, pd.concat([b, b]))


@pytest.mark.parametrize("per_fold", [False, True])
def test_permutation_over_all_swaps_equals_the_slow_way(per_fold):
    a, b = random_rows(7, skill=0.9), random_rows(8, skill=0.3)
    result = compare(a, b, "uar", per_fold=per_fold)

    def difference(x, y):
        summary = fold_mean if per_fold else pooled
        return summary(x, CLASSES)["uar"] - summary(y, CLASSES)["uar"]

    observed, count = difference(a, b), 0
    for swap in product((0, 1), repeat=6):
        swapped = a["subject"].map(dict(zip([f"s{i}" for i in range(6)], swap, strict=True))) == 1
        x, y = a.copy(), b.copy()
        x.loc[swapped, "predicted"] = b.loc[swapped, "predicted"]
        y.loc[swapped, "predicted"] = a.loc[swapped, "predicted"]
        count += abs(difference(x, y)) >= abs(observed) - 1e-12
    assert result.subjects == 6
    assert result.difference == pytest.approx(observed)
    assert result.p_value == pytest.approx(count / 64)


def test_permutation_with_many_subjects():
    a, b = random_rows(9, subjects=30, skill=0.9), random_rows(10, subjects=30, skill=0.2)
    assert compare(a, b, "war", swaps=2000).p_value < 0.01
    same = compare(a, a, "war", swaps=500)
    assert same.p_value == 1 and same.difference == 0


def test_holm_by_hand():
    np.testing.assert_allclose(
        s.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], rtol=1e-12
    )
    np.testing.assert_allclose(s.holm([0.5, 0.9]), [1.0, 1.0])
    assert len(s.holm([])) == 0


def of_seeds(*parts):
    return pd.concat([rows.assign(seed=k) for k, rows in enumerate(parts)], ignore_index=True)


@pytest.mark.parametrize("per_fold", [False, True])
@pytest.mark.parametrize("name", ["uar", "uf1", "authors_f1"])
def test_scores_of_several_seeds_are_means_and_share_the_draws_of_subjects(name, per_fold):
    parts = [random_rows(k) for k in (3, 4, 5)]
    together, score = of_seeds(*parts), fold_mean if per_fold else pooled
    each = [score(rows)[name] for rows in parts]
    assert score(together)[name] == pytest.approx(np.mean(each), abs=1e-15)
    assert score(together)["n"] == len(parts[0])
    drawn = [s.bootstrap_scores(rows, name, 50, 1, per_fold=per_fold) for rows in parts]
    both = s.bootstrap_scores(together, name, 50, 1, per_fold=per_fold)
    np.testing.assert_allclose(both, np.mean(drawn, axis=0), atol=1e-12)


def test_one_answer_a_clip_stands_beside_every_seed_of_the_other():
    a, b = [random_rows(k) for k in (3, 4, 5)], random_rows(6, skill=0.3)
    (pair,) = s.subject_pairs(of_seeds(*a), b)
    assert pair.shape == (2, 3, 6, 3, 3) and pair.sum() == 2 * 3 * len(b)
    np.testing.assert_array_equal(pair[0], [s.subject_confusions(rows)[0] for rows in a])
    np.testing.assert_array_equal(pair[1], [s.subject_confusions(b)[0]] * 3)
    with pytest.raises(ElrcnError, match=r"seeds \[0, 1, 2\], the other \[0, 1\]"):
        s.subject_pairs(of_seeds(*a), of_seeds(b, b))
    with pytest.raises(ElrcnError, match="not answer about the same clips"):
        s.subject_confusions(of_seeds(a[0], a[1].iloc[1:]))


def test_swaps_of_a_subject_swap_all_seeds():
    """All 2^6 swaps by hand: the mean over seeds, each swapped alike."""
    a, b = [random_rows(k, skill=0.8) for k in (3, 4)], [random_rows(k, skill=0.3) for k in (5, 6)]
    expected = []
    for swap in product([False, True], repeat=6):
        chosen = dict(zip(sorted(a[0]["subject"].unique()), swap, strict=True))
        found = 0.0
        for one, other in zip(a, b, strict=True):
            turned = one["subject"].map(chosen)
            first = one.assign(predicted=one["predicted"].where(~turned, other["predicted"]))
            second = other.assign(predicted=other["predicted"].where(~turned, one["predicted"]))
            found += (pooled(first)["uf1"] - pooled(second)["uf1"]) / 2
        expected.append(found)
    p = np.mean(np.abs(expected) >= abs(expected[0]) - 1e-12)
    test = compare(of_seeds(*a), of_seeds(*b), "uf1")
    assert (test.difference, test.p_value, test.subjects) == (pytest.approx(expected[0]), p, 6)


@pytest.mark.parametrize("by", [None, "fold", "subject", "database", "seed"])
def test_table_of_scores_equals_scoring_each_part(by):
    rows = of_seeds(random_rows(3, subjects=14), random_rows(4, subjects=14))
    rows["clip_id"] = np.where(rows["subject"] < "s3", "A/", "B/") + rows["clip_id"]
    keys = {
        None: np.repeat("all", len(rows)), "fold": rows["fold"], "subject": rows["subject"],
        "database": rows["clip_id"].str[:1], "seed": rows["seed"],
    }[by]  # fmt: skip
    table = s.score_table(rows, by, ["uar", "war"], draws=40, seed=1)
    assert list(table.index) == list(dict.fromkeys(keys)) and table.index.name == by
    for key, row in table.iterrows():
        part = rows[keys == key]
        assert row["clips"] == part["clip_id"].nunique()
        assert row["subjects"] == part["subject"].nunique()
        for name in ("uar", "war"):
            assert row[name] == pooled(part)[name]
            ends = bootstrap_interval(part, name, 40, 1)
            np.testing.assert_array_equal(row[[f"{name}_low", f"{name}_high"]].astype(float), ends)
            assert row[f"{name}_sd"] == np.std(s.bootstrap_scores(part, name, 40, 1))


def test_table_of_scores_of_folds_and_without_intervals():
    rows = random_rows(3, subjects=14)
    (row,) = s.score_table(rows, per_fold=True).to_dict("records")
    assert {name: row[name] for name in METRICS} == {n: fold_mean(rows)[n] for n in METRICS}
    assert row["clips"] == len(rows) and all(np.isnan(row[f"{n}_low"]) for n in METRICS)
    assert list(s.score_table(rows, "seed").index) == [0]
