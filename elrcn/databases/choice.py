"""Which of the sheets and folders at hand is meant: found if only one fits, asked for otherwise."""

from __future__ import annotations

from pathlib import Path

from elrcn.databases.sheets import LABEL_COLUMNS, SheetTable, require, tables, text
from elrcn.databases.trees import is_within
from elrcn.errors import ElrcnError
from elrcn.manifest import Finding

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
