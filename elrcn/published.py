"""The paper's numbers, read from ``data_manifest/`` and typed nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace

COLUMNS = ("source", "protocol", "database", "classes", "method", "metric", "value", "role")
METRICS = ("F1", "UAR", "WAR")
RECOVERED_COLUMNS = ("figure", "method", "label", "value", "note")
#: How the paper marks the rows its authors measured again themselves.
_REPRODUCED = " (reproduced)"


def read_values(
    path: str | Path | None, name: str, columns: Sequence[str], which: str, one: str
) -> pd.DataFrame:
    """Read a file of ``data_manifest/`` whose column `value` holds fractions.

    Parameters
    ----------
    path : path-like or None
        None: the file `name` of the workspace's ``data_manifest/``.
    name : str
        Such as ``"paper_results.csv"``.
    columns : sequence of str
        What it must hold, `value` among them.
    which, one : str
        Names of the file's content and of one of its values, for errors.

    Returns
    -------
    DataFrame
        These columns alone.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column or holds a value outside [0, 1].
    """
    path = Path(path) if path else find_workspace().data_manifest / name
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise ElrcnError(
            f"{which} are missing.", where=path, fix="restore the file from git"
        ) from None
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ElrcnError(f"Columns are missing: {', '.join(missing)}.", where=path)
    if not table["value"].between(0, 1).all():
        raise ElrcnError(f"{one} lies outside [0, 1].", where=path)
    return table[list(columns)]


def load_published(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published results in long form: one row a number.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/paper_results.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; `value` is a fraction in [0, 1].

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, holds a value outside [0, 1] or a number twice.
    """
    table = read_values(
        path, "paper_results.csv", COLUMNS, "The paper's results", "A published value"
    )
    twice = table.duplicated(["source", "protocol", "database", "method", "metric"])
    if twice.any():
        row = table[twice].iloc[0]
        raise ElrcnError(f"{row['source']}: {row['method']} has two values of {row['metric']}.")
    return table


def published_sources(table: pd.DataFrame | None = None) -> list[str]:
    """Names of the tables and sections that hold numbers, in the paper's order."""
    table = load_published() if table is None else table
    return list(table["source"].unique())


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
        known = ", ".join(published_sources(table))
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
    for name in (method, method + _REPRODUCED):
        if name in published.index:
            return name
    return None


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
    table = read_values(
        path, "recovered_bars.csv", RECOVERED_COLUMNS, "The bars of the authors' script", "A bar"
    )
    if table.duplicated(["figure", "method"]).any():
        raise ElrcnError(
            "A bar has two values.",
            where=path or find_workspace().data_manifest / "recovered_bars.csv",
        )
    part = table[table["figure"] == figure]
    return {str(m): float(v) for m, v in zip(part["method"], part["value"], strict=True)}
