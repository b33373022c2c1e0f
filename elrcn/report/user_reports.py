"""Scores that users of the authors' code reported, read from ``data_manifest/``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from elrcn.audit import majority_rows
from elrcn.printed import load_counts
from elrcn.published import published_table, read_values
from elrcn.report.tables import COUNTERPART

COLUMNS = ("report", "date", "metric", "value", "settings", "source", "note")
_SCORES = ("F1", "UAR", "WAR")
#: Row of `reports_table` that looks at no clip.
NOTHING = "largest class, always"


def load_user_reports(path: str | Path | None = None) -> pd.DataFrame:
    """Read what users of the authors' code reported: one row a number.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/user_reports.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`; `value` is a fraction in [0, 1], `source` the address of the thread.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column or holds a value outside [0, 1].
    """
    return read_values(path, "user_reports.csv", COLUMNS, "The users' reports", "A reported value")


def reports_table(reports: pd.DataFrame) -> pd.DataFrame:
    """Set users' scores beside the published ones and beside looking at nothing.

    Parameters
    ----------
    reports : DataFrame
        From `load_user_reports`.

    Returns
    -------
    DataFrame
        Columns `who`, `F1`, `UAR`, `WAR` (NaN where not reported) and `source`.
    """
    published = published_table("Table I")
    rows = [
        {"who": name, **published.loc[name, list(_SCORES)], "source": "paper, Table I"}
        for name in ("ELRCN-SE", "ELRCN-TE")
    ]
    for (report, date), part in reports.groupby(["report", "date"], sort=False):
        values = dict(zip(part["metric"], part["value"], strict=True))
        rows.append({"who": f"user, {date}", **values, "source": report})
    nothing = majority_rows(load_counts()).iloc[0]
    values = {name: nothing[COUNTERPART[name]] for name in _SCORES}
    rows.append({"who": NOTHING, **values, "source": f"{nothing['k/n']} clips"})
    table = pd.DataFrame(rows, columns=["who", *_SCORES, "source"])
    return table.astype(dict.fromkeys(_SCORES, float))


def reports_summary(table: pd.DataFrame, classes: int) -> str:
    """Say in Markdown where the users' scores stand.

    Parameters
    ----------
    table : DataFrame
        From `reports_table`.
    classes : int
        Number of classes; guessing has a UAR of one in so many.
    """
    table = table.set_index("who")
    te, nothing = table.loc["ELRCN-TE"], table.loc[NOTHING, "WAR"]
    lines = []
    for who, row in table[table.index.str.startswith("user")].iterrows():
        parts = [
            f"{name} {row[name]:.2f}, {row[name] / te[name]:.0%} of ELRCN-TE's"
            for name in _SCORES
            if not pd.isna(row[name])
        ]
        place = "below" if row["WAR"] < nothing else "above"
        text = (
            f"- **{who}** ({row['source']}): {'; '.join(parts)}. The WAR is {place} that of always "
            f"answering the largest class ({nothing:.3f})"
        )
        if not pd.isna(row["UAR"]):
            text += f", the UAR {row['UAR'] - 1 / classes:+.3f} from guessing ({1 / classes:.2f})"
        lines.append(f"{text}.")
    return "\n".join(lines)
