"""One experiment of the paper: a task, the methods compared on it, and where it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from elrcn.evaluation.metrics import fold_mean, pooled
from elrcn.experiments.methods import Method
from elrcn.experiments.tasks import Task


@dataclass(frozen=True)
class FigureOf:
    """A figure of the paper that an experiment's rows are drawn as.

    Attributes
    ----------
    paper : str
        Such as "Figure 2".
    method : str
        Name of the method whose rows it shows.
    fold : str
        The only fold it shows; "" for all.
    """

    paper: str
    method: str
    fold: str = ""


@dataclass(frozen=True)
class Experiment:
    """What of the paper it is, on what data, by which protocol, with which methods.

    Attributes
    ----------
    name, paper, title : str
        Identifier, such as "table1"; what of the paper it is, such as "Table I"; one line.
    task : Task
        Clips, labels, folds.
    methods : tuple of Method
        In table order.
    page : str
        Page of the book that shows it.
    figures : tuple of FigureOf
        Figures of the paper made from the same rows.
    measure : callable, optional
        ``measure(session, options=Options())`` -> DataFrame, where the result is something else
        than prediction rows of `methods` (Figure 9). Then `summarise` gives its few numbers.
    summarise : callable, optional
        ``summarise(table)`` -> DataFrame to print and to show.
    seeds : tuple of int
        Methods that depend on random numbers are run once a seed, each added to the method's.
    """

    name: str
    paper: str
    title: str
    task: Task
    methods: tuple[Method, ...]
    page: str
    figures: tuple[FigureOf, ...] = ()
    measure: Callable[..., pd.DataFrame] | None = None
    summarise: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    seeds: tuple[int, ...] = (0,)

    def scores(self, rows: pd.DataFrame) -> dict[str, float]:
        """Scores of prediction rows as the paper's table takes them: pooled, or mean of folds.

        Of rows of several seeds the mean over seeds.
        """
        return (fold_mean if self.task.per_fold else pooled)(rows, self.task.classes)

    def figure_rows(self, figure: FigureOf, results: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Rows of `results` that `figure` shows, of all seeds."""
        rows = results[figure.method]
        return rows[rows["fold"] == figure.fold] if figure.fold else rows
