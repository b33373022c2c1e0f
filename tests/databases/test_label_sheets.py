import datetime
import string

import openpyxl
import pytest
import xlwt
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import CASME2, casme2_rows, samm_rows, write_book

from elrcn.databases import casme2, samm
from elrcn.databases.sheets import (
    LABEL_COLUMNS,
    SheetTable,
    UnreadableCell,
    frame_number,
    read_class,
    read_labels,
    read_workbook,
    tables,
    text,
)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (46, 46),
        (46.0, 46),
        ("46", 46),
        (" 046 ", 46),
        ("46.0", 46),
        *((cell, None) for cell in ("/", " / ", "", None, 0, -1, "-1", "?", "N/A", float("nan"))),
    ],
)
def test_frame_numbers(cell, number):
    assert frame_number(cell) == number


@pytest.mark.parametrize(
    "cell", [46.5, "early", "4 6", True, -2, "1e3", float("inf"), datetime.date(2014, 5, 8), 10**12]
)
def test_what_is_no_frame_number(cell):
    with pytest.raises(UnreadableCell, match="no frame number"):
        frame_number(cell)


@pytest.mark.parametrize(
    ("cell", "name"),
    [(1, "I"), (7.0, "VII"), ("3", "III"), ("iv", "IV"), ("\u2162", "III"), (None, ""), (" ", "")],
)
def test_classes(cell, name):
    assert read_class(cell) == name


@pytest.mark.parametrize("cell", [0, 8, "VIII", 2.5, True, "x"])
def test_what_is_no_class(cell):
    assert read_class(cell) is None


def test_header_is_found_below_notes_and_whatever_its_spelling(tmp_path):
    rows = [("a note",), (), (" SUBJECT ", "File name", "onset_frame", "Apex", "OffsetFrame\n")]
    path = write_book(tmp_path / "x.xlsx", {"empty": [], "one": [*rows, ("01", "EP01", 1, 2, 3)]})
    (table,) = tables(path)
    assert (table.sheet, table.header_row) == ("one", 3)
    assert table.columns == ("subject", "filename", "onset", "apex", "offset")
    assert table.rows[0][0] == 4
    assert table.where(4) == "x.xlsx, row 4"


def test_row_numbers_survive_blank_rows(tmp_path):
    book = openpyxl.Workbook()
    for c, name in enumerate(("Subject", "Filename", "Objective Class"), 1):
        book.active.cell(2, c, name)
    book.active.cell(9, 1, "01")
    book.save(tmp_path / "x.xlsx")
    (table,) = tables(tmp_path / "x.xlsx")
    assert (table.header_row, [row for row, _ in table.rows]) == (2, [9])


def test_a_sheet_formatted_to_its_last_row_is_read_quickly(tmp_path):
    book = openpyxl.Workbook()
    for row in casme2_rows(CASME2):
        book.active.append(row)
    book.active.cell(1_048_576, 20, " ")
    book.save(tmp_path / "x.xlsx")
    (table,) = tables(tmp_path / "x.xlsx")
    assert len(table.rows) == 5


def test_dates_and_truth_values_of_xls_keep_their_kind(tmp_path):
    book = xlwt.Workbook()
    sheet = book.add_sheet("s")
    day = xlwt.easyxf(num_format_str="YYYY-MM-DD")
    sheet.write(0, 0, datetime.date(2014, 4, 7), day)
    sheet.write(0, 1, True)
    sheet.write(0, 2, 4)
    book.save(str(tmp_path / "x.xls"))
    ((_, ((date, truth, number),), _),) = read_workbook(tmp_path / "x.xls")
    assert date == datetime.datetime(2014, 4, 7)
    assert truth is True
    assert text(number) == "4"


@pytest.mark.parametrize(("rows", "reader"), [(casme2_rows, casme2), (samm_rows, samm)])
def test_real_layouts(tmp_path, rows, reader):
    clips = [(c[0], f"{int(c[0]):03d}_1_{i}", *c[2:]) for i, c in enumerate(CASME2)]
    (table,) = tables(write_book(tmp_path / "x.xlsx", {"s": rows(clips)}))
    assert set(LABEL_COLUMNS) <= set(table.columns)
    labels, findings = read_labels(reader.NAMING, table)
    assert len(labels) == 5
    assert all("emotion 'repression'" in f.what for f in findings)  # an emotion SAMM does not code


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.text(alphabet=string.printable, max_size=12),
    st.datetimes(),
    st.sampled_from(["/", "-1", "01", "sub01", "EP02_01f", "../x", "4+7", "disgust", "III", " "]),
)
ROW = st.fixed_dictionaries(
    {
        "subject": st.one_of(st.integers(1, 30), CELLS),
        "filename": st.one_of(st.sampled_from(["EP01_01", "ep01_01", "006_1_2"]), CELLS),
        "onset": st.one_of(st.integers(0, 40), CELLS),
        "apex": st.one_of(st.integers(0, 60), CELLS),
        "offset": st.one_of(st.integers(20, 90), CELLS),
        "action_units": CELLS,
        "emotion": st.one_of(st.sampled_from(casme2.NAMING.emotions), CELLS),
        "objective_class": st.one_of(st.integers(1, 7), CELLS),
    }
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, max_size=6), st.sampled_from([casme2.NAMING, samm.NAMING]))
def test_no_sheet_makes_the_reader_fail(tmp_path_factory, cells, naming):
    rows = tuple(enumerate(cells, start=2))
    table = SheetTable(tmp_path_factory.getbasetemp() / "s.xlsx", "s", 1, LABEL_COLUMNS, rows)
    check(naming, table, rows)


def check(naming, table, rows):
    """Every accepted row is valid; every other row is named in a finding."""
    labels, findings = read_labels(naming, table)
    assert len({label.clip_id for label in labels}) == len(labels)
    for label in labels:
        assert 1 <= label.subject <= 999
        assert label.name
        assert not set(label.name) & set("/\\:\0\n")
        assert label.emotion in (*naming.emotions, "")
        assert label.sheet_class in ("", "I", "II", "III", "IV", "V", "VI", "VII")
        if label.usable:
            assert 1 <= label.onset < label.offset
            assert label.apex is None or label.onset <= label.apex <= label.offset
    accepted = {label.where for label in labels}
    named = " ; ".join(f"{f.where} " for f in findings)
    for row, _ in rows:
        assert table.where(row) in accepted or f"{table.where(row)} " in named
    for finding in findings:
        assert finding.level in ("remark", "error")
        assert finding.what


def writable(cell):
    """Tell whether a spreadsheet can hold the cell at all."""
    if isinstance(cell, str):
        return all(c == "\n" or c >= " " for c in cell) and not cell.startswith("=")
    return not isinstance(cell, float) or (cell == cell and abs(cell) < 1e300)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=4))
def test_nor_does_one_written_to_disk(tmp_path_factory, cells):
    cells = [{k: v if writable(v) else None for k, v in row.items()} for row in cells]
    path = tmp_path_factory.getbasetemp() / "property.xlsx"
    header = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units")
    header += ("Estimated Emotion", "Objective Classes")
    write_book(path, {"s": [header, *(tuple(row.values()) for row in cells)]})
    for table in tables(path):
        check(casme2.NAMING, table, table.rows)
