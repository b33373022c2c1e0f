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
from elrcn.databases.sheets import Naming, load_corrections, read_labels, require_classes, tables
from elrcn.manifest import Findings

NAMING = Naming(
    database="SAMM",
    subject=re.compile(r"0*(\d{1,3})", re.ASCII),
    width=3,
    folder="{:03d}",
    frame=re.compile(r"(?:\d{1,3}_)?(\d{1,9})", re.ASCII),
    emotions=tuple("happiness disgust surprise anger contempt fear sadness others".split()),
)
WITH_CLASSES = "SAMM_Micro_FACS_Codes_v2 (objective classes in the sheet)"
WITHOUT_CLASSES = "labels without objective classes"


def load(
    root: str | Path,
    sheet: str | Path | None = None,
    *,
    tree: str | Path | None = None,
    corrections: bool | str | Path = True,
    **scanning,
) -> Reading:
    """Read a copy of SAMM; parameters and errors as in `elrcn.databases.casme2.load`."""
    root, findings = check_root(root, "SAMM"), Findings()
    if tree is None:
        trees = find_trees(root, NAMING.subject)
        frames = one_tree(trees, root, "SAMM", "006/006_1_2/006_05562.jpg")
    else:
        frames = named_tree(root, tree)
    if sheet is None:
        found = label_tables(find_workbooks(root, frames), findings)
    else:
        found = tables(Path(sheet))
    candidates = [t for t in found if is_label_table(t)]
    micro = [t for t in candidates if t.sheet.strip().casefold() == "micro_only"]
    table = one_of(micro or candidates, root if sheet is None else Path(sheet), "SAMM", findings)
    revision = WITH_CLASSES
    if "objective_class" not in table.columns:
        revision = WITHOUT_CLASSES
        what = "no column Objective Classes; the action-unit rule gives them all"
        findings.remark("rule-all", what, table.path.name)
    labels, said = read_labels(NAMING, table, load_corrections(corrections))
    findings += said
    require_classes(table, labels)
    fitting = []
    for one in labels:  # every name of SAMM begins with its subject
        head = one.name.split("_")[0]
        if head.isdecimal() and int(head) == one.subject:
            fitting.append(one)
        else:
            what = f"Filename {one.name!r} does not begin with subject {one.subject:03d}"
            findings.error(what, one.where, one.clip_id)
    return assemble(NAMING, root, frames, [table], fitting, findings, revision, **scanning)
