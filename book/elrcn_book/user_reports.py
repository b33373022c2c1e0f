"""Scores that users of the authors' code reported, beside the published ones."""

from __future__ import annotations

import pandas as pd

from elrcn.published.audit import majority_rows
from elrcn.published.numbers import METRICS, load_counts, published_table
from elrcn_book.tables import COUNTERPART

#: Row of `reports_table` that looks at no clip.
NOTHING = "largest class, always"


def reports_table(reports: pd.DataFrame) -> pd.DataFrame:
    """Set users' scores beside the published ones and beside looking at nothing.

    Parameters
    ----------
    reports : DataFrame
        From `elrcn.published.numbers.load_user_reports`.

    Returns
    -------
    DataFrame
        Columns `who`, `F1`, `UAR`, `WAR` (NaN where not reported) and `source`.
    """
    published = published_table("Table I")
    rows = [
        {"who": name, **published.loc[name, list(METRICS)], "source": "paper, Table I"}
        for name in ("ELRCN-SE", "ELRCN-TE")
    ]
    for (report, date), part in reports.groupby(["report", "date"], sort=False):
        values = dict(zip(part["metric"], part["value"], strict=True))
        rows.append({"who": f"user, {date}", **values, "source": report})
    nothing = majority_rows(load_counts()).iloc[0]
    values = {name: nothing[COUNTERPART[name]] for name in METRICS}
    rows.append({"who": NOTHING, **values, "source": f"{nothing['k/n']} clips"})
    table = pd.DataFrame(rows, columns=["who", *METRICS, "source"])
    return table.astype(dict.fromkeys(METRICS, float))


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
            for name in METRICS
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
