"""The paper at a glance: the items of ``data_manifest/paper_items.csv`` and the registry."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.errors import ElrcnError
from elrcn.experiments import REGISTRY, Experiment
from elrcn.workspace import find_workspace
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style

COLUMNS = ("id", "kind", "where", "statement", "page", "experiment", "home", "status", "reason")
KINDS = {
    "table": "Tables",
    "figure": "Figures",
    "equation": "Equations",
    "claim": "Claims",
    "beyond": "Beyond the paper",
}


@dataclass(frozen=True)
class Status:
    """How far an item is repeated here: label, meaning, sign, colour and that of text on it."""

    label: str
    meaning: str
    sign: str
    colour: str
    ink: str = "black"


STATUSES = {
    "implemented": Status(
        "Implemented",
        "A definition, not a measurement: the library has it, tests hold it to known cases.",
        "■",
        OKABE_ITO["blue"],
        "white",
    ),
    "synthetic": Status(
        "Run on synthetic data",
        "The whole experiment runs, on the synthetic dataset only. It says nothing about "
        "people and neither confirms nor refutes the paper; it takes the licensed databases.",
        "◐",
        OKABE_ITO["sky"],
    ),
    "checked": Status(
        "Checked on paper",
        "Held against the paper's own numbers, published counts or the works it cites; no data are "
        "needed, and the outcome is final.",
        "✓",
        OKABE_ITO["green"],
    ),
    "data": Status(
        "Needs what is not here",
        "The licensed databases, or weights of VGG-Face: nothing of either was at hand.",
        "○",
        OKABE_ITO["orange"],
    ),
    "open": Status(
        "Cannot be checked",
        "Not even with the databases, because the paper does not say enough.",
        "?",
        OKABE_ITO["purple"],
    ),
}


def load_items(path: str | Path | None = None) -> pd.DataFrame:
    """Read the paper's items, one row each.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/paper_items.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, all str; ``page`` and ``experiment`` are names separated by blanks,
        ``experiment`` and ``home`` may be empty.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, has an id twice, an unknown kind or status, or an
        empty cell where something must stand.
    """
    path = Path(path) if path else find_workspace().data_manifest / "paper_items.csv"
    try:
        items = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise ElrcnError(
            "The list of the paper's items is missing.", where=path, fix="restore it from git"
        ) from None
    missing = [name for name in COLUMNS if name not in items.columns]
    if missing:
        raise ElrcnError(f"Columns are missing: {', '.join(missing)}.", where=path)
    needed = [name for name in COLUMNS if name not in ("experiment", "home")]
    wrong = {
        "occurs twice": items["id"].duplicated(),
        "has an unknown kind": ~items["kind"].isin(KINDS),
        "has an unknown status": ~items["status"].isin(STATUSES),
        "has an empty cell": (items[needed] == "").any(axis=1),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise ElrcnError(f"Item {items.loc[rows, 'id'].iloc[0]!r} {what}.", where=path)
    return items[list(COLUMNS)]


def find_home(home: str):
    """Return what the dotted name `home` stands for: a module, or a member of one.

    Raises
    ------
    ElrcnError
        If there is no such module or member.
    """
    try:
        return importlib.import_module(home)
    except ModuleNotFoundError as error:
        module, _, name = home.rpartition(".")
        if not f"{home}.".startswith(f"{error.name}."):
            raise  # the module is there and needs one that is not
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ElrcnError(f"The library has no {home}.", where="paper_items.csv") from None


def item_title(item_id: str) -> str:
    """Name of an item for people: "Table II" of ``table-2``; "" where the statement is the name."""
    kind, _, number = item_id.partition("-")
    if kind not in ("table", "figure", "equation"):
        return ""
    roman = {"1": "I", "2": "II", "3": "III"}
    return f"{kind.capitalize()} {roman.get(number, number) if kind == 'table' else number}"


def command(pages: str, experiments: str) -> str:
    """Shell command that repeats an item: its experiments, or else its first page."""
    if experiments:
        return f"elrcn run {experiments}"
    return f"elrcn notebooks {pages.split()[0]}"


def glance_table(
    items: pd.DataFrame, registry: Mapping[str, Experiment] = REGISTRY
) -> pd.DataFrame:
    """Join the items with the registry.

    Returns
    -------
    DataFrame
        `items` with three columns more: `title` (`item_title`), `command`, and `experiment_titles`
        (what the registry calls the experiments, joined by "; ").

    Raises
    ------
    ElrcnError
        If an item names an experiment that the registry lacks.
    """
    titles = []
    for _, item in items.iterrows():
        names = item["experiment"].split()
        for name in names:
            if name not in registry:
                raise ElrcnError(f"Item {item['id']!r} names the unknown experiment {name!r}.")
        titles.append("; ".join(registry[name].title for name in names))
    return items.assign(
        title=[item_title(i) for i in items["id"]],
        command=[command(p, e) for p, e in zip(items["page"], items["experiment"], strict=True)],
        experiment_titles=titles,
    )


def status_counts(items: pd.DataFrame) -> pd.DataFrame:
    """Count items by kind (index) and status (columns, labels), both in fixed order."""
    counts = pd.crosstab(items["kind"], items["status"])
    counts = counts.reindex(index=list(KINDS), columns=list(STATUSES), fill_value=0)
    counts.index = pd.Index([KINDS[k] for k in counts.index], name="kind")
    return counts.rename(columns={k: s.label for k, s in STATUSES.items()}).rename_axis(
        columns=None
    )


def counts_summary(counts: pd.DataFrame) -> str:
    """Say in Markdown how many items there are, and how many of each status.

    Parameters
    ----------
    counts : DataFrame
        From `status_counts`.
    """
    total = counts.to_numpy().sum()
    parts = [f"{number} *{label}*" for label, number in counts.sum().items() if number]
    return f"Of **{total}** items: {', '.join(parts)}."


def counts_alt(counts: pd.DataFrame) -> str:
    """Alternative text of `status_figure`: the numbers of every bar."""
    bars = [
        f"{kind} " + ", ".join(f"{n} {label.lower()}" for label, n in row.items() if n)
        for kind, row in counts.iterrows()
    ]
    return "Bars of items by status. " + "; ".join(bars) + "."


def status_figure(counts: pd.DataFrame, title: str) -> Figure:
    """Draw `status_counts` as one bar a kind, a part a status, with the number in each part."""
    y = np.arange(len(counts))[::-1]
    left, middle = np.zeros(len(counts)), {"ha": "center", "va": "center"}
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(counts) + 2.1))
        for status in STATUSES.values():
            value = counts[status.label].to_numpy()
            if not value.any():
                continue
            ax.barh(y, value, left=left, color=status.colour, edgecolor="white", label=status.label)
            for place, width, start in zip(y, value, left, strict=True):
                if width:
                    ax.text(start + width / 2, place, str(width), color=status.ink, **middle)
            left += value
        ax.set_yticks(y, counts.index)
        ax.set_xlabel("Number of items")
        ax.set_ylabel("Kind of item")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def legend_table() -> pd.DataFrame:
    """Return what each status means: index `status`, column `meaning`."""
    return pd.DataFrame(
        {"meaning": [s.meaning for s in STATUSES.values()]},
        index=pd.Index([f"{s.sign} {s.label}" for s in STATUSES.values()], name="status"),
    )
