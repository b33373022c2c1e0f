"""The published numbers, read from ``data_manifest/`` and typed nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.facs import EMOTIONS, OBJECTIVE_CLASSES
from elrcn.workspace import find_workspace

METRICS = ("F1", "UAR", "WAR")
#: Clips of CASME II according to the paper's text (Section IV-A).
CLAIMED_CLIPS = 247
#: Names of the two sets of clips that Table I may be about; the other sets are of classes I to V.
FIVE_EMOTIONS, PAPER_TEXT = "CASME II, five emotions", "CASME II, the paper's text"


def _read(path: str | Path | None, name: str, **options) -> tuple[Path, pd.DataFrame]:
    """Where the file `name` of ``data_manifest/`` (or `path`) lies, and its table."""
    path = Path(path) if path else find_workspace().data_manifest / name
    try:
        return path, pd.read_csv(path, **options)
    except FileNotFoundError:
        raise ElrcnError(
            "A file of published numbers is missing.", where=path, fix="restore the file from git"
        ) from None


def read_values(
    path: str | Path | None, name: str, columns: Sequence[str], one: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a file of ``data_manifest/`` whose column `value` holds fractions.

    Parameters
    ----------
    path : path-like or None
        None: the file `name` of the workspace's ``data_manifest/``.
    name : str
        Such as ``"paper_results.csv"``.
    columns : sequence of str
        What is returned: columns of the file, `value` among them, and ``printed`` (str) for the
        values as they are written there, trailing zeros and all.
    one : sequence of str
        Columns that together have one value.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, or holds a value twice or one that is no number in
        [0, 1].
    """
    path, table = _read(path, name, dtype={"value": str})
    if "value" in table:
        table["printed"] = table["value"].str.strip()
        table["value"] = pd.to_numeric(table["printed"], errors="coerce")
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ElrcnError(f"Columns are missing: {', '.join(missing)}.", where=path)
    if not table["value"].between(0, 1).all():
        raise ElrcnError("A value is no number or lies outside [0, 1].", where=path)
    if one and (twice := table.duplicated(list(one))).any():
        row = ", ".join(table.loc[twice, list(one)].iloc[0].astype(str))
        raise ElrcnError(f"There are two values of {row}.", where=path)
    return table[list(columns)]


def load_published(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published results in long form: one row per number.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/paper_results.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `source`, `protocol`, `database`, `classes`, `method`, `metric`, `value` (a fraction
        in [0, 1]), `role`, and `printed`: the value as it is printed (str), trailing zeros and all.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, holds a value outside [0, 1] or a number twice.
    """
    columns = ("source", "protocol", "database", "classes", "method", "metric", "value", "role")
    one = ("source", "protocol", "database", "method", "metric")
    return read_values(path, "paper_results.csv", (*columns, "printed"), one)


def published_table(source: str, table: pd.DataFrame | None = None) -> pd.DataFrame:
    """One table of the paper in wide form.

    Parameters
    ----------
    source : str
        Such as ``"Table I"``.
    table : DataFrame, optional
        What `load_published` returns; read when not given.

    Returns
    -------
    DataFrame
        Index `method` in the paper's order (``"method, database"`` where a source reports a
        method on several), columns ``F1``, ``UAR``, ``WAR`` (NaN where not published) and ``role``.

    Raises
    ------
    ElrcnError
        If nothing was published under that name.
    """
    table = load_published() if table is None else table
    part = table[table["source"] == source]
    if part.empty:
        known = ", ".join(table["source"].unique())
        raise ElrcnError(f"The paper has no results called {source!r}.", fix=f"choose one: {known}")
    if part["database"].nunique() > 1:
        part = part.assign(method=part["method"] + ", " + part["database"])
    wide = part.pivot(index="method", columns="metric", values="value")
    wide = wide.reindex(index=part["method"].unique(), columns=list(METRICS))
    wide["role"] = part.groupby("method")["role"].first()
    wide.columns.name = None
    return wide


def published_name(method: str, published: pd.DataFrame) -> str | None:
    """Name of the published row that `method` repeats, or None.

    The paper writes "LBP-TOP (reproduced)" for what is called LBP-TOP here.
    """
    names = (method, f"{method} (reproduced)")
    return next((name for name in names if name in published.index), None)


def recovered_bars(figure: str, path: str | Path | None = None) -> dict[str, float]:
    """Bars of a figure whose numbers the paper does not print, as the authors' repository has them.

    Their plotting script holds what appear to be the bars of Figures 7 and 8. It does not name the
    score, so these are no published results: they show an ordering, not a WAR, UAR or F1.

    Parameters
    ----------
    figure : str
        Such as ``"Figure 7"``.
    path : path-like, optional
        Default: ``data_manifest/recovered_bars.csv`` of the workspace.

    Returns
    -------
    dict of str to float
        Method of the experiment to value in [0, 1]; empty for a figure without such bars.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, holds a value outside [0, 1] or a bar twice.
    """
    columns = ("figure", "method", "label", "value", "note")
    table = read_values(path, "recovered_bars.csv", columns, ("figure", "method"))
    return table[table["figure"] == figure].set_index("method")["value"].to_dict()


def load_user_reports(path: str | Path | None = None) -> pd.DataFrame:
    """Read what users of the authors' code reported: one row per number.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/user_reports.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `report`, `date`, `metric`, `value` (a fraction in [0, 1]), `settings`, `source`
        (the address of the thread) and `note`.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column or holds a value outside [0, 1].
    """
    columns = ("report", "date", "metric", "value", "settings", "source", "note")
    return read_values(path, "user_reports.csv", columns)


def load_counts(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published numbers of clips: ``database, group, label, clips, subjects, source``.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/published_counts.csv`` of the workspace.

    Raises
    ------
    ElrcnError
        If the file is missing.
    """
    return _read(path, "published_counts.csv")[1]


