"""Rows of a label sheet to labels: every accepted row is valid, every rejected one is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from elrcn.databases.corrections import Correction
from elrcn.databases.sheets import SheetTable, UnreadableCell, frame_number, text
from elrcn.errors import ElrcnError
from elrcn.facs import OBJECTIVE_CLASSES, normalise_text, parse
from elrcn.manifest import Finding

_ALIASES = {"other": "others"}
_CASED = re.compile(r"ep\d", re.IGNORECASE)
_UNSAFE = re.compile(r"[/\\:\x00-\x1f]|^\.+$|^~")


@dataclass(frozen=True)
class Naming:
    """How one database names things.

    Attributes
    ----------
    database : str
        "CASME2" or "SAMM".
    subject : re.Pattern
        A subject as a cell or folder names it; group 1 is its number.
    width : int
        Digits of a subject in ids.
    folder : str
        Format of the subject's part of a clip id.
    frame : re.Pattern
        Stem of a frame's file name; the last group is the number.
    emotions : tuple of str
        Emotions its sheets hold, lower case.
    """

    database: str
    subject: re.Pattern
    width: int
    folder: str
    frame: re.Pattern
    emotions: tuple[str, ...]

    def clip_id(self, subject: int, name: str) -> str:
        """Return the clip's id, the same whatever case the sheet or the folder is written in."""
        name = "EP" + name[2:].lower() if _CASED.match(name) else name
        return f"{self.database}/{self.folder.format(subject)}/{name}"

    def subject_id(self, subject: int) -> str:
        """Return the database-prefixed subject id."""
        return f"{self.database}/{subject:0{self.width}d}"


@dataclass(frozen=True)
class Label:
    """One row of a label sheet, read.

    `sheet_class` is "" where the sheet has no objective class for the clip. `usable` is False
    where onset or offset are missing: the clip counts as labelled but cannot be used.
    """

    clip_id: str
    subject: int
    name: str
    where: str
    onset: int | None
    apex: int | None
    offset: int | None
    action_units: str
    emotion: str
    sheet_class: str
    usable: bool

    @property
    def key(self) -> tuple[int, str]:
        """Subject number and casefolded clip name, to match folders with."""
        return self.subject, self.name.casefold()


def read_clip_name(
    naming: Naming, cells: Mapping[str, Any], where: str
) -> tuple[int, str] | Finding:
    """Return a row's subject number and clip name, or the finding that says why it has none."""
    subject, name = text(cells.get("subject")), text(cells.get("filename"))
    if not subject or not name:
        missing = "Subject" if not subject else "Filename"
        what = f"the row has no {missing} and was left out"
        return Finding("remark", what, where, kind="unnamed")
    match = naming.subject.fullmatch(subject)
    if not match or int(match[1]) == 0:
        what = f"{subject[:40]!r} is no subject of {naming.database}"
        return Finding("error", what, where, kind="error")
    if _UNSAFE.search(name) or len(name) > 80:
        what = f"Filename {name[:60]!r} is no clip's name; nothing was read there"
        return Finding("error", what, where, kind="error")
    return int(match[1]), name


