"""SAMM (Davison et al. 2018, doi 10.1109/TAFFC.2016.2573832) as people hold it.

Frames lie in ``006/006_1_2/006_05562.jpg``; labels in ``SAMM_Micro_FACS_Codes_v2.xlsx``, sheet
``MICRO_ONLY``, below 13 rows of notes.
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
)
from elrcn.databases.sheets import (
    Label,
    Naming,
    SheetTable,
    load_corrections,
    read_labels,
    require_classes,
    tables,
)
from elrcn.manifest import Finding

NAMING = Naming(
    database="SAMM",
    subject=re.compile(r"0*(\d{1,3})", re.ASCII),
    width=3,
    folder="{:03d}",
    frame=re.compile(r"(?:\d{1,3}_)?(\d{1,9})", re.ASCII),
    emotions=(
        "happiness",
        "disgust",
        "surprise",
        "anger",
        "contempt",
        "fear",
        "sadness",
        "others",
    ),
)
WITH_CLASSES = "SAMM_Micro_FACS_Codes_v2 (objective classes in the sheet)"
WITHOUT_CLASSES = "labels without objective classes"
_MICRO_SHEET = "micro_only"


def load(
    root: str | Path,
    sheet: str | Path | None = None,
    *,
    tree: str | Path | None = None,
    corrections: bool | str | Path = True,
    deep: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> Reading:
    """Read a copy of SAMM; parameters and errors as in `elrcn.databases.casme2.load`."""
    root = check_root(root, "SAMM")
    if tree is None:
        trees = find_trees(root, NAMING.subject)
        frames = one_tree(trees, root, "SAMM", "006/006_1_2/006_05562.jpg")
    else:
        frames = named_tree(root, tree)
    findings: list[Finding] = []
    if sheet is not None:
        found = tables(Path(sheet))
    else:
        found = label_tables(find_workbooks(root, frames), findings)
    table = _micro(found, Path(sheet) if sheet is not None else root, findings)
    revision = WITH_CLASSES
    if "objective_class" not in table.columns:
        revision = WITHOUT_CLASSES
        what = "no column Objective Classes; the action-unit rule gives them all"
        findings.append(Finding("remark", what, table.path.name, kind="rule-all"))
    labels, said = read_labels(NAMING, table, load_corrections(corrections))
    findings += said
    require_classes(table, labels)
    labels = [one for one in labels if _belongs(one, findings)]
    return assemble(
        NAMING,
        root,
        frames,
        table,
        labels,
        findings,
        revision,
        (table.path.name,),
        deep=deep,
        workers=workers,
        progress=progress,
    )


def _micro(found: list[SheetTable], where: Path, findings: list[Finding]) -> SheetTable:
    """Return the table of micro-movements: the sheet MICRO_ONLY, else the only one."""
    candidates = [t for t in found if is_label_table(t)]
    named = [t for t in candidates if t.sheet.strip().casefold() == _MICRO_SHEET]
    return one_of(named or candidates, where, "SAMM", findings)


def _belongs(label: Label, findings: list[Finding]) -> bool:
    """Tell whether a clip's name begins with its subject, as every name of SAMM does."""
    head = label.name.split("_")[0]
    if head.isdecimal() and int(head) == label.subject:
        return True
    what = f"Filename {label.name!r} does not begin with subject {label.subject:03d}"
    findings.append(Finding("error", what, label.where, label.clip_id, "error"))
    return False
