"""The published numbers as printed, and how many clips they can be about."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.facs import EMOTIONS
from elrcn.published import load_published
from elrcn.workspace import find_workspace

#: Clips of CASME II according to the paper's text (Section IV-A).
CLAIMED_CLIPS = 247
_FIVE = ("I", "II", "III", "IV", "V")


def load_printed(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published results with each number as it is printed, trailing zeros and all.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/paper_results.csv`` of the workspace.

    Returns
    -------
    pandas.DataFrame
        Columns of `elrcn.published.load_published`, and ``printed`` (str).
    """
    path = Path(path) if path else find_workspace().data_manifest / "paper_results.csv"
    table = load_published(path)  # one home for the checks of the file itself
    return table.assign(printed=pd.read_csv(path, dtype=str)["value"].str.strip())


def load_counts(path: str | Path | None = None) -> pd.DataFrame:
    """Read the published numbers of clips: ``database, group, label, clips, subjects, source``.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/published_counts.csv`` of the workspace.

    Raises
    ------
    ElrcnError
        If the file is missing.
    """
    path = Path(path) if path else find_workspace().data_manifest / "published_counts.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise ElrcnError("The published counts are missing.", where=path) from None


def class_sizes(counts: pd.DataFrame, database: str, group: str) -> dict[str, int]:
    """Clips of each class used: the five emotions (``emotion``) or I to V (``objective``).

    `database` is ``"CASME2"``, ``"SAMM"`` or ``"CDE"`` (both together).

    Raises
    ------
    ElrcnError
        If a class has no count.
    """
    if database == "CDE":
        both = [class_sizes(counts, name, group) for name in ("CASME2", "SAMM")]
        return {label: both[0][label] + both[1][label] for label in both[0]}
    part = counts[(counts["database"] == database) & (counts["group"] == group)]
    sizes = dict(zip(part["label"], part["clips"], strict=True))
    wanted = EMOTIONS if group == "emotion" else _FIVE
    missing = [label for label in wanted if label not in sizes]
    if missing:
        raise ElrcnError(f"{database} has no published count of {', '.join(missing)}.")
    return {label: int(sizes[label]) for label in wanted}


def clip_sets(counts: pd.DataFrame) -> dict[str, int]:
    """Count the clips of every set an accuracy may have been measured on."""
    return {
        "CASME II, five emotions": sum(class_sizes(counts, "CASME2", "emotion").values()),
        "CASME II, the paper's text": CLAIMED_CLIPS,
        "CASME II, classes I to V": sum(class_sizes(counts, "CASME2", "objective").values()),
        "SAMM, classes I to V": sum(class_sizes(counts, "SAMM", "objective").values()),
        "CDE, classes I to V": sum(class_sizes(counts, "CDE", "objective").values()),
    }
