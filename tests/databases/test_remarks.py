"""No clip leaves silently, and no sheet that cannot be read is silently done without."""

import openpyxl
import pytest
import xlwt
from layouts import (
    CASME2,
    SAMM,
    casme2_rows,
    changed,
    class_rows,
    samm_rows,
    write_book,
    write_casme2,
    write_frames,
    write_samm,
)

from elrcn.databases import casme2, samm
from elrcn.databases import readers as reader
from elrcn.errors import ElrcnError
from elrcn.manifest import KINDS, LEFT_OUT, Finding, count_by_kind, remark_line

QUIET = {"progress": False}
SHEET = "CASME2-coding-20140508.xlsx"
CLASSES = "CASME2-ObjectiveClasses.xlsx"
CODES = "SAMM_Micro_FACS_Codes_v2.xlsx"


def truncated(path):
    path.write_bytes(path.read_bytes()[:700])


def truncated_at_its_end(path):
    path.write_bytes(path.read_bytes()[:-30])


def encrypted(path):
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"EncryptedPackage" * 60)


def table(*rows):
    return lambda path: write_book(path, {"Sheet1": rows})


def link_out(path):
    path.rename(path.parent.parent / path.name)
    path.symlink_to(path.parent.parent / path.name)


def as_csv(path):
    path.unlink()
    path.with_suffix(".csv").write_text("Subject,Filename,Objective Class\n01,EP02_01f,3\n")


UNREADABLE = {
    "truncated": truncated,
    "truncated at its end": truncated_at_its_end,
    "empty": lambda path: path.write_bytes(b""),
    "a page": lambda path: path.write_bytes(b"<!DOCTYPE html><html>Sign in</html>"),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "encrypted": encrypted,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "other columns": table(("Person", "Video", "Klasse"), ("01", "EP02_01f", 3)),
    "one column": table(("Subject", "Video", "Klasse"), ("01", "EP02_01f", 3)),
    "no class column": table(("Subject", "Filename", "AU"), ("01", "EP02_01f", 4)),
    "no rows": table(("Subject", "Filename", "Objective Class")),
    "no classes": table(*class_rows([(*c[:7], None) for c in CASME2])),
    "formulas never computed": table(*class_rows([(*c[:7], "=1+2") for c in CASME2])),
    "another database's": table(*class_rows(SAMM)),
    "a link outwards": link_out,
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("gone.xlsx")),
    "a .csv": as_csv,
    "a download that broke off": lambda path: path.rename(f"{path}.crdownload"),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_class_sheet_that_cannot_be_read_is_an_error(tmp_path, how):
    root = write_casme2(tmp_path / "CASME2")
    UNREADABLE[how](root / CLASSES)
    with pytest.raises(ElrcnError) as caught:
        casme2.load(root, **QUIET)
    assert CLASSES.removesuffix(".xlsx") in str(caught.value)
    assert caught.value.fix


def test_only_an_absent_class_sheet_is_done_without(tmp_path):
    root = write_casme2(tmp_path / "CASME2", classes=None)
    (root / "objective.txt").write_text("a note is no sheet")
    reading = casme2.load(root, **QUIET)
    assert reading.manifest.table["objective_class"].tolist() == ["III", "I", "II", "VII", "VII"]
    assert [f.kind for f in reading.findings] == ["rule-all"]


