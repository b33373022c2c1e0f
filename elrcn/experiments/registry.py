"""The registry: every experiment of the paper, declared once.

Notebooks, the command line and the glance page read it; none of them knows an estimator by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from elrcn.errors import ElrcnError
from elrcn.experiments import attention, modules, more_data, quirks, reliability
from elrcn.experiments.experiment import Experiment, FigureOf
from elrcn.experiments.methods import (
    FLOW_SUMS,
    HOG3D,
    HOOF,
    LBP_TOP,
    LBP_TOP_5X5,
    MAJORITY,
    SE,
    TE,
)
from elrcn.experiments.tasks import CDE, EMOTION_LOSO, HDE

#: Seeds of Tables I and III; Table II, which costs most, has the first alone.
SEEDS = (0, 1, 2)

_TABLES = (
    Experiment(
        "table1",
        "Table I",
        "Single domain: five emotions of CASME II",
        EMOTION_LOSO,
        (MAJORITY, LBP_TOP, LBP_TOP_5X5, FLOW_SUMS, SE, TE),
        "table1",
        seeds=SEEDS,
    ),
    Experiment(
        "table2",
        "Table II",
        "Composite databases: five objective classes of CASME II and SAMM",
        CDE,
        (MAJORITY, LBP_TOP, LBP_TOP_5X5, FLOW_SUMS, SE, TE),
        "table2",
        (FigureOf("Figure 2", "elrcn_se"),),
    ),
    Experiment(
        "table3",
        "Table III",
        "Holdout databases: trained on one, tested on the other",
        HDE,
        (MAJORITY, LBP_TOP, LBP_TOP_5X5, HOG3D, HOOF, FLOW_SUMS, SE, TE),
        "table3",
        (
            FigureOf("Figure 3", "elrcn_se", "CASME2 to SAMM"),
            FigureOf("Figure 4", "elrcn_se", "SAMM to CASME2"),
        ),
        seeds=SEEDS,
    ),
)

#: Every experiment by name, in the paper's order.
REGISTRY: dict[str, Experiment] = {
    e.name: e
    for e in (
        *_TABLES,
        *modules.EXPERIMENTS,
        *more_data.EXPERIMENTS,
        *attention.EXPERIMENTS,
        *quirks.EXPERIMENTS,
        *reliability.EXPERIMENTS,
    )
}

#: Names that stand for several experiments.
GROUPS: dict[str, tuple[str, ...]] = {
    "tables": tuple(e.name for e in _TABLES),
    "ablations": tuple(e.name for e in (*modules.EXPERIMENTS, *more_data.EXPERIMENTS)),
    "all": tuple(REGISTRY),
}


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
