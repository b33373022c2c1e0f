"""The paper's five comparisons between methods, and which way they went here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.config import PROFILES, Profile
from elrcn.evaluation.decisions import compare
from elrcn.evaluation.statistics import holm
from elrcn.experiments.registry import REGISTRY
from elrcn_book.comparison import NEITHER, p_text, verdict
from elrcn_book.html import interval_text
from elrcn_book.style import WIDTH, figure_style, series

SAME, OPPOSITE, APART_NOT, MISSING = (
    "same direction, significant",
    "opposite direction, significant",
    NEITHER,
    "not run here",
)


@dataclass(frozen=True)
class ShapeComparison:
    """One thing the paper says about two methods.

    Attributes
    ----------
    claim : str
        What the paper says, in a sentence.
    source : str
        Where it says so.
    short : str
        A few words for an axis.
    experiment : str
        Name in the registry.
    first, second : str
        Its methods compared.
    sign : int
        The paper's direction: 1 if the first scores higher, -1 if the second does.
    """

    claim: str
    source: str
    short: str
    experiment: str
    first: str
    second: str
    sign: int

    def labels(self, profile: Profile) -> tuple[str, str]:
        """Names of both methods in tables under `profile`."""
        known = {m.name: m.under(profile).label for m in REGISTRY[self.experiment].methods}
        return known[self.first], known[self.second]


_FLOW = "Optical flow serves better than grey values"
#: Pairs that differ in one thing: the single-layer LSTM is compared with the one that only adds a
#: second layer to it. Claims and signs are the paper's text, whatever comes out here.
SHAPE: tuple[ShapeComparison, ...] = (
    ShapeComparison(
        "Temporal enrichment does better than spatial within one database",
        "Table I", "TE over SE, one database", "table1", "elrcn_te", "elrcn_se", 1,
    ),
    ShapeComparison(
        "Spatial enrichment does better than temporal on databases taken together",
        "Table II", "SE over TE, composite", "table2", "elrcn_se", "elrcn_te", 1,
    ),
    ShapeComparison(
        "Spatial enrichment does better than temporal from one database to the other",
        "Table III", "SE over TE, holdout", "table3", "elrcn_se", "elrcn_te", 1,
    ),
    ShapeComparison(
        f"{_FLOW} in a network trained from scratch",
        "Figure 5", "flow over grey, scratch", "figure5", "scratch_flow", "scratch_grey", 1,
    ),
    ShapeComparison(
        f"{_FLOW} in a fine-tuned network",
        "Figure 5", "flow over grey, tuned", "figure5", "tuned_flow", "tuned_grey", 1,
    ),
    ShapeComparison(
        "The last hidden layer's features serve better than the second-last's",
        "Figure 7", "last FC over second-last", "figure7", "fc7", "fc6", 1,
    ),
    ShapeComparison(
        "One LSTM layer does better than two on spatial features",
        "Figure 8", "1 layer over 2, features", "figure8", "lstm_3000", "lstm_3000_1024", 1,
    ),
    ShapeComparison(
        "Two LSTM layers do better than one on grey pixels",
        "Figure 6", "2 layers over 1, pixels", "figure6", "lstm_3000_1024", "lstm_3000", 1,
    ),
)  # fmt: skip


def shape_methods() -> dict[str, tuple[str, ...]]:
    """Experiments that `SHAPE` asks for, with the methods it needs of each."""
    wanted: dict[str, dict[str, None]] = {}
    for c in SHAPE:
        wanted.setdefault(c.experiment, {}).update({c.first: None, c.second: None})
    return {experiment: tuple(names) for experiment, names in wanted.items()}


def direction(row: pd.Series) -> str:
    """Say by `elrcn_book.comparison.verdict` which way a row went whose sign is ``paper``."""
    if pd.isna(row["difference"]):
        return MISSING
    found = {"higher": 1, "lower": -1}.get(verdict(row), 0)
    return APART_NOT if not found else SAME if found == row["paper"] else OPPOSITE


def shape_table(
    results: Mapping[str, Mapping[str, pd.DataFrame]],
    draws: int = 2000,
    seed: int = 0,
    profile: Profile = PROFILES["paper"],
) -> pd.DataFrame:
    """Say for every comparison of `SHAPE` which way it went.

    Parameters
    ----------
    results : mapping of str to mapping of str to DataFrame
        Experiment to method to prediction rows, as from `elrcn.experiments.plans.run`. What is
        missing is kept with the verdict "not run here".
    draws, seed : int
        Resamples of the subjects behind each interval.
    profile : Profile
        Under whose names the methods are told.

    Returns
    -------
    DataFrame
        One row a comparison: `claim`, `source`, `short`, `first`, `second`, `paper` (the paper's
        sign), `clips`, `subjects`, `difference` (UAR of first minus second; Table III: mean of both
        directions), `low`, `high` (95% over subjects, paired), `p_value`, `p_holm` (over all rows)
        and `verdict`.
    """
    table = []
    for c in SHAPE:
        row = dict.fromkeys(("clips", "subjects"), pd.NA)
        row |= dict.fromkeys(("difference", "low", "high", "p_value", "p_holm"), np.nan)
        first, second = c.labels(profile) if c.experiment in REGISTRY else (c.first, c.second)
        rows = [results.get(c.experiment, {}).get(name) for name in (c.first, c.second)]
        if all(part is not None for part in rows):
            task = REGISTRY[c.experiment].task
            found = compare(*rows, "uar", draws, seed, classes=task.classes, per_fold=task.per_fold)
            row |= {"clips": len(rows[0]), "subjects": found.subjects}
            row |= {k: getattr(found, k) for k in ("difference", "low", "high", "p_value")}
        table.append(
            {"claim": c.claim, "source": c.source, "short": c.short, "first": first,
             "second": second, "paper": c.sign, **row}
        )  # fmt: skip
    frame = pd.DataFrame(table).astype({"clips": "Int64", "subjects": "Int64"})
    run = frame["p_value"].notna()
    frame.loc[run, "p_holm"] = holm(frame.loc[run, "p_value"])
    return frame.assign(verdict=[direction(row) for _, row in frame.iterrows()])


def shape_summary(table: pd.DataFrame) -> str:
    """Say in Markdown how many comparisons went the paper's way, then each one."""
    counts = table["verdict"].value_counts()
    made = int((table["verdict"] != MISSING).sum())
    head = (
        f"Of {made} comparisons, {counts.get(SAME, 0)} are significant in the paper's direction "
        f"and {counts.get(OPPOSITE, 0)} in the opposite one; in {counts.get(APART_NOT, 0)} there "
        "is no significant difference."
    )
    lines = []
    for _, row in table.iterrows():
        text = f"- *{row['claim']}* ({row['source']}): **{row['verdict']}**"
        if row["verdict"] != MISSING:
            text += (
                f"; difference {row['difference']:+.3f} "
                f"({interval_text(row['low'], row['high'], '+.3f')}); {p_text(row['p_holm'])}"
            )
        lines.append(text + ".")
    return "\n\n".join([head, "\n".join(lines)])


