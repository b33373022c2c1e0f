"""Which of a clip's frames a figure shows."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from elrcn.manifest import Manifest

_NUMBER = re.compile(r"\d+$")


def frame_numbers(row: pd.Series) -> np.ndarray:
    """Numbers of a manifest row's frames, read from the end of their names."""
    return np.array([int(_NUMBER.search(PurePosixPath(f).stem).group()) for f in row["frames"]])


def apex_index(row: pd.Series) -> int:
    """Position of the frame nearest the apex; the middle where the sheet has no apex."""
    if pd.isna(row["apex"]):
        return len(row["frames"]) // 2
    return int(np.argmin(np.abs(frame_numbers(row) - int(row["apex"]))))


def examples(manifest: Manifest, column: str, classes) -> list[int]:
    """Row numbers of one clip a class, each of another subject as far as possible.

    The choice depends on the manifest alone: the first clip of a class whose subject was not
    shown yet, with a known apex. Classes without clips are left out.
    """
    chosen, shown = [], set()
    table = manifest.table
    for name in classes:
        rows = np.flatnonzero((table[column] == name).to_numpy())
        if len(rows):
            order = sorted(
                rows, key=lambda i: (table["subject"][i] in shown, pd.isna(table["apex"][i]), i)
            )
            chosen.append(int(order[0]))
            shown.add(table["subject"][order[0]])
    return chosen


def spread(manifest: Manifest, count: int) -> list[int]:
    """Row numbers of `count` clips spread evenly over the manifest (all, if it has fewer)."""
    return sorted({int(i) for i in np.linspace(0, len(manifest) - 1, min(count, len(manifest)))})