def test_class_sheets_that_differ_are_a_question(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    write_book(root / "objective-2.xlsx", {"S": class_rows(CASME2)})
    assert casme2.load(root, **QUIET).findings == []
    write_book(root / "objective-2.xlsx", {"S": class_rows(changed(CASME2, 0, cls="V"))})
    with pytest.raises(ElrcnError, match="2 sheets of objective classes and they differ"):
        casme2.load(root, **QUIET)
    reading = casme2.load(root, objective_sheet=root / "objective-2.xlsx", **QUIET)
    assert reading.manifest.table["objective_class"][0] == "V"


@pytest.mark.parametrize("how", ["truncated", "empty", "a page", "encrypted", "a link outwards"])
@pytest.mark.parametrize("database", ["casme2", "samm"])
def test_no_other_workbook_is_done_without_either(tmp_path, database, how):
    """The older of two label sheets is the one wanted: the newer must not take its place."""
    if database == "casme2":
        root, read = write_casme2(tmp_path / "CASME2", classes=None), casme2
        write_casme2(root, sheet="coding-2019.xlsx", tenth=True, classes=None, frames=False)
        named = root / SHEET
    else:
        root, read = write_samm(tmp_path / "SAMM"), samm
        named = write_book(root / "again.xlsx", {"MICRO_ONLY": samm_rows(SAMM)})
    UNREADABLE[how](named)
    with pytest.raises(ElrcnError) as caught:
        read.load(root, **QUIET)
    assert named.name in str(caught.value)
    assert ("remove the link" if "link" in how else "move it away") in caught.value.fix


def test_named_sheets_need_no_other(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    (root / "x.xlsx").write_bytes(b"")
    options = {"sheet": root / SHEET, "objective_sheet": root / CLASSES}
    assert casme2.load(root, **options, **QUIET).findings == []
    with pytest.raises(ElrcnError, match="no Excel workbook"):
        casme2.load(root, **QUIET)


def test_a_workbook_without_a_table_is_named(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    write_book(root / "people.xlsx", {"S": [("Subject", "Age"), ("01", 20)]})
    (finding,) = casme2.load(root, **QUIET).findings
    assert (finding.kind, finding.where) == ("unused", "people.xlsx")


def test_a_blank_class_is_said(tmp_path):
    root = write_samm(tmp_path / "SAMM", changed(SAMM, 1, cls=None))
    reading = samm.load(root, **QUIET)
    assert [(f.kind, f.clip) for f in reading.findings] == [("rule", "SAMM/006/006_1_3")]
    root = write_casme2(tmp_path / "CASME2", changed(CASME2, 0, cls=" "), tenth=True, classes=None)
    reading = casme2.load(root, **QUIET)
    assert [f.kind for f in reading.findings] == ["rule", "revision"]


def test_a_column_of_classes_without_a_class_is_an_error(tmp_path):
    root = write_samm(tmp_path / "SAMM", [(*c[:7], None) for c in SAMM])
    with pytest.raises(ElrcnError, match="holds no class") as caught:
        samm.load(root, **QUIET)
    assert CODES in str(caught.value)
    rows = [(*c[:7], None) for c in CASME2]
    root = write_casme2(tmp_path / "CASME2", rows, tenth=True, classes=None)
    with pytest.raises(ElrcnError, match="holds no class"):
        casme2.load(root, **QUIET)


def test_a_class_that_cannot_be_read_is_said_once(tmp_path):
    root = write_casme2(tmp_path / "CASME2", changed(CASME2, 0, cls="9"))
    said = [f.what for f in casme2.load(root, **QUIET).findings]
    assert said == ["objective class '9' is none of I to VII; the rule decides"]


def test_a_correction_that_meets_no_row_is_said(tmp_path):
    root = write_casme2(tmp_path / "CASME2")
    repairs = tmp_path / "repairs.csv"
    repairs.write_text(
        "database,clip_id,field,value,reason\nCASME2,CASME2/sub01/EP02_1f,offset,70,misspelt\n"
    )
    (finding,) = casme2.load(root, corrections=repairs, **QUIET).findings
    assert (finding.kind, finding.clip) == ("unmet", "CASME2/sub01/EP02_1f")


# --- merged cells

TEN = [
    (subject, f"EP0{i}_01", 1, 3, 24, "4+7", "disgust", "III")
    for subject, count in (("01", 4), ("02", 1), ("03", 5))
    for i in range(1, count + 1)
]


def merged(rows, path, column, spans, first=2):
    """Write `rows`, then merge `spans` (rows of the table, counting from 0) in `column`."""
    rows = [list(row) for row in rows]
    for top, bottom in spans:
        for row in range(top + 1, bottom + 1):
            rows[first - 1 + row][column] = None
    if path.suffix == ".xls":
        book = xlwt.Workbook()
        sheet = book.add_sheet("S")
        starts = {first - 1 + top: first - 1 + bottom for top, bottom in spans}
        for r, row in enumerate(rows):
            for c, cell in enumerate(row):
                if cell is not None and c == column and r in starts:
                    sheet.write_merge(r, starts[r], c, c, cell)
                elif cell is not None:
                    sheet.write(r, c, cell)
        book.save(str(path))
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for top, bottom in spans:
            book.active.merge_cells(
                start_row=first + top,
                end_row=first + bottom,
                start_column=column + 1,
                end_column=column + 1,
            )
        book.save(path)


SPANS = [(0, 3), (5, 9)]


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    root = tmp_path_factory.mktemp("ten")
    for subject, name, onset, _, offset, *_ in TEN:
        write_frames(root / "Cropped" / f"sub{subject}" / name, onset, offset)
    return root


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_merged_subjects_are_those_of_every_row(ten, suffix):
    sheet, classes = ten / f"coding{suffix}", ten / f"objective{suffix}"
    merged(casme2_rows(TEN), sheet, 0, SPANS)
    merged(class_rows(TEN), classes, 0, SPANS)
    reading = casme2.load(ten, sheet, objective_sheet=classes, **QUIET)
    assert (reading.rows, len(reading.manifest), reading.findings) == (10, 10, [])
    assert reading.manifest.table["subject"].value_counts().to_dict() == {
        "CASME2/03": 5,
        "CASME2/01": 4,
        "CASME2/02": 1,
    }
    assert set(reading.manifest.table["objective_class"]) == {"III"}


def test_any_other_merged_column_is_filled_too_and_blank_rows_stay_blank(ten):
    sheet = ten / "emotions.xlsx"
    blank = [(None,) * 9] * 3
    merged([*casme2_rows(TEN), *blank], sheet, 8, [(0, 12)])
    reading = casme2.load(ten, sheet, objective_sheet=_classes_of(ten), **QUIET)
    assert (reading.rows, len(reading.manifest), reading.findings) == (10, 10, [])
    assert set(reading.manifest.table["emotion"]) == {"disgust"}


def _classes_of(root):
    return write_book(root / "classes.xlsx", {"S": class_rows(TEN)})


def test_subjects_left_blank_without_merging_are_named_row_by_row(ten):
    rows = [c if i in (0, 4, 5) else (None, *c[1:]) for i, c in enumerate(TEN)]
    sheet = write_book(ten / "blank.xlsx", {"S": casme2_rows(rows)})
    reading = casme2.load(ten, sheet, objective_sheet=_classes_of(ten), **QUIET)
    assert (reading.rows, len(reading.manifest)) == (10, 3)
    named = [f.where for f in reading.findings if f.kind == "unnamed"]
    assert named == [f"blank.xlsx, row {row}" for row in (3, 4, 5, 8, 9, 10, 11)]


def test_a_merged_title_above_the_header_does_no_harm(tmp_path):
    root = write_samm(tmp_path / "SAMM")
    book = openpyxl.load_workbook(root / CODES)
    book["MICRO_ONLY"].merge_cells("A1:L13")
    book.save(root / CODES)
    assert samm.load(root, **QUIET).findings == []


# --- every row is accounted for


def test_a_clip_that_left_without_a_word_would_be_an_error(tmp_path, monkeypatch):
    root = write_casme2(tmp_path / "CASME2")
    choose = reader._choose
    monkeypatch.setattr(
        reader, "_choose", lambda label, *a: () if label.subject == 1 else choose(label, *a)
    )
    reading = casme2.load(root, **QUIET)
    assert [(f.level, f.where, f.clip) for f in reading.findings] == [
        ("error", f"{SHEET}, row 2", "CASME2/sub01/EP02_01f"),
        ("error", f"{SHEET}, row 3", "CASME2/sub01/EP19_05f"),
    ]


# --- the line


def test_the_line_counts_what_there_is():
    assert remark_line([]) == ""
    found = [Finding("remark", "x", kind=kind) for kind in ["no-frames"] * 9 + ["apex"] * 3]
    line = "Remarks of the loaders: 12 (9 clips without frames, 3 apex frames outside the clip)"
    assert remark_line(found) == line
    assert remark_line(found[::-1]) == line
    one = Finding("remark", "x", kind="no-face")
    assert remark_line([one]) == (
        "Remarks of the loaders and of preprocessing: 1 (1 clip without a face, used whole)"
    )
    assert set(KINDS) >= LEFT_OUT
    for kind in KINDS:
        several = count_by_kind([Finding("remark", "x", kind=kind)] * 2)
        assert several.startswith("2 ") and "{" not in several
    assert count_by_kind([Finding("remark", "x", kind=k) for k in ("rule", "", "rule")]) == (
        "2 objective classes given by the action-unit rule, 1 other"
    )
