"""P(A > B), detectable differences and the bound of chance, against simulation and scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, nct, t

from elrcn.errors import ElrcnError
from elrcn.evaluation import decisions as d
from elrcn.evaluation.metrics import pooled, uar, war
from elrcn.evaluation.statistics import subject_pairs
from tests.evaluation.test_differences import rows_of, two_methods


def seeded(*parts):
    return pd.concat([part.assign(seed=i) for i, part in enumerate(parts)], ignore_index=True)


@pytest.fixture
def three_seeds():
    """Two methods of three seeds on the same clips, the first somewhat better."""
    pairs = [two_methods(seed, 0.06) for seed in (1, 2, 3)]
    first = pairs[0][0]
    same = first[["clip_id", "subject", "true", "fold"]]
    return tuple(
        seeded(
            *(
                first.assign(
                    predicted=np.where(p[k]["predicted"] == p[k]["true"], same["true"], "a")
                )
                for p in pairs
            )
        )
        for k in (0, 1)
    )


@pytest.mark.parametrize("per_fold", [False, True])
def test_probability_better_equals_drawing_subjects_and_seeds_row_by_row(three_seeds, per_fold):
    a, b = three_seeds
    folds = subject_pairs(a, b, per_fold=per_fold)
    found, values = d.probability_better(folds, uar, n=300, seed=1)
    g, wins = np.random.default_rng(0), []
    for _ in range(600):
        kept = {}
        groups = a.groupby("fold")["subject"].unique() if per_fold else [a["subject"].unique()]
        drawn = [g.choice(names, len(names)) for names in groups]
        for key, rows in (("a", a), ("b", b)):
            one = rows[rows["seed"] == g.integers(3)]
            parts = [
                pooled(pd.concat([one[one["subject"] == s] for s in names]).drop(columns="seed"))
                for names in drawn
            ]
            kept[key] = np.mean([p["uar"] for p in parts])
        gap = kept["a"] - kept["b"]
        wins.append(0.5 if abs(gap) < 1e-12 else gap > 0)
    assert found == pytest.approx(np.mean(wins), abs=0.06)  # 3 standard errors of 600 draws
    assert 0.5 < found < 1
    assert values.mean() == pytest.approx(found, abs=0.1)
    assert values.std() > 0.05


def test_probability_better_of_equals_is_a_half_and_changes_sides(three_seeds):
    a, b = three_seeds
    assert d.decide(a, a, n=40).probability == pytest.approx(0.5, abs=0.05)
    one = a[a["seed"] == 0]
    assert d.probability_better(subject_pairs(one, one), uar, n=20)[0] == 0.5
    there, back = d.decide(a, b, n=200), d.decide(b, a, n=200)
    assert there.probability == pytest.approx(1 - back.probability, abs=0.04)
    assert there.detectable == pytest.approx(back.detectable)
    assert there.low < there.probability < there.high


def test_advice_follows_the_interval_and_the_three_quarters():
    def advice(p, low, high):
        return d.Decision(p, low, high, 0.1).advice

    assert advice(0.7, 0.45, 0.9) == "no significant difference"
    assert advice(0.7, 0.55, 0.9) == "significant, not meaningful"
    assert advice(0.8, 0.55, 0.9) == "significant and meaningful"
    assert advice(0.1, 0.02, 0.3) == "significant and meaningful"
    assert advice(1.0, np.nan, np.nan) == "no significant difference"


def test_standard_error_is_that_of_a_mean_over_subjects_and_seeds():
    # With as many clips a subject WAR is the mean over subjects, whose error is known.
    a, b = two_methods(5, 0.1, subjects=12, clips=10)
    gap = pd.Series((a["predicted"] == a["true"]) * 1.0 - (b["predicted"] == b["true"]) * 1.0)
    by_subject = gap.groupby(a["subject"]).mean()
    over_subjects = by_subject.std(ddof=1) / np.sqrt(12)
    found = d.standard_error(subject_pairs(a, b), war, n=20000)
    assert found == pytest.approx(over_subjects, rel=0.02)

    worse = rows_of(np.zeros(120, bool), 12, 10, seed=5)
    best = rows_of(np.ones(120, bool), 12, 10, seed=5)
    seeds = seeded(best, worse)  # WAR 1 and 0: variance 1/2 over seeds, nothing over subjects' gap
    folds = subject_pairs(seeds, worse)
    assert d.standard_error(folds, war) == pytest.approx(np.sqrt(0.5 / 2), rel=1e-6)


@pytest.mark.parametrize("subjects", [5, 26, 68])
def test_power_factor_gives_the_power_it_says(subjects):
    df = subjects - 1
    found = nct.sf(t.ppf(0.975, df), df, d.power_factor(df))
    assert found == pytest.approx(0.8, abs=0.012)
    assert d.power_factor(10**6) == pytest.approx(2.802, abs=1e-3)


def test_detectable_difference_is_found_in_four_of_five_simulated_experiments():
    g, subjects, clips, gain, found = np.random.default_rng(0), 30, 20, 0.14, []
    sizes = []
    for _ in range(150):
        ease = g.uniform(0.2, 0.6, (subjects, 1))
        right = g.random((2, subjects, clips)) < np.stack([ease + gain, ease])
        pair = np.zeros((2, 1, subjects, 2, 2))
        pair[:, 0, :, 0, 0], pair[:, 0, :, 0, 1] = right.sum(-1), clips - right.sum(-1)
        sizes.append(d.detectable_difference([pair], war, n=300))
        gap = right[0].mean(-1) - right[1].mean(-1)
        error = gap.std(ddof=1) / np.sqrt(subjects)
        found.append(abs(gap.mean() / error) > t.ppf(0.975, subjects - 1))
    power, size = np.mean(found), np.mean(sizes)
    expected = nct.sf(t.ppf(0.975, 29), 29, gain / size * d.power_factor(29))
    assert power == pytest.approx(expected, abs=0.08)
    assert 0.5 < gain / size < 2  # neither trivially found nor never


@pytest.mark.parametrize("n", [1, 7, 68, 246])
@pytest.mark.parametrize("chance", [1 / 5, 1 / 3, 0.55])
def test_bound_above_chance_is_the_least_count_the_binomial_excludes(n, chance):
    least = next((k for k in range(n + 1) if binom.sf(k - 1, n, chance) <= 0.05), n + 1)
    assert d.least_above_chance(n, chance) == pytest.approx(least / n)


def test_settings_without_sense_are_refused():
    for call in (
        lambda: d.least_above_chance(0, 0.2),
        lambda: d.least_above_chance(10, 1.0),
    ):
        with pytest.raises(ElrcnError, match="between 0 and 1"):
            call()
    single = np.ones((2, 1, 1, 2, 2))
    assert np.isnan(d.detectable_difference([single], war))
