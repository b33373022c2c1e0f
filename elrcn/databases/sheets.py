"""Label sheets: workbooks, their tables, the labels in them, and corrections of labels."""

from __future__ import annotations

import csv
import datetime
import io
import re
import unicodedata
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from elrcn.errors import ElrcnError
from elrcn.facs import OBJECTIVE_CLASSES, ParsedUnits, normalise_text, objective_class, parse
from elrcn.manifest import Findings
from elrcn.workspace import data_manifest_folder

#: Titles by which a column is known, however spaced and cased; messages name the first.
COLUMN_NAMES = {
    "subject": ("Subject", "Subjects", "Subject ID"),
    "filename": ("Filename", "Filenames", "Clip"),
    "onset": ("Onset Frame", "Onset"),
    "apex": ("Apex Frame", "Apex"),
    "offset": ("Offset Frame", "Offset"),
    "action_units": ("Action Units", "Action Unit", "AUs", "AU"),
    "emotion": ("Estimated Emotion", "Emotion"),
    "objective_class": ("Objective Class", "Objective Classes"),
    "micro": ("Micro",),
}
LABEL_COLUMNS = ("subject", "filename", "onset", "apex", "offset", "action_units", "emotion")
MISSING = frozenset(("", "/", "\\", "?", "-", "--", "na", "n/a", "nan", "none", "null", "#n/a"))
_HEADER_WITHIN = 60
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class SheetTable:
    """The rows below a header; rows of a sheet count from 1."""

    path: Path  # the workbook
    sheet: str  # name of the sheet in it
    header_row: int
    columns: tuple[str, ...]  # known columns found, keys of `COLUMN_NAMES`
    rows: tuple[tuple[int, dict[str, Any]], ...]  # row number, and cell by column

    def where(self, row: int) -> str:
        """Return "workbook, row n" for a message."""
        return f"{self.path.name}, row {row}"


class Sheet(NamedTuple):
    """A sheet as read: its name, its rows, and (first row, last row, column) of each merged range.

    Rows and columns of `merged` count from 0, `column` is the range's first; the value of its cells
    stands in the first row alone.
    """

    name: str
    rows: list[tuple]
    merged: list[tuple[int, int, int]]


class UnreadableCell(ValueError):
    """A cell that holds something, but not what its column should hold."""


