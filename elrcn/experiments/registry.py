"""The registry: every experiment of the paper, declared once.

Notebooks, the command line and the glance page read it; none of them knows an estimator by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import fold_mean, pooled
from elrcn.experiments.methods import HOG3D, HOOF, LBP_TOP, MAJORITY, SE, TE, Method
from elrcn.experiments.tasks import CDE, EMOTION_LOSO, HDE, Task


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
    """

    name: str
    paper: str
    title: str
    task: Task
    methods: tuple[Method, ...]
    page: str
    figures: tuple[FigureOf, ...] = ()

    def scores(self, rows: pd.DataFrame) -> dict[str, float]:
        """Scores of prediction rows as the paper's table takes them: pooled, or mean of folds."""
        return (fold_mean if self.task.per_fold else pooled)(rows, self.task.classes)

    def figure_rows(self, figure: FigureOf, results: dict[str, pd.DataFrame]) -> pd.DataFrame:
        """Rows of `results` that `figure` shows."""
        rows = results[figure.method]
        return rows[rows["fold"] == figure.fold] if figure.fold else rows


REGISTRY: dict[str, Experiment] = {
    e.name: e
    for e in (
        Experiment(
            "table1",
            "Table I",
            "Single domain: five emotions of CASME II",
            EMOTION_LOSO,
            (MAJORITY, LBP_TOP, SE, TE),
            "table1",
        ),
        Experiment(
            "table2",
            "Table II",
            "Composite databases: five objective classes of CASME II and SAMM",
            CDE,
            (MAJORITY, LBP_TOP, SE, TE),
            "table2",
            (FigureOf("Figure 2", "elrcn_se"),),
        ),
        Experiment(
            "table3",
            "Table III",
            "Holdout databases: trained on one, tested on the other",
            HDE,
            (MAJORITY, LBP_TOP, HOG3D, HOOF, SE, TE),
            "table3",
            (
                FigureOf("Figure 3", "elrcn_se", "CASME2 to SAMM"),
                FigureOf("Figure 4", "elrcn_se", "SAMM to CASME2"),
            ),
        ),
    )
}

#: Names that stand for several experiments.
GROUPS: dict[str, tuple[str, ...]] = {"tables": ("table1", "table2", "table3")}


def get_experiment(name: str) -> Experiment:
    """Return the experiment called `name`, or raise `ElrcnError` naming those that exist."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise ElrcnError(
            f"There is no experiment called {name!r}.",
            fix=f"choose one of: {', '.join((*REGISTRY, *GROUPS))}",
        ) from None


def experiment_names(names: Iterable[str]) -> list[str]:
    """Names with groups written out, each once, in the order given.

    Raises
    ------
    ElrcnError
        If one is neither an experiment nor a group.
    """
    every = [n for name in names for n in GROUPS.get(name, (name,))]
    return [get_experiment(name).name for name in dict.fromkeys(every)]
