"""Known repairs of label sheets, kept as data with a reason each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace

FIELDS = ("onset", "apex", "offset", "action_units", "emotion", "objective_class")
COLUMNS = ("database", "clip_id", "field", "value", "reason")


@dataclass(frozen=True)
class Correction:
    """Replace one cell: `field` of clip `clip_id` becomes `value`, because of `reason`."""

    database: str
    clip_id: str
    field: str
    value: str
    reason: str


def data_manifest_folder() -> Path:
    """Return ``data_manifest/`` of the checkout this library lies in, else of the workspace."""
    beside = Path(__file__).resolve().parents[2] / "data_manifest"
    return beside if beside.is_dir() else find_workspace().data_manifest


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
        raise ElrcnError(
            f"The corrections cannot be read: {error}.",
            where=path,
            fix="give another file, or turn corrections off",
        ) from None
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ElrcnError(
            "The corrections have the wrong columns.", where=path, fix=f"use {','.join(COLUMNS)}"
        )
    seen: dict[tuple[str, str], Correction] = {}
    for number, line in enumerate(lines, start=2):
        values = [(line[name] or "").strip() for name in COLUMNS]
        one = Correction(*values)
        key = (one.clip_id.casefold(), one.field)
        problem = (
            f"there is no field {one.field!r} to correct"
            if one.field not in FIELDS
            else "it gives no reason"
            if not one.reason
            else f"the clip id does not begin with {one.database}/"
            if not one.database or not one.clip_id.startswith(f"{one.database}/")
            else "it corrects the same field as an earlier line"
            if key in seen
            else ""
        )
        if problem or None in line:
            raise ElrcnError(
                f"A correction cannot be used: {problem or 'it has too many columns'}.",
                where=f"{path}, line {number}",
                fix="mend the line, or turn corrections off",
            )
        seen[key] = one
    return list(seen.values())