def read_workbook(path: Path) -> list[Sheet]:
    """Return the sheets of a workbook; the content, not the name, tells its kind.

    Raises
    ------
    ElrcnError
        If the file is missing, unreadable, encrypted or no Excel workbook.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        what = f"The sheet cannot be read: {error.strerror or error}."
        fix = "check the path and the file's permissions"
        raise ElrcnError(what, where=path, fix=fix) from None
    try:
        if data[:4] == b"PK\x03\x04":
            return _read_xlsx(data)
        if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            return _read_xls(data)
    except Exception as error:  # both parsers raise nearly anything on a damaged file
        what = f"The sheet is damaged or encrypted ({type(error).__name__}: {error})."
        fix = "open it in a spreadsheet program and save it as .xlsx"
        raise ElrcnError(what, where=path, fix=fix) from None
    raise ElrcnError("The sheet is no Excel workbook.", where=path, fix="save it as .xlsx or .xls")


def _read_xlsx(data):
    import openpyxl

    if sum(i.file_size for i in zipfile.ZipFile(io.BytesIO(data)).infolist()) > 1 << 28:
        raise ValueError("it unpacks to more than 256 MiB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write a wrong extent
            rows = _first_rows(sheet.iter_rows(values_only=True))
            sheets.append(Sheet(sheet.title, rows, _merged_xlsx(sheet)))
        return sheets


def _merged_xlsx(sheet):
    """Read the merged ranges, which openpyxl passes over where it reads row by row."""
    from openpyxl.utils import range_boundaries

    merged = []
    with sheet._get_source() as source:
        for _, element in ElementTree.iterparse(source):
            if element.tag.rpartition("}")[2] == "mergeCell":
                left, top, _, bottom = range_boundaries(element.get("ref"))
                merged.append((top - 1, bottom - 1, left - 1))
            element.clear()
    return merged


def _read_xls(data):
    import xlrd

    options = {"file_contents": data, "logfile": io.StringIO()}
    try:
        book = xlrd.open_workbook(**options, formatting_info=True)  # only so it tells merged cells
    except Exception:  # formats that it does not know; a damaged file fails again
        book = xlrd.open_workbook(**options)

    def value(cell):
        if cell.ctype == xlrd.XL_CELL_DATE:
            return xlrd.xldate_as_datetime(cell.value, book.datemode)
        if cell.ctype == xlrd.XL_CELL_ERROR:
            return xlrd.error_text_from_code.get(cell.value, "#ERROR")
        return bool(cell.value) if cell.ctype == xlrd.XL_CELL_BOOLEAN else cell.value

    return [
        Sheet(
            sheet.name,
            _first_rows(tuple(map(value, sheet.row(r))) for r in range(sheet.nrows)),
            [(top, end - 1, left) for top, end, left, _ in sheet.merged_cells],
        )
        for sheet in book.sheets()
    ]


def _first_rows(rows):
    kept, blank = [], 0
    for row in rows:
        kept.append(tuple(row))
        blank = 0 if any(text(c) for c in row) else blank + 1
        if blank > 1000 or len(kept) >= _MOST_ROWS:  # formatted but empty to the last row
            break
    return kept


def tables(path: Path) -> list[SheetTable]:
    """Return the table of each sheet of a workbook that has a header, in the workbook's order.

    Raises
    ------
    ElrcnError
        As `read_workbook`, if a header names a column twice, and if a table is too long.
    """
    found = [_table(Path(path), sheet) for sheet in read_workbook(path)]
    return [table for table in found if table is not None]


def _table(path: Path, sheet: Sheet) -> SheetTable | None:
    """Return the rows below the header: the row with most known column names, at least two."""
    name, rows, merged = sheet
    titles = [[_KNOWN.get(_squeeze(cell)) for cell in row] for row in rows[:_HEADER_WITHIN]]
    scores = [len(set(columns) - {None}) for columns in titles]
    if max(scores, default=0) < 2:
        return None
    header = scores.index(max(scores))
    if len(rows) >= _MOST_ROWS:
        what = f"The sheet {name!r} has {_MOST_ROWS} rows or more."
        fix = "use the sheet as the database's authors distribute it"
        raise ElrcnError(what, where=path, fix=fix)
    at: dict[str, int] = {}
    for index, column in enumerate(titles[header]):
        if column in at:
            what = f"The sheet {name!r} has two columns for {text(rows[header][index])!r}."
            raise ElrcnError(what, where=f"{path}, row {header + 1}", fix="remove or rename one")
        if column:
            at[column] = index
    filled = {  # cells that are merged with the one above, by place
        (row, column): rows[top][column]
        for top, bottom, column in merged
        if header < top < len(rows) and column < len(rows[top])
        for row in range(top + 1, min(bottom + 1, len(rows)))
    }
    body = []
    for i, row in enumerate(rows[header + 1 :], start=header + 1):
        own = {c: row[j] if j < len(row) else None for c, j in at.items()}
        if any(text(cell) for cell in own.values()):
            body.append((i + 1, {c: filled.get((i, at[c]), own[c]) for c in at}))
    return SheetTable(path, name, header + 1, tuple(at), tuple(body))


def require(table: SheetTable, columns: tuple[str, ...]) -> SheetTable:
    """Return `table` if it has `columns`; otherwise raise an `ElrcnError` that names the rest.

    The only sheet whose `columns` hold a class is that of objective classes.
    """
    missing = [COLUMN_NAMES[c][0] for c in columns if c not in table.columns]
    what = "sheet of objective classes" if "objective_class" in columns else "label sheet"
    if missing:
        raise ElrcnError(
            f"The {what} lacks the column {', '.join(missing)}.",
            where=f"{table.path}, sheet {table.sheet!r}, header in row {table.header_row}",
            fix="use the sheet as the database's authors distribute it",
        )
    return table


def text(cell) -> str:
    """Return a cell as text: width variants unified, blanks trimmed, 4.0 as "4". Never raises."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, Real) and not isinstance(cell, Integral) and float(cell).is_integer():
        cell = int(cell)
    return " ".join(unicodedata.normalize("NFKC", str(cell)).replace("\u200b", "").split())


