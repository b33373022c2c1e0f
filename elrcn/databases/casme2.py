"""CASME II (Yan et al. 2014, doi 10.1371/journal.pone.0086041) as people hold it.

Frames lie in ``Cropped``, ``Cropped/Cropped``, ``Cropped-updated/Cropped`` or
``CASME2_RAW_selected`` (often nested once more); labels in one .xlsx or .xls, objective classes in
a sheet of their own (``CASME2-ObjectiveClasses.xlsx``, used by MEGC 2018 and the paper) or in a
tenth column (the revision of 2019, which disagrees on 37 clips).
"""

from __future__ import annotations

import re
from pathlib import Path

from elrcn.databases.folders import check_root, find_trees, find_workbooks
from elrcn.databases.readers import (
    Reading,
    assemble,
    is_label_table,
    label_tables,
    named_tree,
    one_of,
    one_tree,
    only_table,
)
from elrcn.databases.sheets import (
    Naming,
    SheetTable,
    load_corrections,
    read_class,
    read_clip_name,
    read_labels,
    require,
    require_classes,
    tables,
    text,
)
from elrcn.errors import ElrcnError
from elrcn.manifest import Findings

NAMING = Naming(
    database="CASME2",
    subject=re.compile(r"(?:sub|s)?\s*0*(\d{1,3})", re.IGNORECASE | re.ASCII),
    width=2,
    folder="sub{:02d}",
    frame=re.compile(r"[a-z_-]*(\d{1,9})", re.IGNORECASE | re.ASCII),
    emotions=("happiness", "disgust", "repression", "surprise", "others", "sadness", "fear"),
)
SOURCES = ("cropped", "raw")
WITH_OWN_SHEET = "labels with CASME2-ObjectiveClasses, the classes of MEGC 2018 and the paper"
MIXED = "labels of the 2019 revision with the classes of CASME2-ObjectiveClasses"
REVISION_2019 = "the 2019 revision (objective classes in a tenth column)"
WITHOUT_CLASSES = "labels without objective classes"
_SAID = {
    WITHOUT_CLASSES: ("rule-all", "no objective classes; the action-unit rule gives them all"),
    REVISION_2019: (
        "revision",
        "this is the 2019 revision of the labels: 174 clips in classes I to V, not the 185 of "
        "MEGC 2018 and the paper; put CASME2-ObjectiveClasses.xlsx beside it to use those",
    ),
    MIXED: (
        "revision",
        "labels of the 2019 revision (surprise 28, sadness 4), classes of MEGC 2018",
    ),
}
_REPLACE = "put CASME2-ObjectiveClasses.xlsx as it is distributed{} in its place, or move it away "
_REPLACE += "to let the action-unit rule give every class"
_OTHER_FORMATS = (".csv", ".tsv", ".ods", ".numbers", ".xlsb", ".xlsm", ".part", ".crdownload")
_CLASS_COLUMNS = ("subject", "filename", "objective_class")
_SUBJECT_FOLDER = re.compile(r"sub\s*0*(\d{1,3})", re.IGNORECASE | re.ASCII)


def load(
    root: str | Path,
    sheet: str | Path | None = None,
    *,
    objective_sheet: str | Path | None = None,
    source: str = "cropped",
    tree: str | Path | None = None,
    corrections: bool | str | Path = True,
    **scanning,
) -> Reading:
    """Read a copy of CASME II.

    Parameters
    ----------
    root : path
        The folder the archives were unpacked into.
    sheet, objective_sheet : path, optional
        Label sheet and sheet of objective classes; searched for below `root` by default.
    source : {"cropped", "raw"}
        Which frames to take where both exist.
    tree : path, optional
        Folder of the ``subNN`` folders, relative to `root`, where several would do.
    corrections : bool or path
        Apply ``data_manifest/corrections.csv`` (or another file), or nothing.
    **scanning
        How frames are read: ``deep`` (decode each instead of checking its markers only),
        ``workers``, ``progress``.

    Raises
    ------
    ElrcnError
        If folder, sheet or column is missing, the choice is ambiguous, or no clip is left.
    """
    if source not in SOURCES:
        raise ElrcnError(f"There is no source {source!r}.", fix="choose cropped or raw")
    root = check_root(root, "CASME II")
    frames = _tree(root, source, tree)
    findings = Findings()
    searched = sheet is None or objective_sheet is None
    found = label_tables(find_workbooks(root, frames), findings) if searched else []
    table = _labels(root, sheet, found, findings)
    own = _own_classes(objective_sheet, found, root, frames)
    classes = _classes(own, findings) if own else None
    labels, said = read_labels(NAMING, table, load_corrections(corrections), classes)
    findings += said
    if own:
        revision = MIXED if "objective_class" in table.columns else WITH_OWN_SHEET
    else:
        revision = REVISION_2019 if "objective_class" in table.columns else WITHOUT_CLASSES
    if revision in _SAID:
        kind, what = _SAID[revision]
        findings.remark(kind, what, table.path.name)
    if own:
        _unmatched(own, classes, labels, findings)
    else:
        require_classes(table, labels)
    sheets = [table, own] if own else [table]
    return assemble(NAMING, root, frames, sheets, labels, findings, revision, **scanning)


