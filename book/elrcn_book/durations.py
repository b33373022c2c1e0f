"""Where the minutes go: of the book's pages, of the experiments' folds, of a GPU at full size."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from elrcn.config import PROFILES
from elrcn.errors import ElrcnError
from elrcn.estimate import temporal_cost, vgg_cost
from elrcn.evaluation.store import RunStore
from elrcn.published.numbers import published_counts
from elrcn.workspace import Workspace, find_workspace

#: Dense bf16 operations a second of one H200, from its data sheet (989 teraFLOPS).
H200_PEAK = 989e12
_CLASSES = 5


def page_times(profile: str, workspace: Workspace | None = None, but: str = "") -> pd.DataFrame:
    """Seconds that each executed page took, from the receipts beside the pages.

    Parameters
    ----------
    profile : str
        Pages run under another profile are left out.
    workspace : Workspace, optional
        Default: the one around the current folder.
    but : str
        A page left out: the one that asks, whose receipt is of an earlier build.

    Returns
    -------
    DataFrame
        `page`, `seconds`, `started` (text, UTC), longest first; empty where no page was executed.
    """
    rows = []
    for path in sorted((workspace or find_workspace()).executed.glob("*.receipt.json")):
        try:
            receipt = json.loads(path.read_text(encoding="utf-8"))
            if receipt["parameters"].get("profile") == profile and receipt["page"] != but:
                rows.append((str(receipt["page"]), float(receipt["seconds"]), receipt["started"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # being written, or of another version: no page to speak of
    table = pd.DataFrame(rows, columns=["page", "seconds", "started"])
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def page_summary(table: pd.DataFrame) -> str:
    """Markdown: how many pages `page_times` holds, their minutes, and the longest three's share."""
    if table.empty:
        return "No page was executed before this one, so there is nothing to show."
    total = table["seconds"].sum()
    first = table.head(3)
    names = ", ".join(f"[{page}]({page}.ipynb)" for page in first["page"])
    return (
        f"{len(table)} pages were executed before this one, in {total / 60:.1f} minutes added up "
        f"(two may run at once, so the clock says less). The longest, {names}, take "
        f"{first['seconds'].sum() / total:.0%} of that. A page finds what pages before it have "
        "trained, so the order decides which of two pays for a network they share."
    )


def fold_times(profile: str, workspace: Workspace | None = None) -> pd.DataFrame:
    """Seconds of the folds of every stored run, from the runs' ``timing.csv``.

    Returns
    -------
    DataFrame
        `experiment`, `method`, `folds`, `median_s` (fit and predict of the median fold),
        `total_s`; of several runs of one method the last; longest first.
    """
    found: dict[tuple[str, str], tuple[float, RunStore, pd.DataFrame]] = {}
    for card in sorted((workspace or find_workspace()).runs.glob("*/*/run.json")):
        try:
            store = RunStore(card.parent)
        except (ElrcnError, OSError):
            continue
        timing = store.timing()
        if store.card.get("profile") != profile or timing.empty:
            continue
        key = (str(store.card.get("experiment")), str(store.card.get("method")))
        written = _changed(card.parent / "timing.csv")
        if key not in found or written > found[key][0]:
            found[key] = (written, store, timing)
    rows = []
    for (experiment, method), (_, _, timing) in found.items():
        # Two processes that begin a file at once leave a second heading in it, and text in columns.
        parts = timing[["fit_s", "predict_s"]].apply(pd.to_numeric, errors="coerce")
        seconds = parts.sum(axis=1)
        rows.append((experiment, method, len(timing), seconds.median(), seconds.sum()))
    columns = ["experiment", "method", "folds", "median_s", "total_s"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("total_s", ascending=False, ignore_index=True)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def gpu_table() -> pd.DataFrame:
    """Count operations behind Tables I to III at full size.

    A stage trains on all frames (or clips) of a fold's training side in each epoch. Leaving one of
    s subjects out, the folds together train on n (s - 1) of n clips, however clips are spread over
    subjects; holding one database out, on each database once.

    Returns
    -------
    DataFrame
        A row a table, method and stage: `table`, `method`, `stage`, `networks` (a fold), `clips`
        (training clips, folds together), `samples` (a clip), `gflop` (a sample, forward and
        backward), `epochs` (at most), `pflop` (all in all, 10^15).
    """
    counts = published_counts()
    emotion = counts["CASME2", "emotion", "the five of Table I"]
    composite, *single = (counts[name, "objective", "I to V"] for name in ("CDE", "CASME2", "SAMM"))
    clips = {
        "Table I": emotion[0] * (emotion[1] - 1),
        "Table II": composite[0] * (composite[1] - 1),
        "Table III": sum(number for number, _ in single),
    }
    paper = PROFILES["paper"]
    frames, rows = paper.preprocess.tim_length - 1, []
    for table, number in clips.items():
        for method, networks, channels in (("ELRCN-SE", 1, 5), ("ELRCN-TE", 3, 3)):
            spatial = vgg_cost(paper.vgg, channels, _CLASSES)
            temporal = temporal_cost(paper.temporal, networks * paper.vgg.fc, frames, _CLASSES)
            config = paper.spatial_train if networks == 1 else paper.finetune_train
            for stage, many, samples, cost, epochs in (
                ("spatial", networks, frames, spatial, config.max_epochs),
                ("temporal", 1, 1, temporal, paper.temporal_train.max_epochs),
            ):
                flops = float(many * number * samples * epochs) * cost.training_flops
                one = (table, method, stage, many, number, samples)
                rows.append((*one, cost.training_flops / 1e9, epochs, flops / 1e15))
    names = "table method stage networks clips samples gflop epochs pflop".split()
    return pd.DataFrame(rows, columns=names)


def gpu_hours(table: pd.DataFrame, share: float, peak: float = H200_PEAK) -> pd.Series:
    """Hours of each of the paper's tables, and of all, at `share` of `peak` operations a second."""
    hours = table.groupby("table", sort=False)["pflop"].sum() * 1e15 / (peak * share) / 3600
    return pd.concat([hours, pd.Series({"Tables I to III": hours.sum()})])


def gpu_summary(table: pd.DataFrame, share: float, wanted: float = 3.0) -> str:
    """Markdown: the hours at `share` of the peak, and what the `wanted` hours ask for."""
    hours = gpu_hours(table, share)
    total, epochs = hours.iloc[-1], table["epochs"].max()
    text = (
        f"Together they are {table['pflop'].sum() * 1e15:.3g} operations if every training uses "
        f"all its {epochs} epochs. Divided by {share:.0%} of {H200_PEAK / 1e12:g} teraFLOPS that "
        f"is {total:.1f} hours: " + ", ".join(f"{h:.2g} for {t}" for t, h in hours[:-1].items())
    )
    if total <= wanted:
        return text + f". The goal of {wanted:g} hours would be kept with every epoch run."
    return text + (
        f". The goal of {wanted:g} hours would be kept if trainings ended after "
        f"{epochs * wanted / total:.0f} epochs on average; the paper stops a training at the first "
        "epoch that brings no improvement, so its number of epochs is not known beforehand."
    )