def frame_number(cell) -> int | None:
    """Return a frame number, or None where the cell says there is none ("/", -1, 0, blank).

    Raises
    ------
    UnreadableCell
        If it holds anything else.
    """
    written = text(cell)
    if written.casefold() in MISSING:
        return None
    plain = re.fullmatch(r"([+-]?\d{1,9})(?:\.0*)?", written, re.ASCII)
    if isinstance(cell, (bool, datetime.date, datetime.time)) or not plain:
        raise UnreadableCell(f"{written[:40]!r} is no frame number")
    number = int(plain[1])
    if number < -1:
        raise UnreadableCell(f"{number} is no frame number")
    return number if number > 0 else None


def _squeeze(cell) -> str:
    return re.sub(r"[^a-z0-9]", "", text(cell).casefold())


_KNOWN = {_squeeze(title): name for name, titles in COLUMN_NAMES.items() for title in titles}
FIELDS = ("onset", "apex", "offset", "action_units", "emotion", "objective_class")


class Correction(NamedTuple):
    """Replace one cell: `field` of clip `clip_id` becomes `value`, because of `reason`."""

    database: str
    clip_id: str
    field: str
    value: str
    reason: str


def load_corrections(choice: bool | str | Path = True) -> list[Correction]:
    """Return the repairs of ``data_manifest/corrections.csv``, of another file, or (False) none.

    Raises
    ------
    ElrcnError
        If the file is missing or a line names no reason, an unknown field or a clip twice.
    """
    if choice is False:
        return []
    path = data_manifest_folder() / "corrections.csv" if choice is True else Path(choice)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = f"The corrections cannot be read: {error}."
        fix = "give another file, or turn corrections off"
        raise ElrcnError(what, where=path, fix=fix) from None
    if tuple(reader.fieldnames or ()) != Correction._fields:
        fix = f"use {','.join(Correction._fields)}"
        raise ElrcnError("The corrections have the wrong columns.", where=path, fix=fix)
    seen: dict[tuple[str, str], Correction] = {}
    for number, line in enumerate(lines, start=2):
        one = Correction(*((line[name] or "").strip() for name in Correction._fields))
        key = (one.clip_id.casefold(), one.field)
        begins = one.database and one.clip_id.startswith(f"{one.database}/")
        problems = {
            f"there is no field {one.field!r} to correct": one.field not in FIELDS,
            "it gives no reason": not one.reason,
            f"the clip id does not begin with {one.database}/": not begins,
            "it corrects the same field as an earlier line": key in seen,
            "it has too many columns": None in line,
        }
        for problem, found in problems.items():
            if found:
                what = f"A correction cannot be used: {problem}."
                fix = "mend the line, or turn corrections off"
                raise ElrcnError(what, where=f"{path}, line {number}", fix=fix)
        seen[key] = one
    return list(seen.values())


_ALIASES = {"other": "others"}
_CASED = re.compile(r"ep\d", re.IGNORECASE)
_UNSAFE = re.compile(r"[/\\:\x00-\x1f]|^\.+$|^~")