def read_labels(
    naming: Naming,
    table: SheetTable,
    corrections: Iterable[Correction] = (),
    classes: Mapping[tuple[int, str], str] | None = None,
) -> tuple[list[Label], list[Finding]]:
    """Read every row of a label sheet.

    Parameters
    ----------
    classes : mapping, optional
        Objective class by `Label.key` from a sheet of their own; it overrules the sheet's column.

    Returns
    -------
    labels : list of Label
        In the sheet's order, one a clip.
    findings : list of Finding
        Each row left out and each cell that could not be read.
    """
    repairs: dict[str, list[Correction]] = {}
    for one in corrections:
        if one.database == naming.database:
            repairs.setdefault(one.clip_id.casefold(), []).append(one)
    labels: dict[tuple[int, str], Label | None] = {}
    findings: list[Finding] = []
    classed = classes is None and "objective_class" in table.columns
    unmet = dict.fromkeys(one for found in repairs.values() for one in found)
    for row, cells in table.rows:
        where = table.where(row)
        name = read_clip_name(naming, cells, where)
        if isinstance(name, Finding):
            findings.append(name)
            continue
        clip_id = naming.clip_id(*name)
        if text(cells.get("micro")).casefold().startswith("macro"):
            what = "a macro-expression, left out"
            findings.append(Finding("remark", what, where, clip_id, "macro"))
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
                findings.append(Finding("remark", what, where, clip_id, "corrected"))
        label, said = _read_row(naming, clip_id, *name, cells, where, classed)
        findings += said
        if label is None:
            continue
        _add(labels, label, findings)
    for one in unmet:
        what = f"the correction of {one.field} meets no row"
        findings.append(Finding("remark", what, table.path.name, one.clip_id, "unmet"))
    return [label for label in labels.values() if label], findings


def _add(labels, label, findings):
    if label.key not in labels:
        labels[label.key] = label
        return
    first = labels[label.key]
    if first and replace(first, where=label.where) == label:
        what = "the same row again; the first counts"
        findings.append(Finding("remark", what, label.where, label.clip_id, "repeated"))
        return
    labels[label.key] = None  # which of the two is right cannot be known
    places = f"{first.where} and {label.where}" if first else label.where
    what = "rows disagree about the clip"
    findings.append(Finding("error", what, places, label.clip_id, "error"))


def _read_row(naming, clip_id, subject, name, cells, where, classed):
    """Return the row's label, None if a number cannot be read, and what there is to say.

    `classed`: the sheet has a column of objective classes that counts.
    """
    said: list[Finding] = []

    def say(level, what, kind="error"):
        said.append(Finding(level, what, where, clip_id, kind))

    numbers: dict[str, int | None] = {}
    for column in ("onset", "apex", "offset"):
        try:
            numbers[column] = frame_number(cells.get(column))
        except UnreadableCell as error:
            numbers[column] = None
            if column == "apex":
                say("remark", f"apex {error}; taken as unknown", "apex-unread")
            else:
                say("error", f"{column} {error}")
                return None, said
    onset, apex, offset = numbers["onset"], numbers["apex"], numbers["offset"]
    usable = onset is not None and offset is not None
    for column in ("onset", "offset"):
        if numbers[column] is None:
            shown = text(cells.get(column)) or "blank"
            say("remark", f"{column} is {shown}; the clip needs a line in corrections.csv", "blank")
    if usable and offset < onset:
        say("error", f"offset {offset} comes before onset {onset}")
        return None, said
    if usable and offset == onset:
        say("error", f"the clip has one frame ({onset}); motion needs two")
        return None, said
    if usable and apex is not None and not onset <= apex <= offset:
        say("remark", f"apex {apex} lies outside {onset}..{offset}; taken as unknown", "apex")
        apex = None
    units = parse(cells.get("action_units"))
    if units.unparsed:
        say("remark", f"not action units: {', '.join(map(repr, units.unparsed))}"[:200], "units")
    emotion = text(cells.get("emotion")).casefold()
    emotion = _ALIASES.get(emotion, emotion)
    if emotion not in naming.emotions:
        say("remark", f"emotion {emotion[:40]!r} is not known; none taken", "emotion")
        emotion = ""
    sheet_class = read_class(cells.get("objective_class"))
    if sheet_class is None:
        shown = text(cells.get("objective_class"))[:40]
        say("remark", f"objective class {shown!r} is none of I to VII; the rule decides", "rule")
    elif classed and not sheet_class:
        say("remark", "no objective class in the sheet; the rule decides", "rule")
    return (
        Label(
            clip_id,
            subject,
            name,
            where,
            onset,
            apex,
            offset,
            normalise_text(cells.get("action_units"))[:200],
            emotion,
            sheet_class or "",
            usable,
        ),
        said,
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
