from collections import Counter

import pytest

from elrcn.config import PROFILES, CorpusConfig
from elrcn.corpus.person import (
    CASME2_TABLE,
    SAMM_TABLE,
    UNITS,
    allocate,
    largest_remainder,
    row_class,
)
from elrcn.corpus.plan import plan_corpus
from elrcn.errors import ElrcnError
from elrcn.facs import EMOTIONS, objective_class, parse


def of(plans, database):
    return [p for p in plans if p.database == database]


@pytest.fixture(scope="module")
def full():
    return plan_corpus(PROFILES["paper"].corpus)


def test_full_corpus_has_the_published_emotions(full):
    counts = Counter(p.emotion for p in of(full, "CASME2"))
    assert counts == {
        "others": 99,
        "disgust": 63,
        "happiness": 32,
        "repression": 27,
        "surprise": 25,
    }
    assert set(counts) == set(EMOTIONS)


def test_full_corpus_has_the_published_objective_classes(full):
    counts = Counter(p.objective_class for p in of(full, "CASME2"))
    assert [counts[c] for c in ("I", "II", "III", "IV", "V", "VI", "VII")] == [
        25, 15, 99, 26, 20, 1, 60,
    ]  # fmt: skip
    counts = Counter(p.objective_class for p in of(full, "SAMM"))
    assert [counts[c] for c in ("I", "II", "III", "IV", "V")] == [24, 13, 20, 8, 3]


def test_full_corpus_has_every_subject(full):
    assert len({p.subject for p in of(full, "CASME2")}) == 26
    assert len({p.subject for p in of(full, "SAMM")}) == 21
    sizes = Counter(p.subject for p in of(full, "CASME2")).values()
    assert min(sizes) >= 1 and max(sizes) >= 2 * min(sizes)


def test_clip_lengths_stay_in_the_published_ranges(full):
    for database, low, high, median in (("CASME2", 24, 141, 61), ("SAMM", 30, 101, 78)):
        lengths = sorted(p.length for p in of(full, database))
        assert low <= lengths[0] and lengths[-1] <= high
        assert abs(lengths[len(lengths) // 2] - median) <= 8


def test_emotions_overlap_in_action_units_as_the_real_ones_do():
    shared = {}
    for emotion, units, _ in CASME2_TABLE:
        shared.setdefault(units, set()).add(emotion)
    assert shared["4"] == {"others", "disgust"}
    assert shared["14"] == {"happiness", "repression", "others"}
    assert shared["17"] == {"repression", "others"}


@pytest.mark.parametrize("profile", ["smoke", "demo", "paper"])
def test_class_follows_from_the_units_that_are_written_and_played(profile):
    for p in plan_corpus(PROFILES[profile].corpus):
        written = parse(p.unit_text).numbers
        assert objective_class(written) == p.objective_class
        played = {n for n, _ in p.units}
        assert played <= set(UNITS)
        if written:
            assert written == played
            assert objective_class(played) == p.objective_class


def test_demo_is_as_large_as_promised_and_every_class_has_several_subjects():
    plans = plan_corpus(PROFILES["demo"].corpus)
    assert len(plans) >= 110
    casme2 = of(plans, "CASME2")
    assert len({p.subject for p in casme2}) >= 10
    assert len({p.subject for p in of(plans, "SAMM")}) >= 7
    for emotion in EMOTIONS:
        assert len({p.subject for p in casme2 if p.emotion == emotion}) >= 3


def test_amplitudes_are_those_of_micro_expressions():
    peaks = [max(p.peaks) for p in plan_corpus(PROFILES["paper"].corpus)]
    assert 0.5 <= min(peaks) and max(peaks) <= 3.0


def test_one_sided_variants_and_the_quirks_of_the_sheets_occur(full):
    sides = Counter(side for p in full for _, side in p.units)
    assert sides["L"] and sides["R"] and sides["A"]
    assert sum(not p.apex_known for p in of(full, "CASME2")) == 1
    assert {p.digits for p in of(full, "SAMM")} == {4, 5}
    assert any(p.before for p in full) and not all(p.before for p in full)
    assert any(p.unit_text.endswith(" ") for p in of(full, "SAMM"))
    assert any(p.unit_text == "?" for p in of(full, "CASME2"))


def test_names_are_unique(full):
    assert len({p.clip_id for p in full}) == len(full)


@pytest.mark.parametrize("table", [CASME2_TABLE, SAMM_TABLE])
@pytest.mark.parametrize("clips", [1, 2, 7, 12, 28, 31, 88, 100])
def test_allocation_keeps_both_totals(table, clips):
    rows = allocate(table, clips)
    assert len(rows) == clips
    full = sum(n for _, _, n in table)
    for index in (0, 1):
        labels = [(e, row_class(u))[index] for e, u, _ in table]
        got = Counter((e, row_class(u))[index] for e, u in rows)
        for label in set(labels):
            exact = (
                clips
                / full
                * sum(n for (_, _, n), other in zip(table, labels, strict=True) if other == label)
            )
            assert abs(got[label] - exact) < 2


def test_largest_remainder_is_proportional():
    assert largest_remainder([1, 1, 2], 8).tolist() == [2, 2, 4]
    assert largest_remainder([1, 1, 1], 4).tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    "changes", [{"casme2_subjects": 0}, {"samm_subjects": 99, "samm_clips": 5}]
)
def test_impossible_sizes_are_refused(changes):
    with pytest.raises(ElrcnError, match="clips cannot have"):
        plan_corpus(CorpusConfig(**changes))