def _tree(root: Path, source: str, tree) -> Path:
    if tree is not None:
        return named_tree(root, tree)
    trees = find_trees(root, _SUBJECT_FOLDER)
    kinds = {path: _kind(path, root) for path in trees}
    fitting = [path for path in trees if kinds[path] in (source, "")]
    if trees and not fitting:
        other = "raw" if source == "cropped" else "cropped"
        raise ElrcnError(
            f"This copy of CASME II has no {source} frames.",
            where=f"{root}: {', '.join(t.relative_to(root).as_posix() for t in trees)}",
            fix=f"choose the source {other}" + (", aligned to the face" * (other == "raw")),
        )
    sure = [path for path in fitting if kinds[path] == source]
    return one_tree(sure or fitting, root, "CASME II", "Cropped/sub01/EP02_01f/reg_img46.jpg")


def _kind(path: Path, root: Path) -> str:
    """Return "cropped" or "raw" by its folders' names, its frames' names, the root's name."""
    for part in reversed(path.relative_to(root).parts):
        if kind := _named(part):
            return kind
    for pattern, kind in (("reg_img", "cropped"), ("img", "raw")):
        if any(f.name.casefold().startswith(pattern) for f in path.glob("*/*/*")):
            return kind
    return _named(root.name)


def _named(folder: str) -> str:
    name = folder.casefold()
    return "cropped" if "crop" in name else "raw" if "raw" in name else ""


def _labels(root, sheet, found, findings) -> SheetTable:
    if sheet is not None:
        named = [t for t in tables(Path(sheet)) if is_label_table(t)]
        return one_of(named, Path(sheet), "CASME II", findings)
    candidates = [t for t in found if is_label_table(t)]
    # The revision of 2019 changed labels too: where both are, the paper's counts.
    older = [t for t in candidates if "objective_class" not in t.columns]
    if older and len(older) < len(candidates):
        newer = ", ".join(t.path.name for t in candidates if t not in older)
        what = f"{newer} holds {REVISION_2019} and was not used; {older[0].path.name} was"
        findings.remark("unused", what, root.name)
    return one_of(older or candidates, root, "CASME II", findings)


def _own_classes(objective_sheet, found, root, frames) -> SheetTable | None:
    """Return the sheet of classes, or None if there is none.

    One that is there but cannot be used is an error: the action-unit rule would take its place.
    """
    if objective_sheet is not None:
        found = [t for t in tables(Path(objective_sheet)) if not is_label_table(t)]
        if not found:
            what = "There are no objective classes in this sheet."
            fix = "give CASME2-ObjectiveClasses.xlsx (Subject, Filename, Objective Class)"
            raise ElrcnError(what, where=objective_sheet, fix=fix)
        return require(found[0], _CLASS_COLUMNS)
    fitting = [t for t in found if "objective_class" in t.columns or _of_classes(t.path)]
    fitting = [t for t in fitting if not is_label_table(t)]
    if fitting:
        what, option = "sheets of objective classes", "objective_sheet"
        return only_table(fitting, _CLASS_COLUMNS, root, what, option)
    held = {t.path for t in found}
    for path in find_workbooks(root, frames, (".xlsx", ".xls", *_OTHER_FORMATS)):
        if _of_classes(path) and path not in held:
            raise ElrcnError(
                "No objective classes can be read from this file.",
                where=path,
                fix=_REPLACE.format(" (Subject, Filename, Objective Class)"),
            )
    return None


def _of_classes(path: Path) -> bool:
    """Tell by its name that a file is meant to be the sheet of objective classes."""
    return "objective" in path.name.casefold()


def _classes(table: SheetTable, findings: Findings) -> dict[tuple[int, str], str]:
    """Return the class by subject and clip, "" if it is unreadable or two rows disagree."""
    classes: dict[tuple[int, str], str] = {}
    unread = []
    for row, cells in table.rows:
        where = table.where(row)
        name = read_clip_name(NAMING, cells, where, findings)
        if name is None:
            continue
        value = read_class(cells["objective_class"])
        clip = NAMING.clip_id(*name)
        key = (name[0], name[1].casefold())
        if not value:
            unread.append(key)
            shown = text(cells["objective_class"])[:40]
            what = f"objective class {shown!r} is none of I to VII; the rule decides"
            findings.remark("rule", what, where, clip)
        elif classes.setdefault(key, value) != value:
            what = f"classed {classes[key] or 'two ways'} and {value}; the rule decides"
            findings.error(what, where, clip, kind="rule")
            classes[key] = ""
    return {**dict.fromkeys(unread, ""), **classes}


def _unmatched(own, classes, labels, findings) -> None:
    """Add a remark for each clip that only one of label sheet and class sheet names.

    If no clip of the label sheet has a class in the other, that is damaged, or of another database.
    """
    known = {label.key: label for label in labels}
    if known and not any(classes.get(key) for key in known):
        raise ElrcnError(
            "The sheet of objective classes has none for any clip of the label sheet.",
            where=f"{own.path}, sheet {own.sheet!r}",
            fix=_REPLACE.format(""),
        )
    for key, one in known.items():
        if key not in classes:
            what = "not in the sheet of classes; the rule decides"
            findings.remark("rule", what, own.path.name, one.clip_id)
    for key in classes:
        if key not in known:
            clip = NAMING.clip_id(*key)
            findings.remark("class-only", "in the sheet of classes only", own.path.name, clip)
