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
    some,
)
from elrcn.databases.sheets import LABEL_COLUMNS, Label, Naming, SheetTable, require, tables, text
from elrcn.errors import ElrcnError
from elrcn.manifest import COLUMNS, LEFT_OUT, Finding, Findings, Manifest

NOT_USED = "not used: it has no table of labels or classes"


def label_tables(paths: list[Path], findings: Findings) -> list[SheetTable]:
    """Return every table of `paths`; a workbook without one is listed.

    One that cannot be read is an error: labels or classes may lie in it, and without them others
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
            findings.remark("unused", NOT_USED, path.name)
        found += held
    return found


def is_label_table(table: SheetTable) -> bool:
    """Tell whether a table holds labels, complete or not (a sheet of classes does not)."""
    return len({"onset", "apex", "offset", "action_units", "emotion"} & set(table.columns)) > 1


def one_of(
    candidates: list[SheetTable], root: Path, database: str, findings: Findings
) -> SheetTable:
    """Return the only label table, complete; `findings` may tell why there is none."""
    if not candidates:
        unread = [f"; {f.where} was {f.what}" for f in findings if f.what == NOT_USED]
        above = [p.name for p in root.parent.glob("*.xls*")] if root.is_dir() else []
        fix = "put the .xlsx or .xls that comes with the database there, or name it (sheet)"
        if above:
            fix = f"give the folder above, which holds {', '.join(sorted(above)[:3])}"
        what = f"There is no label sheet of {database}{''.join(unread)}."
        raise ElrcnError(what, where=root, fix=fix)
    return only_table(candidates, LABEL_COLUMNS, root, f"label sheets of {database}", "sheet")


def only_table(
    candidates: list[SheetTable], columns: tuple[str, ...], root: Path, what: str, option: str
) -> SheetTable:
    """Return the only one of `candidates` that has all `columns`, or one of several alike.

    If there is none, or they differ, `what` they are and the `option` that chooses are named.
    """
    whole = [t for t in candidates if set(columns) <= set(t.columns)]
    if not whole:
        return require(candidates[0], columns)
    contents = {tuple(tuple(map(text, cells.values())) for _, cells in t.rows) for t in whole}
    if len(contents) > 1:
        names = ", ".join(f"{t.path.name} ({t.sheet})" for t in whole)
        what = f"There are {len(whole)} {what} and they differ."
        fix = f"name the one to use ({option}), or move the others away"
        raise ElrcnError(what, where=f"{root}: {names}", fix=fix)
    return whole[0]


def one_tree(trees: list[Path], root: Path, database: str, layout: str) -> Path:
    """Return the only folder of frames."""
    if not trees:
        what = f"There are no frame folders of {database}."
        raise ElrcnError(what, where=root, fix=f"expected {layout}")
    if len(trees) > 1:
        names = ", ".join(t.relative_to(root).as_posix() for t in trees)
        what = f"There are {len(trees)} copies of the frames of {database}."
        fix = "name the folder to use (tree), or move the other away"
        raise ElrcnError(what, where=f"{root}: {names}", fix=fix)
    return trees[0]


def named_tree(root: Path, tree: str | Path) -> Path:
    """Return the folder `tree` below `root`, if it is there and no link leads out of the root."""
    chosen = root / tree
    if not is_within(chosen, root) or not chosen.is_dir():
        raise ElrcnError("There is no such folder below the root.", where=chosen)
    return chosen.resolve()


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
    sheets: list[SheetTable],
    labels: list[Label],
    findings: Findings,
    revision: str,
    **scanning,
) -> Reading:
    """Match labels with frame folders, read the frames, build the manifest, sorted by clip id.

    The first of `sheets` holds the labels; `scanning` are options of `scan_clips`.
    """
    clips, outside = list_clips(tree, root, naming.subject)
    for name in outside:
        findings.error(f"the link {name} leads out of the root", tree.name)
    chosen = []
    for label in sorted(labels, key=lambda one: one.clip_id):
        folders = clips.pop(label.key, [])
        if not folders:
            what = "in the sheet, but without frames"
            findings.remark("no-frames", what, label.where, label.clip_id)
        elif len(folders) > 1:
            what = f"several folders: {', '.join(map(str, folders))}"
            findings.error(what, clip=label.clip_id)
        else:
            listing = list_frames(root / folders[0], root, naming.frame)
            if frames := _choose(label, folders[0], listing, findings):
                chosen.append((label, frames))
    for (subject, _), folders in sorted(clips.items()):  # those of no label
        for folder in folders:
            clip = naming.clip_id(subject, folder.name.strip())
            findings.remark("no-row", "has a folder, but no row", str(folder), clip)
    scans = scan_clips(root, [frames for _, frames in chosen], **scanning)
    rows, sizes = [], {}
    for (label, frames), scan in zip(chosen, scans, strict=True):
        if scan.sizes:
            sizes[label.clip_id] = scan.sizes[0][0]
        if not _whole(label, scan, findings):
            continue
        row = {
            "clip_id": label.clip_id,
            "database": naming.database,
            "subject": naming.subject_id(label.subject),
            "frames": frames,
            "onset": label.onset,
            "apex": pd.NA if label.apex is None else label.apex,
            "offset": label.offset,
            "fps": 200.0,
            "action_units": label.action_units,
            "emotion": label.emotion,
            "objective_class": label.objective_class,
            "sha256": scan.sha256,
        }
        rows.append(row)
    _explain(sheets[0], labels, {row["clip_id"] for row in rows}, findings)
    if not rows:
        why = "; ".join(str(f) for f in findings if f.level == "error")
        what = f"No clip of {naming.database} can be used."
        fix = f"mend: {why[:400]}" if why else "check that sheet and frames belong together"
        raise ElrcnError(what, where=root, fix=fix)
    manifest = Manifest(pd.DataFrame(rows, columns=list(COLUMNS)), {naming.database: root})
    names = tuple(table.path.name for table in sheets)
    place = tree.relative_to(root).as_posix()
    return Reading(manifest, findings, labels, revision, names, place, sizes, len(sheets[0].rows))


def _explain(table: SheetTable, labels: list[Label], used: set[str], findings: Findings) -> None:
    """Add an error for each row that is in no manifest although no finding says why.

    None is known to be possible. Counts would not add up, and a clip be gone, if one were.
    """
    clips = {label.where: label.clip_id for label in labels}
    reasons = [f for f in findings if f.kind in LEFT_OUT]
    said = {f.clip for f in reasons if f.kind != "repeated"}  # of which one row is used

    def named(place):  # alone, or beside a row that it disagrees with
        first, second = f"{place} and ", f" and {place}"
        return any(
            f.where == place or f.where.startswith(first) or f.where.endswith(second)
            for f in reasons
        )

    for row, _ in table.rows:
        place = table.where(row)
        clip = clips.get(place)
        if clip not in used | said and not named(place):
            findings.error("left out for no known reason", place, clip or "")


def _choose(
    label: Label, folder: PurePosixPath, listing: FrameListing, findings: Findings
) -> tuple[str, ...]:
    """Return the paths of onset..offset in numeric order; () if the clip cannot be used."""
    place = (str(folder), label.clip_id)
    held = f"{min(listing.numbers)}..{max(listing.numbers)}" if listing.numbers else "none"
    if not label.usable:
        what = f"left out for want of onset or offset; the folder holds frames {held}"
        findings.remark("no-span", what, *place)
        return ()
    if listing.strange:
        findings.remark("strange", f"not frames, ignored: {some(listing.strange)}", *place)
    span = range(label.onset, label.offset + 1)
    twice = [n for number, names in listing.duplicates.items() if number in span for n in names]
    numbers = [n for n in listing.numbers if n in span]
    missing = [str(n) for n in span if n not in listing.numbers]
    if listing.outside:
        findings.error(f"links lead out of the root: {some(listing.outside)}", *place)
    elif twice:
        findings.error(f"several files claim one frame number: {some(twice)}", *place)
    elif len(numbers) < 2:
        what = f"{len(numbers)} frames of {span[0]}..{span[-1]}; the folder holds {held}"
        findings.error(what, *place)
    else:
        if missing:
            what = f"{len(missing)} frames of {len(span)} are missing: {some(missing)}"
            findings.remark("gap", what, *place)
        return tuple(f"{folder}/{listing.numbers[n]}" for n in numbers)
    return ()


def _whole(label: Label, scan: ClipScan, findings: Findings) -> bool:
    """Tell whether a clip's frames can be used, and say what is wrong with those that cannot."""
    for frame, problem in scan.problems[:5]:
        findings.error(problem, frame, label.clip_id)
    if len(scan.problems) > 5:
        findings.error(f"{len(scan.problems) - 5} more broken frames", clip=label.clip_id)
    if len(scan.sizes) > 1:
        shown = ", ".join(f"{n} of {w}x{h}" for (h, w), n in scan.sizes)
        findings.error(f"frames differ in size: {shown}", clip=label.clip_id)
    return not scan.problems and len(scan.sizes) < 2
