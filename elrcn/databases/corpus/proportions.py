"""Which action units a clip plays: the real databases' proportions, scaled to any number of clips.

The counts below are those of a full corpus. They reproduce the published totals (CASME II: emotions
99/63/32/27/25, objective classes 25/15/99/26/20 among 246 clips; SAMM: 24/13/20/8/3 of 68) and the
overlaps between emotions that make the task hard. No row describes a real clip.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from elrcn.facs import objective_class

#: (emotion, action units, clips in a full corpus); "?" is a clip whose coder could not tell.
CASME2_TABLE = (
    ("others", "4", 59),
    ("others", "4+7", 6),
    ("others", "23", 1),
    ("others", "1+4", 2),
    ("others", "15", 2),
    ("others", "20", 1),
    ("others", "14", 12),
    ("others", "17", 8),
    ("others", "24", 2),
    ("others", "4+17", 2),
    ("others", "7", 2),
    ("others", "?", 2),
    ("disgust", "4+7", 21),
    ("disgust", "4", 12),
    ("disgust", "4+9", 6),
    ("disgust", "4+7+9", 6),
    ("disgust", "9", 4),
    ("disgust", "10", 4),
    ("disgust", "4+7+10", 2),
    ("disgust", "7+10", 2),
    ("disgust", "4+5+7+9", 2),
    ("disgust", "4+10", 4),
    ("happiness", "12", 16),
    ("happiness", "6+12", 8),
    ("happiness", "7+12", 1),
    ("happiness", "14", 4),
    ("happiness", "12+14", 1),
    ("happiness", "12+25", 1),
    ("happiness", "10+12", 1),
    ("repression", "17", 13),
    ("repression", "15", 6),
    ("repression", "15+17", 4),
    ("repression", "14", 4),
    ("surprise", "1+2", 12),
    ("surprise", "25", 1),
    ("surprise", "25+26", 1),
    ("surprise", "1+2+25", 1),
    ("surprise", "1", 6),
    ("surprise", "2", 4),
)
SAMM_TABLE = (
    ("Happiness", "12", 13),
    ("Happiness", "6+12", 5),
    ("Happiness", "7+12", 3),
    ("Happiness", "6+7+12", 1),
    ("Other", "12", 1),
    ("Other", "6", 1),
    ("Surprise", "1+2", 6),
    ("Surprise", "5", 2),
    ("Surprise", "25+26", 2),
    ("Surprise", "1+2+25", 1),
    ("Other", "25", 2),
    ("Anger", "4", 7),
    ("Anger", "4+7", 5),
    ("Anger", "17+24", 2),
    ("Anger", "4+5+7", 1),
    ("Other", "4", 2),
    ("Other", "23", 2),
    ("Disgust", "4+6+7", 1),
    ("Disgust", "9", 2),
    ("Disgust", "10", 3),
    ("Disgust", "4+9", 1),
    ("Disgust", "4+7+9", 1),
    ("Disgust", "7+10", 1),
    ("Sadness", "15", 1),
    ("Sadness", "15+17", 1),
    ("Fear", "1", 1),
)


def unit_set(text: str) -> tuple[int, ...]:
    """Numbers in ``4+7``; an unclear clip ("?") plays a faint 7."""
    return (7,) if text == "?" else tuple(int(n) for n in text.split("+"))


def row_class(text: str) -> str:
    """Objective class of a table row, by the rule."""
    return objective_class(unit_set(text))


def largest_remainder(weights, total: int) -> np.ndarray:
    """Integers in proportion to `weights` that sum to `total`; ties go to the earlier entry."""
    exact = np.asarray(weights, float) * total / max(float(np.sum(weights)), 1e-12)
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def allocate(table, clips: int) -> list[tuple[str, str]]:
    """Choose `clips` rows (emotion, action units) of `table`.

    Both totals are kept as well as integers allow: the clips of each emotion are the proportional
    counts rounded by largest remainder, and the objective classes deviate from their own rounding
    by as few clips as possible while every emotion-class pair is rounded up or down.

    Parameters
    ----------
    table : sequence of (emotion, action units, count)
    clips : int
        At least 1.

    Returns
    -------
    list of (emotion, action units)
        In the table's order; its length is `clips`.
    """
    full = sum(count for _, _, count in table)
    emotions = list(dict.fromkeys(emotion for emotion, _, _ in table))
    classes = sorted({row_class(text) for _, text, _ in table})
    cells: dict[tuple[int, int], list] = {}
    for emotion, text, count in table:
        key = (emotions.index(emotion), classes.index(row_class(text)))
        cells.setdefault(key, []).append((text, count))
    keys = list(cells)
    totals = np.array([sum(count for _, count in cells[key]) for key in keys], float)
    exact = totals * clips / full
    by_emotion = largest_remainder(
        [totals[[k[0] == e for k in keys]].sum() for e in range(len(emotions))], clips
    )
    by_class = largest_remainder(
        [totals[[k[1] == c for k in keys]].sum() for c in range(len(classes))], clips
    )
    counts = _round_cells(keys, exact, by_emotion, by_class)
    chosen = []
    for key, count in zip(keys, counts, strict=True):
        rows = cells[key]
        shares = largest_remainder([n for _, n in rows], int(count))
        for (text, _), share in zip(rows, shares, strict=True):
            chosen += [(emotions[key[0]], text)] * int(share)
    order = {(emotion, text): i for i, (emotion, text, _) in enumerate(table)}
    return sorted(chosen, key=order.__getitem__)


def _round_cells(keys, exact, by_emotion, by_class) -> np.ndarray:
    """Integer cells with exact emotion totals, class totals as near as possible: a flow."""
    n, m = len(keys), len(by_class)
    # Variables: cells, then class surplus and class shortfall; small costs follow the exact cells.
    cost = np.concatenate([-1e-3 * (exact - np.floor(exact)), np.ones(2 * m)])
    rows, values = [], []
    for e, total in enumerate(by_emotion):
        row = np.zeros(n + 2 * m)
        row[:n] = [k[0] == e for k in keys]
        rows.append(row)
        values.append(total)
    for c, total in enumerate(by_class):
        row = np.zeros(n + 2 * m)
        row[:n] = [k[1] == c for k in keys]
        row[n + c], row[n + m + c] = -1, 1
        rows.append(row)
        values.append(total)
    slack = 0
    while True:  # rarely, one emotion's cells cannot reach its total within one clip of exact
        low = np.concatenate([np.maximum(np.floor(exact + 1e-9) - slack, 0), np.zeros(2 * m)])
        high = np.concatenate([np.ceil(exact - 1e-9) + slack, np.full(2 * m, np.inf)])
        result = milp(
            cost,
            constraints=LinearConstraint(np.array(rows), values, values),
            bounds=Bounds(low, high),
            integrality=np.ones(n + 2 * m),
        )
        if result.success:
            return np.round(result.x[:n]).astype(int)
        slack += 1
