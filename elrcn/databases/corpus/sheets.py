"""The label sheets of both databases, byte for byte reproducible."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from pathlib import Path

from openpyxl import Workbook

from elrcn.databases.corpus.mark import MARK
from elrcn.databases.corpus.plan import ClipPlan
from elrcn.files import write

CASME2_HEADER = (
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
)
SAMM_HEADER = (
    "Subject",
    "Filename",
    "Inducement Code",
    "Onset Frame",
    "Apex Frame",
    "Offset Frame",
    "Duration",
    "Micro",
    "Action Units",
    "Estimated Emotion",
    "Objective Classes",
    "Notes",
)
SAMM_NOTES = (
    "Synthetic corpus in the layout of a database of spontaneous micro-movements",
    "No person is shown: every face is rendered from parameters",
    None,
    "Frames per second: 200",
    "Onset, apex and offset are frame numbers in the clip's folder",
    "Duration counts the frames from onset to offset, both included",
    "Apex -1: not coded",
    None,
    "Action units: number, then intensity A (trace) to E (maximum) where coded",
    "L left, R right, A asymmetric",
    "Objective classes follow from the action units alone",
    "Estimated emotion follows from the action units and the stimulus",
    None,
)


def _cell(text: str):
    """Write an action-unit cell as the sheets do: a lone number is a number."""
    return int(text) if text.isdecimal() else text


def casme2_rows(plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]):
    """Rows of the CASME II label sheet, header first; `times` maps clip ids to true times."""
    yield CASME2_HEADER
    for p in plans:
        onset, apex, offset = times[p.clip_id]
        shown = apex if p.apex_known else "/"
        yield (p.subject, p.name, None, onset, shown, offset, None, _cell(p.unit_text), p.emotion)


def objective_rows(plans: list[ClipPlan]):
    """Rows of the sheet of objective classes, header first."""
    yield ("Subject", "Filename", "Objective Class")
    for p in plans:
        yield (p.subject, p.name, p.objective_class)


def samm_rows(plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]):
    """Rows of the SAMM label sheet: 13 rows of notes, the header in row 14, the clips."""
    for note in SAMM_NOTES:
        yield (note,)
    yield SAMM_HEADER
    for p in plans:
        onset, apex, offset = times[p.clip_id]
        yield (
            p.subject,
            p.name,
            int(p.name.split("_")[1]),
            onset,
            apex if p.apex_known else -1,
            offset,
            offset - onset + 1,
            "Micro - 1/2",
            _cell(p.unit_text),
            p.emotion,
            p.objective_class,
            None,
        )


def workbook_bytes(sheets: dict[str, list[tuple]]) -> bytes:
    """Return an .xlsx file with these sheets; the same rows give the same bytes on any day.

    `MARK` stands in the workbook's properties and on a last sheet of its own, where people see it
    and readers, who look for a header, do not.
    """
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.create_sheet("Synthetic")["B1"] = MARK
    book.properties.creator = "elrcn"
    book.properties.title = book.properties.description = MARK
    raw = io.BytesIO()
    book.save(raw)
    # openpyxl stamps the hour into docProps and into the archive: give both a fixed date.
    fixed = io.BytesIO()
    stamp = datetime.datetime(2018, 5, 15).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, data)
            entry = zipfile.ZipInfo(name, (2018, 5, 15, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return fixed.getvalue()


#: Workbooks of a corpus, below its root.
SHEETS = (
    "CASME2/CASME2-coding-20140508.xlsx",
    "CASME2/CASME2-ObjectiveClasses.xlsx",
    "SAMM/SAMM_Micro_FACS_Codes_v2.xlsx",
)


def write_sheets(root: Path, plans: list[ClipPlan], times: dict[str, tuple[int, int, int]]) -> None:
    """Write the three label sheets, `SHEETS`, under `root`."""
    casme2 = [p for p in plans if p.database == "CASME2"]
    samm = [p for p in plans if p.database == "SAMM"]
    labels, classes, codes = (root / name for name in SHEETS)
    write(
        labels,
        workbook_bytes({"Sheet1": list(casme2_rows(casme2, times)), "Sheet2": [], "Sheet3": []}),
    )
    write(classes, workbook_bytes({"Sheet1": list(objective_rows(casme2))}))
    write(codes, workbook_bytes({"MICRO_ONLY": list(samm_rows(samm, times))}))
