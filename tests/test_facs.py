import pytest
from hypothesis import given
from hypothesis import strategies as st

from elrcn.facs import (
    EMOTIONS,
    OBJECTIVE_CLASSES,
    ActionUnit,
    normalise_text,
    objective_class,
    parse,
    possible_classes,
)


@pytest.mark.parametrize(
    ("written", "units"),
    [
        (4, [ActionUnit(4)]),
        (4.0, [ActionUnit(4)]),
        ("4.0", [ActionUnit(4)]),
        ("4+7", [ActionUnit(4), ActionUnit(7)]),
        ("L12", [ActionUnit(12, "L")]),
        ("4+L10", [ActionUnit(4), ActionUnit(10, "L")]),
        ("R1+R2", [ActionUnit(1, "R"), ActionUnit(2, "R")]),
        ("7B", [ActionUnit(7, "", "B")]),
        ("A12", [ActionUnit(12, "A")]),
        ("L12A", [ActionUnit(12, "L", "A")]),
        ("T23", [ActionUnit(23, "T")]),
        ("4A/B", [ActionUnit(4, "", "A/B")]),
        ("A/L12", [ActionUnit(12, "A/L")]),
        ("ref(7B)+43C", [ActionUnit(7, "", "B", reference=True), ActionUnit(43, "", "C")]),
        ("L12 or L14", [ActionUnit(12, "L", uncertain=True), ActionUnit(14, "L", uncertain=True)]),
        ("12+15 ", [ActionUnit(12), ActionUnit(15)]),
        (" au12 + AU25", [ActionUnit(12), ActionUnit(25)]),
        ("4\uff0b7", [ActionUnit(4), ActionUnit(7)]),
        ("7?", [ActionUnit(7, uncertain=True)]),
        ("14L", [ActionUnit(14, "L")]),
        ("?", []),
        ("", []),
        (None, []),
        (float("nan"), []),
    ],
)
def test_spellings(written, units):
    parsed = parse(written)
    assert list(parsed.units) == units
    assert parsed.unparsed == ()


def test_alternatives_stay_apart():
    parsed = parse("(R6 or R12) + R15")
    assert parsed.readings == (frozenset({6, 15}), frozenset({12, 15}))
    assert [unit.uncertain for unit in parsed.units] == [True, True, False]
    assert possible_classes(parsed) == {"V", "VII"}
    assert parsed.numbers == {6, 12, 15}


@pytest.mark.parametrize(
    ("written", "unparsed", "numbers"),
    [
        ("R14+17+soft focus", ("soft focus",), {14, 17}),
        ("4+", (), {4}),
        ("127", ("127",), set()),
        ("0", ("0",), set()),
        ("1 2", ("1 2",), set()),
        ("4.7", ("4.7",), set()),
        (4.7, ("4.7",), set()),
        (True, ("True",), set()),
        ("12)", (")",), {12}),
        ("(12", ("(",), {12}),
        ("or 4", ("or",), {4}),
        ("L12L", ("L12L",), set()),
        ("x" * 300, ("x" * 40 + "...",), set()),
    ],
)
def test_what_is_no_unit_is_reported(written, unparsed, numbers):
    parsed = parse(written)
    assert parsed.unparsed == unparsed
    assert parsed.numbers == numbers


def test_a_question_mark_is_kept_as_unclear():
    assert parse("?").unclear
    assert parse("4+?").unclear
    assert not parse("4").unclear


def test_normalised_text_reads_the_same():
    assert normalise_text(" 4 +  7 ") == "4+7"
    assert normalise_text(4.0) == "4"
    assert parse(normalise_text("(R6 or R12) + R15")) == parse("(R6 or R12) + R15")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([6], "I"),
        ([12, 7, 6], "I"),
        ([1, 2], "II"),
        ([25, 26], "II"),
        ([4, 38], "III"),
        ([4, 7], "III"),
        ([4, 9, 17], "IV"),
        ([10], "IV"),
        ([1], "V"),
        ([17, 15], "V"),
        ([1, 2, 4], "VI"),
        ([20], "VI"),
        ([4, 10], "VII"),
        ([14], "VII"),
        ([], "VII"),
    ],
)
def test_objective_classes(numbers, expected):
    assert objective_class(numbers) == expected


def test_names():
    assert OBJECTIVE_CLASSES == ("I", "II", "III", "IV", "V", "VI", "VII")
    assert EMOTIONS == ("happiness", "disgust", "repression", "surprise", "others")


cells = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="0123456789LRATBabcde+/()? orefAU,;&", max_size=60),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.datetimes(),
    st.binary(max_size=5),
)


@given(cells)
def test_nothing_makes_the_parser_fail(cell):
    parsed = parse(cell)
    for unit in parsed.units:
        assert 1 <= unit.number <= 98
        assert set(unit.side) <= set("LRATBU/")
        assert set(unit.intensity) <= set("ABCDE/")
    assert 1 <= len(parsed.readings) <= 64
    assert all(reading <= parsed.numbers for reading in parsed.readings)
    assert possible_classes(parsed) <= set(OBJECTIVE_CLASSES)
    text = normalise_text(cell)
    if text.strip("+,;&/()? ") and not parsed.units:
        assert parsed.unparsed or parsed.unclear  # nothing written is dropped unsaid


units = st.builds(
    ActionUnit,
    st.integers(1, 98),
    st.sampled_from(["", "L", "R", "A", "T", "B"]),
    st.sampled_from(["", "A", "B", "C", "D", "E"]),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(units, max_size=8))
def test_units_written_down_are_read_back(written):
    assert list(parse(" + ".join(map(str, written))).units) == written
