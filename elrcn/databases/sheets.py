"""Label sheets: any .xlsx or .xls to rows under known column names, and cells to values."""

from __future__ import annotations

import datetime
import io
import re
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from elrcn.errors import ElrcnError

COLUMN_NAMES = {
    "subject": ("subject", "subjects", "subjectid"),
    "filename": ("filename", "filenames", "clip"),
    "onset": ("onset", "onsetframe"),
    "apex": ("apex", "apexframe"),
    "offset": ("offset", "offsetframe"),
    "action_units": ("actionunits", "actionunit", "aus", "au"),
    "emotion": ("estimatedemotion", "emotion"),
    "objective_class": ("objectiveclass", "objectiveclasses"),
    "micro": ("micro",),
}
_TITLES = {
    "subject": "Subject",
    "filename": "Filename",
    "onset": "Onset Frame",
    "apex": "Apex Frame",
    "offset": "Offset Frame",
    "action_units": "Action Units",
    "emotion": "Estimated Emotion",
    "objective_class": "Objective Class",
}
LABEL_COLUMNS = ("subject", "filename", "onset", "apex", "offset", "action_units", "emotion")
MISSING = frozenset(("", "/", "\\", "?", "-", "--", "na", "n/a", "nan", "none", "null", "#n/a"))
_HEADER_WITHIN = 60
_MOST_ROWS = 20_000
_KNOWN = {alias: name for name, aliases in COLUMN_NAMES.items() for alias in aliases}


@dataclass(frozen=True)
class SheetTable:
    """The rows below a header.

    Attributes
    ----------
    path : Path
        The workbook.
    sheet : str
        Name of the sheet in it.
    header_row : int
        Row of the header, counting from 1.
    columns : tuple of str
        Known columns found (keys of `COLUMN_NAMES`).
    rows : tuple of (int, dict)
        Row number in the sheet, counting from 1, and cell by column name.
    """

    path: Path
    sheet: str
    header_row: int
    columns: tuple[str, ...]
    rows: tuple[tuple[int, dict[str, Any]], ...]

    def where(self, row: int) -> str:
        """Return "workbook, row n" for a message."""
        return f"{self.path.name}, row {row}"


class Sheet(NamedTuple):
    """A sheet as read: its name, its rows, and the cells that are merged.

    `merged` holds (first row, last row, column) of the first column of each merged range, all
    counting from 0; the value of such cells stands in the first row alone.
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
        raise ElrcnError(
            f"The sheet cannot be read: {error.strerror or error}.",
            where=path,
            fix="check the path and the file's permissions",
        ) from None
    try:
        if data[:4] == b"PK\x03\x04":
            return _read_xlsx(data)
        if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
            return _read_xls(data)
    except Exception as error:  # both parsers raise nearly anything on a damaged file
        raise ElrcnError(
            f"The sheet is damaged or encrypted ({type(error).__name__}: {error}).",
            where=path,
            fix="open it in a spreadsheet program and save it as .xlsx",
        ) from None
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

    def opened(formats):
        return xlrd.open_workbook(
            file_contents=data, logfile=io.StringIO(), formatting_info=formats
        )

    try:
        book = opened(True)  # only so does it tell which cells are merged
    except Exception:  # formats that it does not know; a damaged file fails again
        book = opened(False)

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
    found = []
    for sheet in read_workbook(path):
        header = _header(sheet.rows)
        if header is not None:
            found.append(_table(Path(path), sheet, header))
    return found


def _header(rows):
    """Return the index of the row with most known column names (at least two), or None."""
    scores = [
        len({_KNOWN.get(_squeeze(cell)) for cell in row} - {None}) for row in rows[:_HEADER_WITHIN]
    ]
    best = max(scores, default=0)
    return scores.index(best) if best >= 2 else None


def _table(path, sheet, header):
    name, rows, _ = sheet
    if len(rows) >= _MOST_ROWS:
        raise ElrcnError(
            f"The sheet {name!r} has {_MOST_ROWS} rows or more.",
            where=path,
            fix="use the sheet as the database's authors distribute it",
        )
    at: dict[str, int] = {}
    for index, cell in enumerate(rows[header]):
        column = _KNOWN.get(_squeeze(cell))
        if column in at:
            raise ElrcnError(
                f"The sheet {name!r} has two columns for {text(cell)!r}.",
                where=f"{path}, row {header + 1}",
                fix="remove or rename one",
            )
        if column:
            at[column] = index
    filled = _filled(sheet, header)
    body = []
    for number, row in enumerate(rows[header + 1 :], start=header + 2):
        own = {c: row[i] if i < len(row) else None for c, i in at.items()}
        if any(text(cell) for cell in own.values()):
            body.append((number, {c: filled.get((number - 1, at[c]), own[c]) for c in at}))
    return SheetTable(path, name, header + 1, tuple(at), tuple(body))


def _filled(sheet, header):
    """Return the value of each cell below `header` that is merged with the one above, by place."""
    filled = {}
    for top, bottom, column in sheet.merged:
        if header < top < len(sheet.rows) and column < len(sheet.rows[top]):
            value = sheet.rows[top][column]
            for row in range(top + 1, min(bottom + 1, len(sheet.rows))):
                filled[row, column] = value
    return filled


def require(table: SheetTable, columns: tuple[str, ...]) -> SheetTable:
    """Return `table` if it has `columns`; otherwise raise an `ElrcnError` that names the rest.

    The only sheet whose `columns` hold a class is that of objective classes.
    """
    missing = [_TITLES[c] for c in columns if c not in table.columns]
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
    if isinstance(cell, Real) and not isinstance(cell, (bool, Integral)):
        if float(cell).is_integer():
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
