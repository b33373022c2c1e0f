"""Epochs chosen on the test subject, as a table and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from elrcn.evaluation.decisions import best_choice, compare, oracle_rows, others_rows
from elrcn.evaluation.statistics import score_table
from elrcn_book.html import interval_text

#: Rules of `leak_table` in its order: name, and whether they look at the test subject's answers.
RULES = {
    "table": ("as in Table I: stopped by the training loss", False),
    "last": ("last epoch", False),
    "others": ("best on the other subjects", False),
    "best": ("best on all test clips, one for all", True),
    "oracle": ("best on each test subject", True),
}


def leak_table(
    by_epochs: Mapping[int, pd.DataFrame],
    table_rows: pd.DataFrame,
    classes: Sequence[str],
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """UAR under every rule for when to stop, and what it gains over the two honest ones.

    Parameters
    ----------
    by_epochs : mapping of int to DataFrame
        Epochs trained to prediction rows of the same clips.
    table_rows : DataFrame
        Rows of the same method as Table I trains it.
    classes : sequence of str
        All classes of the task.
    draws, seed : int
        Resamples of the subjects behind each interval.

    Returns
    -------
    DataFrame
        Index `rule` (keys of `RULES`); columns `choice` (in words), `looks` (whether the test
        subject's answers decide), `epochs` (smallest to largest chosen, as text), `uar`, `uar_low`,
        `uar_high`; `gain`, `gain_low`, `gain_high` over the rule "others", and `over_last`,
        `over_last_low`, `over_last_high` over the last epoch, both paired over subjects. Then `war`
        and `war_over_last` with its interval: clips answered right are what the leak chooses by.
    """
    best = best_choice(by_epochs, "uar", classes)
    rows = {
        "table": table_rows,
        "last": by_epochs[max(by_epochs)].assign(chosen=max(by_epochs)),
        "others": others_rows(by_epochs, "uar", classes),
        "best": by_epochs[best].assign(chosen=best),
        "oracle": oracle_rows(by_epochs, classes),
    }
    found = {}
    for rule, (choice, looks) in RULES.items():
        part = rows[rule]
        scores = score_table(part, None, ["uar", "war"], classes, draws=draws, seed=seed).iloc[0]
        gain, over_last = (
            compare(part, rows[base], "uar", draws, seed, classes=classes)
            for base in ("others", "last")
        )
        war = compare(part, rows["last"], "war", draws, seed, classes=classes)
        chosen = sorted(set(part["chosen"])) if "chosen" in part else []
        found[rule] = {
            "choice": choice,
            "looks": looks,
            "epochs": " to ".join(map(str, dict.fromkeys((chosen or [""])[i] for i in (0, -1)))),
            **scores[["uar", "uar_low", "uar_high"]],
            "gain": gain.difference,
            "gain_low": gain.low,
            "gain_high": gain.high,
            "over_last": over_last.difference,
            "over_last_low": over_last.low,
            "over_last_high": over_last.high,
            "war": scores["war"],
            "war_over_last": war.difference,
            "war_over_last_low": war.low,
            "war_over_last_high": war.high,
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("rule")


def leak_summary(tables: Mapping[str, pd.DataFrame]) -> str:
    """Say in Markdown what looking at the test subject added to each variant's UAR."""
    lines = []
    for variant, table in tables.items():
        oracle, others, last = (table.loc[rule] for rule in ("oracle", "others", "last"))
        gain, over_last, war_over_last = (
            f"{oracle[name]:+.3f} ("
            f"{interval_text(oracle[f'{name}_low'], oracle[f'{name}_high'], '+.3f')})"
            for name in ("gain", "over_last", "war_over_last")
        )
        lines.append(
            f"- **{variant}**: UAR {oracle['uar']:.3f} when the epoch is chosen on each test "
            f"subject. That is {gain} over the choice on the other subjects "
            f"({others['uar']:.3f}), and {over_last} over choosing "
            f"nothing and training to the last epoch ({last['uar']:.3f}). One epoch for all, "
            f"chosen on the test clips, gives {table.loc['best', 'uar']:.3f}. In accuracy, by "
            f"which the leak chooses, it reaches {oracle['war']:.3f}: {war_over_last} over the "
            f"last epoch."
        )
    return "\n".join(lines)
