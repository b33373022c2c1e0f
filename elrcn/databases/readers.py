"""What both readers share: one table and one tree chosen, labels matched with frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from elrcn.databases.folders import (
    ClipScan,
    FrameListing,
    is_within,
    list_clips,
    list_frames,
    scan_clips,
)
from elrcn.databases.sheets import LABEL_COLUMNS, Label, Naming, SheetTable, require, tables, text
from elrcn.errors import ElrcnError
from elrcn.manifest import COLUMNS, LEFT_OUT, Finding, Manifest

NOT_USED = "not used: it has no table of labels or classes"


def label_tables(paths: list[Path], findings: list[Finding]) -> list[SheetTable]:
    """Return every table of `paths`; a workbook without one is listed.

    Raises
    ------
    ElrcnError
        If a workbook cannot be read: labels or classes may lie in it, and without them others
        would take their place.
    """
    found = []
    for path in paths:
        try:
            held = tables(path)
        except ElrcnError as error:
            fix = f"{error.fix}; or copy it anew, or move it away to do without it"
            raise ElrcnError(error.what, error.where, fix) from None
        if not held:
            findings.append(Finding("remark", NOT_USED, path.name, kind="unused"))
        found += held
    return found


def is_label_table(table: SheetTable) -> bool:
    """Tell whether a table holds labels, complete or not (a sheet of classes does not)."""
    return len({"onset", "apex", "offset", "action_units", "emotion"} & set(table.columns)) > 1


def one_of(
    candidates: list[SheetTable], root: Path, database: str, findings: list[Finding]
) -> SheetTable:
    """Return the only label table, complete; `findings` may tell why there is none.

    Raises
    ------
    ElrcnError
        If there is none, it lacks a column, or there are several that differ.
    """
    if not candidates:
        unread = [f"{f.where} was {f.what}" for f in findings if f.what == NOT_USED]
        above = [p.name for p in root.parent.glob("*.xls*")] if root.is_dir() else []
        raise ElrcnError(
            f"There is no label sheet of {database}" + "".join(f"; {u}" for u in unread) + ".",
            where=root,
            fix=f"give the folder above, which holds {', '.join(sorted(above)[:3])}"
            if above
            else "put the .xlsx or .xls that comes with the database there, or name it (sheet)",
        )
    return only_table(candidates, LABEL_COLUMNS, root, f"label sheets of {database}", "sheet")


def only_table(
    candidates: list[SheetTable], columns: tuple[str, ...], root: Path, what: str, option: str
) -> SheetTable:
    """Return the only one of `candidates` that has all `columns`, or one of several alike.

    Raises
    ------
    ElrcnError
        If none has them all, or those that have them differ. `what` they are and the `option`
        that chooses among them are named.
    """
    whole = [t for t in candidates if set(columns) <= set(t.columns)]
    if not whole:
        return require(candidates[0], columns)
    contents = {tuple(tuple(map(text, cells.values())) for _, cells in t.rows) for t in whole}
    if len(contents) > 1:
        names = ", ".join(f"{t.path.name} ({t.sheet})" for t in whole)
        raise ElrcnError(
            f"There are {len(whole)} {what} and they differ.",
            where=f"{root}: {names}",
            fix=f"name the one to use ({option}), or move the others away",
        )
    return whole[0]


def one_tree(trees: list[Path], root: Path, database: str, layout: str) -> Path:
    """Return the only frame tree.

    Raises
    ------
    ElrcnError
        If there is none or more than one.
    """
    if not trees:
        raise ElrcnError(
            f"There are no frame folders of {database}.", where=root, fix=f"expected {layout}"
        )
    if len(trees) > 1:
        names = ", ".join(t.relative_to(root).as_posix() for t in trees)
        raise ElrcnError(
            f"There are {len(trees)} copies of the frames of {database}.",
            where=f"{root}: {names}",
            fix="name the folder to use (tree), or move the other away",
        )
    return trees[0]


def named_tree(root: Path, tree: str | Path) -> Path:
    """Return the folder `tree` below `root`.

    Raises
    ------
    ElrcnError
        If it does not exist or a link leads it out of the root.
    """
    chosen = root / tree
    if not is_within(chosen, root) or not chosen.is_dir():
        raise ElrcnError("There is no such folder below the root.", where=chosen)
    return chosen.resolve()


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
    sizes : dict of str to (int, int)
        Commonest (height, width) of each clip's frames.
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
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0


def assemble(
    naming: Naming,
    root: Path,
    tree: Path,
    table: SheetTable,
    labels: list[Label],
    findings: list[Finding],
    revision: str,
    sheets: tuple[str, ...],
    *,
    deep: bool,
    workers: int | None,
    progress: bool,
) -> Reading:
    """Match labels with frame folders, read the frames, build the manifest, sorted by clip id.

    Raises
    ------
    ElrcnError
        If no clip is left.
    """
    clips, outside = list_clips(tree, root, naming.subject)
    for name in outside:
        what = f"the link {name} leads out of the root"
        findings.append(Finding("error", what, tree.name, kind="error"))
    chosen = []
    for label in sorted(labels, key=lambda one: one.clip_id):
        folders = clips.pop(label.key, [])
        if not folders:
            what = "in the sheet, but without frames"
            findings.append(Finding("remark", what, label.where, label.clip_id, "no-frames"))
        elif len(folders) > 1:
            what = f"several folders: {', '.join(map(str, folders))}"
            findings.append(Finding("error", what, "", label.clip_id, "error"))
        else:
            listing = list_frames(root / folders[0], root, naming.frame)
            if frames := _choose(label, folders[0], listing, findings):
                chosen.append((label, frames))
    for (subject, _), folders in sorted(clips.items()):  # those of no label
        for folder in folders:
            clip = naming.clip_id(subject, folder.name.strip())
            what = "has a folder, but no row"
            findings.append(Finding("remark", what, str(folder), clip, "no-row"))
    scans = scan_clips(root, [frames for _, frames in chosen], deep, workers, progress)
    rows, sizes = [], {}
    for (label, frames), scan in zip(chosen, scans, strict=True):
        if scan.sizes:
            sizes[label.clip_id] = scan.sizes[0][0]
        if _whole(label, scan, findings):
            rows.append(_row(naming, label, frames, scan))
    findings += _unexplained(table, labels, {row["clip_id"] for row in rows}, findings)
    if not rows:
        why = "; ".join(str(f) for f in findings if f.level == "error")
        raise ElrcnError(
            f"No clip of {naming.database} can be used.",
            where=root,
            fix=f"mend: {why[:400]}" if why else "check that sheet and frames belong together",
        )
    manifest = Manifest(pd.DataFrame(rows, columns=list(COLUMNS)), {naming.database: root})
    place = tree.relative_to(root).as_posix()
    return Reading(manifest, findings, labels, revision, sheets, place, sizes, len(table.rows))


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
    label: Label, folder: PurePosixPath, listing: FrameListing, findings: list[Finding]
) -> tuple[str, ...]:
    """Return the paths of onset..offset in numeric order; () if the clip cannot be used."""

    def say(level, what, kind="error"):
        findings.append(Finding(level, what, str(folder), label.clip_id, kind))

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
    return tuple(f"{folder}/{listing.numbers[n]}" for n in numbers)


def _whole(label: Label, scan: ClipScan, findings: list[Finding]) -> bool:
    """Tell whether a clip's frames can be used, and say what is wrong with those that cannot."""
    for frame, problem in scan.problems[:_MOST_NAMED]:
        findings.append(Finding("error", problem, frame, label.clip_id, "error"))
    if len(scan.problems) > _MOST_NAMED:
        more = f"{len(scan.problems) - _MOST_NAMED} more broken frames"
        findings.append(Finding("error", more, "", label.clip_id, "error"))
    if len(scan.sizes) > 1:
        shown = ", ".join(f"{n} of {w}x{h}" for (h, w), n in scan.sizes)
        what = f"frames differ in size: {shown}"
        findings.append(Finding("error", what, "", label.clip_id, "error"))
    return not scan.problems and len(scan.sizes) < 2


def _row(naming: Naming, label: Label, frames, scan: ClipScan) -> dict:
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
        "objective_class": label.objective_class,
        "sha256": scan.sha256,
    }


def _some(names) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