def published_counts(
    path: str | Path | None = None,
) -> dict[tuple[str, str, str], tuple[int, int | None]]:
    """Look up published clips and subjects (None: not published) by (database, group, label).

    `path` and errors as of `load_counts`.
    """
    return {
        (row.database, row.group, row.label): (
            int(row.clips),
            None if pd.isna(row.subjects) else int(row.subjects),
        )
        for row in load_counts(path).itertuples()
    }


def class_sizes(counts: pd.DataFrame, database: str, group: str) -> dict[str, int]:
    """Clips of each class used: the five emotions (``emotion``) or I to V (``objective``).

    `database` is ``"CASME2"``, ``"SAMM"`` or ``"CDE"`` (both together); `counts` is from
    `load_counts`.

    Raises
    ------
    ElrcnError
        If a class has no count.
    """
    if database == "CDE":
        casme2, samm = (class_sizes(counts, name, group) for name in ("CASME2", "SAMM"))
        return {label: casme2[label] + samm[label] for label in casme2}
    part = counts[(counts["database"] == database) & (counts["group"] == group)]
    sizes = dict(zip(part["label"], part["clips"], strict=True))
    wanted = EMOTIONS if group == "emotion" else OBJECTIVE_CLASSES[:5]
    missing = [label for label in wanted if label not in sizes]
    if missing:
        raise ElrcnError(f"{database} has no published count of {', '.join(missing)}.")
    return {label: int(sizes[label]) for label in wanted}


def class_sets(counts: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Clips of each class, of every set of clips whose classes are published."""
    return {
        FIVE_EMOTIONS: class_sizes(counts, "CASME2", "emotion"),
        "CASME II, classes I to V": class_sizes(counts, "CASME2", "objective"),
        "SAMM, classes I to V": class_sizes(counts, "SAMM", "objective"),
        "CDE, classes I to V": class_sizes(counts, "CDE", "objective"),
    }


def clip_sets(counts: pd.DataFrame) -> dict[str, int]:
    """Count the clips of every set an accuracy may have been measured on."""
    sums = {name: sum(sizes.values()) for name, sizes in class_sets(counts).items()}
    return {FIVE_EMOTIONS: sums.pop(FIVE_EMOTIONS), PAPER_TEXT: CLAIMED_CLIPS, **sums}