@dataclass(frozen=True)
class Naming:
    """How one database, "CASME2" or "SAMM", names things."""

    database: str
    subject: re.Pattern  # a subject as a cell or folder names it; group 1 is its number
    width: int  # digits of a subject in ids
    folder: str  # format of the subject's part of a clip id
    frame: re.Pattern  # stem of a frame's file name; the last group is the number
    emotions: tuple[str, ...]  # those its sheets hold, lower case

    def clip_id(self, subject: int, name: str) -> str:
        """Return the clip's id, the same whatever case the sheet or the folder is written in."""
        name = "EP" + name[2:].lower() if _CASED.match(name) else name
        return f"{self.database}/{self.folder.format(subject)}/{name}"

    def subject_id(self, subject: int) -> str:
        """Return the database-prefixed subject id."""
        return f"{self.database}/{subject:0{self.width}d}"


@dataclass(frozen=True)
class Label:
    """One row of a label sheet, read."""

    clip_id: str
    subject: int
    name: str
    where: str
    onset: int | None
    apex: int | None
    offset: int | None
    action_units: str
    units: ParsedUnits
    emotion: str
    sheet_class: str  # "" where the sheet has no objective class for the clip

    @property
    def usable(self) -> bool:
        """Whether onset and offset are known; otherwise the clip is labelled and cannot be used."""
        return self.onset is not None and self.offset is not None

    @property
    def objective_class(self) -> str:
        """Class of the sheet, else that of the action units (the first reading of the cell)."""
        return self.sheet_class or objective_class(self.units.readings[0])

    @property
    def key(self) -> tuple[int, str]:
        """Subject number and casefolded clip name, to match folders with."""
        return self.subject, self.name.casefold()


def read_clip_name(
    naming: Naming, cells: Mapping[str, Any], where: str, findings: Findings
) -> tuple[int, str] | None:
    """Return a row's subject number and clip name; None, with a finding, if it has none."""
    subject, name = text(cells.get("subject")), text(cells.get("filename"))
    match = naming.subject.fullmatch(subject)
    if not subject or not name:
        missing = "Filename" if subject else "Subject"
        findings.remark("unnamed", f"the row has no {missing} and was left out", where)
    elif not match or int(match[1]) == 0:
        findings.error(f"{subject[:40]!r} is no subject of {naming.database}", where)
    elif _UNSAFE.search(name) or len(name) > 80:
        findings.error(f"Filename {name[:60]!r} is no clip's name; nothing was read there", where)
    else:
        return int(match[1]), name
    return None


def read_labels(
    naming: Naming,
    table: SheetTable,
    corrections: Iterable[Correction] = (),
    classes: Mapping[tuple[int, str], str] | None = None,
) -> tuple[list[Label], Findings]:
    """Read every row of a label sheet.

    Parameters
    ----------
    classes : mapping, optional
        Objective class by `Label.key` from a sheet of their own; it overrules the sheet's column.

    Returns
    -------
    labels : list of Label
        In the sheet's order, one a clip.
    findings : Findings
        Each row left out and each cell that could not be read.
    """
    repairs: dict[str, list[Correction]] = {}
    for one in corrections:
        if one.database == naming.database:
            repairs.setdefault(one.clip_id.casefold(), []).append(one)
    unmet = dict.fromkeys(one for found in repairs.values() for one in found)
    labels: dict[tuple[int, str], Label | None] = {}
    findings = Findings()
    classed = classes is None and "objective_class" in table.columns
    for row, cells in table.rows:
        where = table.where(row)
        name = read_clip_name(naming, cells, where, findings)
        if name is None:
            continue
        clip_id = naming.clip_id(*name)
        if text(cells.get("micro")).casefold().startswith("macro"):
            findings.remark("macro", "a macro-expression, left out", where, clip_id)
            continue
        cells = dict(cells)
        if classes is not None:
            cells["objective_class"] = classes.get((name[0], name[1].casefold()), "")
        for one in repairs.get(clip_id.casefold(), ()):
            unmet.pop(one, None)
            old = text(cells.get(one.field))
            if old.casefold() != one.value.casefold():
                cells[one.field] = one.value
                what = f"{one.field} corrected from {old!r} to {one.value!r}: {one.reason}"
                findings.remark("corrected", what, where, clip_id)
        label = _read_row(naming, clip_id, name, cells, where, classed, findings)
        if label is None:
            continue
        first = labels.setdefault(label.key, label)
        if first is label:
            continue
        if first and replace(first, where=where) == label:
            findings.remark("repeated", "the same row again; the first counts", where, clip_id)
            continue
        labels[label.key] = None  # which of the two is right cannot be known
        places = f"{first.where} and {where}" if first else where
        findings.error("rows disagree about the clip", places, clip_id)
    for one in unmet:
        what = f"the correction of {one.field} meets no row"
        findings.remark("unmet", what, table.path.name, one.clip_id)
    return [label for label in labels.values() if label], findings


