"""Labels and frame folders to a manifest: what both databases' readers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from elrcn.databases.frames import ClipScan, scan_clips
from elrcn.databases.labels import Label, Naming
from elrcn.databases.sheets import SheetTable
from elrcn.databases.trees import ClipFolder, FrameListing, list_clips, list_frames
from elrcn.errors import ElrcnError
from elrcn.facs import objective_class, parse
from elrcn.manifest import COLUMNS, LEFT_OUT, Finding, Manifest

FPS = 200.0
_MOST_NAMED = 5


@dataclass(frozen=True)
class Reading:
    """A database as read: the manifest and everything a report wants to know.

    Attributes
    ----------
    manifest : Manifest
    findings : list of Finding
    labels : list of Label
        Every clip of the sheet, usable or not.
    revision : str
        Which label sheet this is, in words.
    sheets : tuple of str
        File names of the sheets used.
    tree : str
        Folder of the frames, relative to the root.
    without_frames, without_row : tuple of str
        Clips that only the sheet names; clip folders that only the tree holds.
    sizes : dict of str to (int, int)
        Commonest (height, width) of each clip's frames.
    odd_sizes : tuple of str
        Clips whose frames differ in size among themselves.
    rows : int
        Rows of the label sheet that hold anything: as many as the manifest has clips, and those
        left out, each with a finding.
    """

    manifest: Manifest
    findings: list[Finding]
    labels: list[Label]
    revision: str
    sheets: tuple[str, ...]
    tree: str
    without_frames: tuple[str, ...] = ()
    without_row: tuple[str, ...] = ()
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    odd_sizes: tuple[str, ...] = ()
    rows: int = 0


def assemble(
    naming: Naming,
    root: Path,
    tree: Path,
    table: SheetTable,
    labels: list[Label],
    findings: list[Finding],
    deep: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[Manifest, Mapping]:
    """Match labels with frame folders, read the frames, build the manifest.

    Returns
    -------
    manifest : Manifest
        Clips with label and frames, sorted by id.
    extra : dict
        The remaining fields of `Reading` that depend on the tree.

    Raises
    ------
    ElrcnError
        If no clip is left.
    """
    clips, outside = list_clips(tree, root, naming.subject)
    for name in outside:
        what = f"the link {name} leads out of the root"
        findings.append(Finding("error", what, tree.name, kind="error"))
    without_frames, chosen = [], []
    for label in sorted(labels, key=lambda one: one.clip_id):
        folders = clips.get(label.key, [])
        if not folders:
            without_frames.append(label.clip_id)
            what = "in the sheet, but without frames"
            findings.append(Finding("remark", what, label.where, label.clip_id, "no-frames"))
        elif len(folders) > 1:
            what = f"several folders: {', '.join(f.path for f in folders)}"
            findings.append(Finding("error", what, "", label.clip_id, "error"))
        else:
            listing = list_frames(root / folders[0].path, root, naming.frame)
            frames = _choose(label, folders[0], listing, findings)
            if frames:
                chosen.append((label, frames))
    known = {label.key for label in labels}
    without_row = [f for key, found in sorted(clips.items()) if key not in known for f in found]
    for folder in without_row:
        clip = naming.clip_id(folder.subject, folder.name.strip())
        findings.append(Finding("remark", "has a folder, but no row", folder.path, clip, "no-row"))
    scans = scan_clips(root, [f for _, f in chosen], deep, workers, progress)
    extra: dict = {
        "without_frames": tuple(without_frames),
        "without_row": tuple(f.path for f in without_row),
        "sizes": {},
        "odd_sizes": [],
        "rows": len(table.rows),
    }
    rows = []
    for (label, frames), scan in zip(chosen, scans, strict=True):
        if _whole(label, scan, findings, extra):
            rows.append(_row(naming, label, frames, scan))
    findings += _unexplained(table, labels, {row["clip_id"] for row in rows}, findings)
    if not rows:
        why = "; ".join(str(f) for f in findings if f.level == "error")
        raise ElrcnError(
            f"No clip of {naming.database} can be used.",
            where=root,
            fix=f"mend: {why[:400]}" if why else "check that sheet and frames belong together",
        )
    extra["odd_sizes"] = tuple(extra["odd_sizes"])
    return Manifest(pd.DataFrame(rows, columns=list(COLUMNS)), {naming.database: root}), extra


def _unexplained(table, labels, used, findings) -> list[Finding]:
    """Return an error for each row that is in no manifest although no finding says why.

    None is known to be possible. Counts would not add up, and a clip be gone, if one were.
    """
    clips = {label.where: label.clip_id for label in labels}
    reasons = [f for f in findings if f.kind in LEFT_OUT]
    said = {f.clip for f in reasons if f.kind != "repeated"}  # of which one row is used

    def explained(place):
        # Rows that disagree are named together.
        rows = (place, f"{place} and ", f" and {place}")
        return clips.get(place) in said or any(
            f.where == rows[0] or f.where.startswith(rows[1]) or f.where.endswith(rows[2])
            for f in reasons
        )

    places = [table.where(row) for row, _ in table.rows]
    return [
        Finding("error", "left out for no known reason", place, clips.get(place, ""), "error")
        for place in places
        if clips.get(place) not in used and not explained(place)
    ]


def _choose(
    label: Label, folder: ClipFolder, listing: FrameListing, findings: list[Finding]
) -> tuple[str, ...]:
    """Return the paths of onset..offset in numeric order; () if the clip cannot be used."""

    def say(level, what, kind="error"):
        findings.append(Finding(level, what, folder.path, label.clip_id, kind))

    held = f"{min(listing.numbers)}..{max(listing.numbers)}" if listing.numbers else "none"
    if not label.usable:
        what = f"left out for want of onset or offset; the folder holds frames {held}"
        say("remark", what, "no-span")
        return ()
    if listing.strange:
        say("remark", f"not frames, ignored: {_some(listing.strange)}", "strange")
    if listing.outside:
        say("error", f"links lead out of the root: {_some(listing.outside)}")
        return ()
    span = range(label.onset, label.offset + 1)
    twice = [n for number, names in listing.duplicates.items() if number in span for n in names]
    if twice:
        say("error", f"several files claim one frame number: {_some(twice)}")
        return ()
    numbers = [n for n in listing.numbers if n in span]
    if len(numbers) < 2:
        say("error", f"{len(numbers)} frames of {span[0]}..{span[-1]}; the folder holds {held}")
        return ()
    if len(numbers) < len(span):
        missing = [str(n) for n in span if n not in listing.numbers]
        what = f"{len(missing)} frames of {len(span)} are missing: {_some(missing)}"
        say("remark", what, "gap")
    return tuple(f"{folder.path}/{listing.numbers[n]}" for n in numbers)


def _whole(label: Label, scan: ClipScan, findings, extra) -> bool:
    """Tell whether a clip's frames can be used, and say what is wrong with those that cannot."""
    if scan.sizes:
        extra["sizes"][label.clip_id] = scan.sizes[0][0]
    for frame, problem in scan.problems[:_MOST_NAMED]:
        findings.append(Finding("error", problem, frame, label.clip_id, "error"))
    if len(scan.problems) > _MOST_NAMED:
        more = f"{len(scan.problems) - _MOST_NAMED} more broken frames"
        findings.append(Finding("error", more, "", label.clip_id, "error"))
    if len(scan.sizes) > 1:
        shown = ", ".join(f"{n} of {w}x{h}" for (h, w), n in scan.sizes)
        extra["odd_sizes"].append(label.clip_id)
        what = f"frames differ in size: {shown}"
        findings.append(Finding("error", what, "", label.clip_id, "error"))
    return not scan.problems and len(scan.sizes) < 2


def _row(naming: Naming, label: Label, frames, scan: ClipScan) -> dict:
    parsed = parse(label.action_units)
    return {
        "clip_id": label.clip_id,
        "database": naming.database,
        "subject": naming.subject_id(label.subject),
        "frames": frames,
        "onset": label.onset,
        "apex": pd.NA if label.apex is None else label.apex,
        "offset": label.offset,
        "fps": FPS,
        "action_units": label.action_units,
        "emotion": label.emotion,
        "objective_class": label.sheet_class or objective_class(parsed.readings[0]),
        "sha256": scan.sha256,
    }


def _some(names) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
