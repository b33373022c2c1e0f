"""An ablation in words: what is above chance, and which methods are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn_book.html import interval_text


def chance_summary(table: pd.DataFrame, chance: float) -> str:
    """Say in Markdown which methods' UAR is above chance with its whole interval.

    Parameters
    ----------
    table : DataFrame
        From `ablation_table`, with intervals.
    chance : float
        UAR of guessing.
    """
    above = table[table["uar_low"] > chance]
    below = table[table["uar_high"] < chance]
    best = table.loc[table["uar"].idxmax()]
    text = (
        f"Of {len(table)} rows, {len(above)} "
        f"{'has' if len(above) == 1 else 'have'} an interval of UAR that lies above chance "
        f"({chance:.2f}) as a whole"
    )
    text += f": {'; '.join(above['method'])}." if len(above) else "."
    if len(below):
        text += f" Below chance as a whole: {'; '.join(below['method'])}."
    return text + (
        f" The highest UAR is {best['uar']:.3f} ({best['method']}; "
        f"{interval_text(best['uar_low'], best['uar_high'])})."
    )


def labelled_pairs(
    results: Mapping[str, pd.DataFrame], methods: Sequence, names: Sequence[tuple[str, str]]
) -> list[tuple[str, pd.DataFrame, str, pd.DataFrame]]:
    """Pairs for `elrcn_book.comparison.comparison_table`, labels beside rows.

    Parameters
    ----------
    results : mapping of str to DataFrame
        Method name to prediction rows.
    methods : sequence of Method
        `name` and `label` are read.
    names : sequence of (str, str)
        Names of the first and the second method of each pair.

    Raises
    ------
    ElrcnError
        If a name is of no method, or has no rows.
    """
    labels = {method.name: method.label for method in methods}
    for name in (name for pair in names for name in pair):
        if name not in labels or name not in results:
            raise ElrcnError(f"There are no results of a method {name!r} to compare.")
    return [(labels[a], results[a], labels[b], results[b]) for a, b in names]