def shape_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw every difference turned so that the paper's direction is to the right.

    Parameters
    ----------
    table : DataFrame
        From `shape_table`.
    title : str
        Such as "The paper's comparisons".
    """
    part = table[table["verdict"] != MISSING]
    y, sign = np.arange(len(part))[::-1], part["paper"].to_numpy(float)
    ends = np.sort(part[["low", "high"]].to_numpy(float) * sign[:, None], axis=1)
    middle = part["difference"].to_numpy(float) * sign
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.38 * len(part) + 2.0))
        ax.axvline(0, color="0.4", linestyle=":", linewidth=1.2)
        for number, word in ((0, SAME), (1, OPPOSITE), (6, APART_NOT)):
            kept, (colour, marker) = (part["verdict"] == word).to_numpy(), series(number)
            if kept.any():
                ax.hlines(y[kept], *ends[kept].T, color=colour, linewidth=2)
                ax.plot(middle[kept], y[kept], marker, color=colour, label=word)
        names = [f"{s}: {t}" for s, t in zip(part["source"], part["short"], strict=True)]
        ax.set_yticks(y, [name.replace(": ", "\n", 1) for name in names])
        ax.set_ylim(-0.7, len(part) - 0.3)
        reach = float(np.nanmax(np.abs([*ends.T, middle]), initial=0)) or 0.1
        ax.set_xlim(-1.1 * reach, 1.1 * reach)
        ax.set_xlabel("Difference in UAR, 95% interval\n← against the paper | as the paper says →")
        ax.set_ylabel("What the paper compares")
        ax.set_title(title)
        if len(part):
            fig.legend(loc="outside lower center", ncols=1)
    return fig


def shape_alt(table: pd.DataFrame) -> str:
    """Alternative text of `shape_figure`."""
    parts = [f"{row['source']}, {row['short']}: {row['verdict']}" for _, row in table.iterrows()]
    return "Differences with intervals about zero. " + "; ".join(parts) + "."