def _read_row(naming, clip_id, name, cells, where, classed, findings) -> Label | None:
    """Return the row's label, None if a number cannot be read.

    `classed`: the sheet has a column of objective classes that counts.
    """

    def remark(kind, what):
        findings.remark(kind, what, where, clip_id)

    frames: dict[str, int | None] = {}
    for column in ("onset", "apex", "offset"):
        try:
            frames[column] = frame_number(cells.get(column))
        except UnreadableCell as error:
            if column != "apex":
                findings.error(f"{column} {error}", where, clip_id)
                return None
            frames[column] = None
            remark("apex-unread", f"apex {error}; taken as unknown")
    for column in ("onset", "offset"):
        if frames[column] is None:
            shown = text(cells.get(column)) or "blank"
            remark("blank", f"{column} is {shown}; the clip needs a line in corrections.csv")
    onset, apex, offset = frames.values()
    if onset is not None and offset is not None:
        if offset < onset:
            findings.error(f"offset {offset} comes before onset {onset}", where, clip_id)
            return None
        if offset == onset:
            findings.error(f"the clip has one frame ({onset}); motion needs two", where, clip_id)
            return None
        if apex is not None and not onset <= apex <= offset:
            remark("apex", f"apex {apex} lies outside {onset}..{offset}; taken as unknown")
            frames["apex"] = None
    written = normalise_text(cells.get("action_units"))[:200]
    units = parse(written)
    if units.unparsed:
        remark("units", f"not action units: {', '.join(map(repr, units.unparsed))}"[:200])
    emotion = text(cells.get("emotion")).casefold()
    emotion = _ALIASES.get(emotion, emotion)
    if emotion not in naming.emotions:
        remark("emotion", f"emotion {emotion[:40]!r} is not known; none taken")
        emotion = ""
    sheet_class = read_class(cells.get("objective_class"))
    if sheet_class is None:
        shown = text(cells.get("objective_class"))[:40]
        remark("rule", f"objective class {shown!r} is none of I to VII; the rule decides")
    elif classed and not sheet_class:
        remark("rule", "no objective class in the sheet; the rule decides")
    return Label(
        clip_id=clip_id,
        subject=name[0],
        name=name[1],
        where=where,
        **frames,
        action_units=written,
        units=units,
        emotion=emotion,
        sheet_class=sheet_class or "",
    )


def require_classes(table: SheetTable, labels: list[Label]) -> None:
    """Raise an `ElrcnError` if `table` has a column of objective classes and no class in it.

    Formulas that were never computed look so, and the action-unit rule would give every class.
    """
    if "objective_class" in table.columns and labels and not any(o.sheet_class for o in labels):
        raise ElrcnError(
            "The column of objective classes holds no class from I to VII.",
            where=f"{table.path}, sheet {table.sheet!r}, header in row {table.header_row}",
            fix="use the sheet as the database's authors distribute it, or remove the column to "
            "let the action-unit rule give every class",
        )


def read_class(cell: Any) -> str | None:
    """Return "I" to "VII" for 1 to 7 or a Roman numeral, "" for a blank, None for the rest."""
    written = text(cell).upper()
    if not written:
        return ""
    if written in OBJECTIVE_CLASSES:
        return written
    by_number = {str(i): name for i, name in enumerate(OBJECTIVE_CLASSES, start=1)}
    return None if isinstance(cell, bool) else by_number.get(written)
