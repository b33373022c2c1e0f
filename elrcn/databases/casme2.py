"""CASME II (Yan et al. 2014, doi 10.1371/journal.pone.0086041) as people hold it.

Frames lie in ``Cropped``, ``Cropped/Cropped``, ``Cropped-updated/Cropped`` or
``CASME2_RAW_selected`` (often nested once more); labels in one .xlsx or .xls, objective classes in
a sheet of their own (``CASME2-ObjectiveClasses.xlsx``, used by MEGC 2018 and the paper) or in a
tenth column (the revision of 2019, which disagrees on 37 clips).
"""

from __future__ import annotations

import re
from pathlib import Path

from elrcn.databases.choice import is_label_table, label_tables, named_tree, one_of, one_tree
from elrcn.databases.corrections import load_corrections
from elrcn.databases.labels import Naming, read_class, read_clip_name, read_labels
from elrcn.databases.reader import Reading, assemble
from elrcn.databases.sheets import SheetTable, require, tables, text
from elrcn.databases.trees import check_root, find_trees, find_workbooks
from elrcn.errors import ElrcnError
from elrcn.manifest import Finding

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
_SUBJECT_FOLDER = re.compile(r"sub\s*0*(\d{1,3})", re.IGNORECASE | re.ASCII)


def read(root: str | Path, sheet: str | Path | None = None, **options):
    """Return ``(Manifest, list of Finding)`` of a copy of CASME II; see `load` for the options."""
    reading = load(root, sheet, **options)
    return reading.manifest, reading.findings


def load(
    root: str | Path,
    sheet: str | Path | None = None,
    *,
    objective_sheet: str | Path | None = None,
    source: str = "cropped",
    tree: str | Path | None = None,
    corrections: bool | str | Path = True,
    deep: bool = False,
    workers: int | None = None,
    progress: bool = True,
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
    deep : bool
        Decode every frame instead of checking its markers only.

    Raises
    ------
    ElrcnError
        If folder, sheet or column is missing, the choice is ambiguous, or no clip is left.
    """
    if source not in SOURCES:
        raise ElrcnError(f"There is no source {source!r}.", fix="choose cropped or raw")
    root = check_root(root, "CASME II")
    frames = _tree(root, source, tree)
    findings: list[Finding] = []
    books = find_workbooks(root, frames)
    found = label_tables(books, findings)
    table = _labels(root, sheet, found, findings)
    own = _own_classes(objective_sheet, found)
    classes = _classes(own, findings) if own else None
    labels, said = read_labels(NAMING, table, load_corrections(corrections), classes)
    findings += said
    if own:
        revision = MIXED if "objective_class" in table.columns else WITH_OWN_SHEET
        findings += _unmatched(own, classes, labels)
    elif "objective_class" in table.columns:
        revision = REVISION_2019
    else:
        revision = WITHOUT_CLASSES
        what = "no objective classes; the action-unit rule gives them all"
        findings.append(Finding("remark", what, table.path.name))
    manifest, extra = assemble(NAMING, root, frames, labels, findings, deep, workers, progress)
    sheets = (table.path.name, *([own.path.name] if own else []))
    return Reading(manifest, findings, labels, revision, sheets, _relative(frames, root), **extra)


def _relative(path, root):
    return path.relative_to(root).as_posix()


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
            where=f"{root}: {', '.join(_relative(t, root) for t in trees)}",
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
        findings.append(Finding("remark", what, root.name))
    return one_of(older or candidates, root, "CASME II", findings)


def _own_classes(objective_sheet, found) -> SheetTable | None:
    if objective_sheet is not None:
        found = [t for t in tables(Path(objective_sheet)) if not is_label_table(t)]
        if not found:
            raise ElrcnError(
                "There are no objective classes in this sheet.",
                where=objective_sheet,
                fix="give CASME2-ObjectiveClasses.xlsx (Subject, Filename, Objective Class)",
            )
        return require(found[0], ("subject", "filename", "objective_class"))
    for table in found:
        named = "objective" in table.path.name.casefold()
        if not is_label_table(table) and ("objective_class" in table.columns or named):
            return require(table, ("subject", "filename", "objective_class"))
    return None


def _classes(table: SheetTable, findings: list[Finding]) -> dict[tuple[int, str], str]:
    """Return the class by subject and clip; a clip classed two ways is listed and left blank."""
    classes: dict[tuple[int, str], str] = {}
    for row, cells in table.rows:
        where = table.where(row)
        name = read_clip_name(NAMING, cells, where)
        if isinstance(name, Finding):
            findings.append(name)
            continue
        value = read_class(cells["objective_class"])
        clip = NAMING.clip_id(*name)
        key = (name[0], name[1].casefold())
        if not value:
            shown = text(cells["objective_class"])[:40]
            what = f"objective class {shown!r} is none of I to VII; the rule decides"
            findings.append(Finding("remark", what, where, clip))
        elif classes.setdefault(key, value) != value:
            what = f"classed {classes[key] or 'two ways'} and {value}; the rule decides"
            findings.append(Finding("error", what, where, clip))
            classes[key] = ""
    return classes


def _unmatched(own, classes, labels) -> list[Finding]:
    """Return a remark for each clip that only one of label sheet and class sheet names."""
    known = {label.key: label for label in labels}
    said = [
        Finding(
            "remark", "not in the sheet of classes; the rule decides", own.path.name, one.clip_id
        )
        for key, one in known.items()
        if key not in classes
    ]
    said += [
        Finding("remark", "in the sheet of classes only", own.path.name, NAMING.clip_id(*key))
        for key in classes
        if key not in known
    ]
    return said
