"""What came out of Figure 9's measurement, in sentences that follow the intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from elrcn.evaluation.statistics import interval
from elrcn.experiments.attention import PROTOCOLS, subject_means
from elrcn_book.html import interval_text

_TEXTS = {
    "energy": "share of the maps' energy inside the masks",
    "hit": "share of clips whose highest point lies inside the masks",
    "hit_tolerant": "share of clips whose highest point lies inside or within the tolerance",
    "hit_by_class": "the same share, as the mean over the classes",
}
_AGAINST = {
    "other": "the same network's maps of the subject's other clips",
    "untrained": "the network before training",
    "random": "random maps",
}


def _verdict(low: float, high: float) -> str:
    """Say on which side of zero a difference's whole interval lies, if on one."""
    if low > 0 or high < 0:
        return "more than" if low > 0 else "less than"
    return "not significantly different from"


def _interval(*values: float) -> str:
    """Write a difference and its interval, if it has one; what rounds to zero has no sign."""
    if np.isnan(values[1:]).any():
        return f"{values[0]:+.3f}, no interval"
    middle, low, high = (f"{v:+.3f}" if abs(v) >= 0.0005 else "0.000" for v in values)
    return f"{middle}, {low} to {high}"


def map_summary(short: pd.DataFrame) -> str:
    """Markdown: what the trained networks' maps scored, and against what they scored more.

    Parameters
    ----------
    short : DataFrame
        From `summarise`. "More" and "less" are said only where the whole 95% interval is.
    """
    if short.empty:
        return (
            "The scores need masks of action units, which exist in the synthetic dataset only: on "
            "these data the maps can be looked at, not measured."
        )
    lines = []
    for protocol, part in short.groupby("protocol", sort=False):
        rows = part.set_index("maps")
        own = rows.loc["trained"]
        for name, text in _TEXTS.items():
            covered = f"; the masks cover {own['mask_share']:.3f} of the picture"
            covered = covered if name in ("energy", "hit") else ""
            lines.append(f"- **{protocol}**, {text}: {own[name]:.3f}{covered}. This is")
            for kind, words in _AGAINST.items():
                if f"trained - {kind}" in rows.index:
                    gap = rows.loc[f"trained - {kind}"]
                    ends = gap[f"{name}_low"], gap[f"{name}_high"]
                    lines.append(f"  - {_verdict(*ends)} {words} ({_interval(gap[name], *ends)})")
    return "\n".join(lines)


def domain_summary(table: pd.DataFrame, draws: int = 2000, seed: int = 0) -> str:
    """Markdown: whether networks of one database look better than those of both (Figure 9(e)).

    Parameters
    ----------
    table : DataFrame
        From `elrcn.experiments.attention.measure`; clips tested under both protocols count.
    draws, seed : int
        Resamples of the subjects behind the 95% interval.
    """
    own = table[table["maps"] == "trained"]
    words = {
        "energy": "energy inside the masks",
        "hit": "hit rate",
        "hit_tolerant": "hit rate with tolerance",
    }
    wide = own.pivot(index="clip_id", columns="protocol", values=list(words)).dropna()
    first, second = PROTOCOLS
    gaps = np.column_stack([wide[m][first] - wide[m][second] for m in words])
    if not len(gaps):
        return "No clip was scored under both protocols."
    subjects = own.drop_duplicates("clip_id").set_index("clip_id").loc[wide.index, "subject"]
    low, high = interval(subject_means(gaps, subjects, draws, seed), subjects.nunique())
    cells = [
        f"{word} is {_verdict(low[k], high[k])} that under {second} "
        f"({_interval(gaps[:, k].mean(), low[k], high[k])})"
        for k, word in enumerate(words.values())
    ]
    return (
        f"Over the {len(gaps)} clips of {subjects.nunique()} subjects that both protocols test, "
        f"under {first} the {cells[0]}; the {cells[1]}; and the {cells[2]}."
    )


def answer_summary(answers: pd.DataFrame) -> str:
    """Markdown: energy inside the masks where the network was right, and where it was wrong."""
    lines = []
    own = answers[answers["maps"] == "trained"]
    for protocol, part in own.groupby("protocol", sort=False):
        cells = [
            f"{r['energy']:.3f} ({interval_text(r['energy_low'], r['energy_high'], name='')}) over "
            f"{r['clips']} clips answered {r['answer']}"
            for _, r in part.iterrows()
        ]
        lines.append(f"- **{protocol}**: energy inside {', and '.join(cells)}.")
    return "\n".join(lines)
