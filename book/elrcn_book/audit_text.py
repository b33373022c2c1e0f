"""Sentences of the audit page."""

from __future__ import annotations

import pandas as pd

from elrcn.published.audit import FLOAT_ERROR

#: A row of Table III with more pairs than this is not reconstructed.
FEW_PAIRS = 3


def few_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rows of `elrcn.published.audit.hde_pairs` of the methods with at most `FEW_PAIRS` pairs."""
    return pairs[pairs.groupby("method")["method"].transform("size") <= FEW_PAIRS]


def pairs_summary(pairs: pd.DataFrame) -> str:
    """Say in Markdown which right answers stand behind the rows of Table III.

    Parameters
    ----------
    pairs : DataFrame
        From `elrcn.published.audit.hde_pairs`.
    """
    lines = []
    for method, part in few_pairs(pairs).groupby("method", sort=False):
        left, first = part[part["possible"]], part.iloc[0]
        text = f"- **{method}**, {first['WAR']}: " + "; ".join(map(_pair, left.to_dict("records")))
        for row in part[~part["possible"]].to_dict("records"):
            text += f". Ruled out: {_pair(row)}, "
            if row["least_UAR"] > float(row["UAR"]):
                text += f"whose UAR would be at least {row['least_UAR']:.4f}, not {row['UAR']}"
            else:
                text += f"with which no UAR is {row['UAR']}"
        if left["in_text"].any() and len(left) > 1:
            told = left[left["in_text"]].to_dict("records")
            text += f". The text selects {'; '.join(map(_pair, told))}"
        if first["if_padded"]:
            text += (
                f". With one decimal fewer, its last zero only filled in, {first['if_padded']} "
                "pairs would do"
            )
        lines.append(f"{text}.")
    return "\n".join(lines)


def _pair(row: dict) -> str:
    return f"{row['SAMM']} and {row['CASME II']}"


def uar_summary(singles: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """Say in Markdown how many published UARs can be had.

    Parameters
    ----------
    singles, pairs : DataFrame
        From `elrcn.published.audit.uar_search` and `hde_pairs`.
    """
    keys = ["source", "method", "clips"]
    rows = [
        singles.groupby(keys)["possible"].any(),
        pairs.groupby("method")["possible"].any(),
    ]
    possible = sum(int(part.sum()) for part in rows)
    found = singles["diagonals"]
    return (
        f"Of {sum(map(len, rows))} published UARs, **{possible}** can be had with a number of "
        "right answers that the accuracy beside them stands for, by "
        f"{found.min():,} to {found.max():,} diagonals each; those of Table III by up to "
        f"{pairs['diagonals'].max():,} pairs of diagonals."
    )


def majority_summary(table: pd.DataFrame) -> str:
    """Say in Markdown, table by table, which accuracies are above the largest class.

    Parameters
    ----------
    table : DataFrame
        From `elrcn.published.audit.beside_majority`; margins are in clips.
    """
    lines = []
    for source, part in table.groupby("source", sort=False):
        groups = [
            f"**{verdict}**: " + ", ".join(map(_with_margin, rows.to_dict("records")))
            for verdict, rows in part.groupby("verdict", sort=False)
        ]
        lines.append(f"- {source}: {'; '.join(groups)}.")
    return "\n".join(lines)


def _with_margin(row: dict) -> str:
    if row["margin"]:
        ends = row["margin"].split(", ")
        margin = ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"
        return f"{row['method']} ({margin} clips)"
    if row["clips"] == "both folds":
        return f"{row['method']} ({row['printed']} against {row['largest']})"
    return f"{row['method']} ({row['printed']}, a fraction of none of the sets)"


def wrong_label_summary(one: pd.DataFrame, two: pd.DataFrame) -> str:
    """Say in Markdown with which sizes of the classes a user's UAR can be had.

    Parameters
    ----------
    one, two : DataFrame
        From `elrcn.published.audit.wrong_label` with at most one and at most two clips moved.
    """
    lines = []
    for report, rows in one.groupby("report", sort=False):
        published, moved = rows.iloc[0], rows.iloc[1:]
        further = two[(two["report"] == report) & ~two["sizes"].isin(rows["sizes"])]
        lines.append(
            f"- **{report}**, {published['right']} right answers, sizes {published['sizes']} as "
            f"published: {published['diagonals']} diagonals. With any number of right answers, "
            f"their UARs are whole multiples of 1/{published['denominator']:,}, and the nearest is "
            f"{published['distance']:.1e} away; the program's own rounding is less than "
            f"{float(FLOAT_ERROR):.0e}."
        )
        for many, part in (("one clip", moved), ("two clips", further)):
            fits = part[part["possible"]].to_dict("records")
            found = "; ".join(
                f"{r['sizes']} ({r['moved']}), {r['diagonals']} diagonals" for r in fits
            )
            lines.append(
                f"- Of {len(part)} other sizes that come of moving {many}, {len(fits)} would do: "
                f"{found or 'none'}."
            )
    return "\n".join(lines)
