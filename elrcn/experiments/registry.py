"""The registry: every experiment of the paper, declared once.

An experiment is a task (clips, labels and folds) and the methods compared on it. Notebooks, the
command line and the glance page read the registry; none of them knows an estimator by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import fold_mean, pooled
from elrcn.evaluation.protocols import Fold, cde_folds, grouped_folds, hde_folds, loso_folds
from elrcn.experiments import methods, more_data, quirks
from elrcn.experiments.methods import (
    BASELINE,
    FLOW_SUMS,
    HOG3D,
    HOOF,
    LBP_TOP,
    LBP_TOP_5X5,
    MAJORITY,
    NOTHING,
    SE,
    TE,
    Method,
)
from elrcn.facs import EMOTIONS, OBJECTIVE_CLASSES
from elrcn.manifest import Manifest, casme2_emotions, objective_five


@dataclass(frozen=True)
class Task:
    """Which clips, which label and which folds."""

    name: str  #: part of every run's card
    databases: tuple[str, ...]  #: those needed
    select: Callable[[Manifest], Manifest]  #: of everything -> of the task's clips
    label: str  #: column of the manifest that holds the true class
    classes: tuple[str, ...]  #: in the order of every table and figure
    protocol: str  #: its name for captions
    folds: Callable[[Manifest], list[Fold]]
    #: Whether scores are the mean of the folds' scores (HDE), not those of all clips pooled.
    per_fold: bool = False
    #: Whether profiles that say so (`Profile.ablation_groups`) leave out groups of subjects.
    ablation: bool = False

    def divide(self, manifest: Manifest, groups: int = 0) -> list[Fold]:
        """Folds of `manifest`; an ablation's with `groups` > 0 leave out that many groups."""
        if self.ablation and groups:
            return grouped_folds(manifest, groups)
        return self.folds(manifest)

    def protocol_name(self, groups: int = 0) -> str:
        """Name of the protocol for captions, as `divide` with these `groups` follows it."""
        if self.ablation and groups:
            return f"leaving out {groups} groups of subjects in turn"
        return self.protocol


#: Table I: five emotions of CASME II, one subject left out at a time (Section IV-C).
EMOTION_LOSO = Task(
    "emotion-5", ("CASME2",), casme2_emotions, "emotion", tuple(EMOTIONS), "LOSO", loso_folds
)
#: Section IV-E, on the clips of Table I: profiles may leave out groups of subjects.
EMOTION_ABLATION = replace(EMOTION_LOSO, ablation=True)
_FIVE = (("CASME2", "SAMM"), objective_five, "objective_class", tuple(OBJECTIVE_CLASSES[:5]))
#: Table II: objective classes I to V of both databases together (Section IV-D).
CDE = Task("cde", *_FIVE, "CDE (LOSO over both databases)", cde_folds)
#: Table III: one database trains, the other tests, both ways (Section IV-D).
HDE = Task(
    "hde", *_FIVE, "HDE (train on one database, test on the other)", hde_folds, per_fold=True
)


@dataclass(frozen=True)
class FigureOf:
    """A figure of the paper that an experiment's rows are drawn as."""

    paper: str  #: such as "Figure 2"
    method: str  #: name of the method whose rows it shows
    fold: str = ""  #: the only fold it shows; "" for all


@dataclass(frozen=True)
class Experiment:
    """What of the paper it is, on what data, by which protocol, with which methods."""

    name: str  #: such as "table1"
    paper: str  #: such as "Table I"
    title: str
    task: Task
    methods: tuple[Method, ...]  #: in table order
    page: str  #: of the book, that shows it
    figures: tuple[FigureOf, ...] = ()  #: made from the same rows
    #: Whether the result is no prediction rows but maps of where the network looks:
    #: `elrcn.experiments.attention.measure`.
    maps: bool = False
    #: Methods that depend on random numbers are run once a seed, each added to the method's.
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


#: Seeds of Tables I and III; Table II, which costs most, has the first alone.
SEEDS = (0, 1, 2)

# fmt: off
_TABLES = (
    Experiment("table1", "Table I", "Single domain: five emotions of CASME II", EMOTION_LOSO,
               (MAJORITY, LBP_TOP, LBP_TOP_5X5, FLOW_SUMS, SE, TE), "table1", seeds=SEEDS),
    Experiment("table2", "Table II",
               "Composite databases: five objective classes of CASME II and SAMM", CDE,
               (MAJORITY, LBP_TOP, LBP_TOP_5X5, FLOW_SUMS, SE, TE), "table2",
               (FigureOf("Figure 2", "elrcn_se"),)),
    Experiment("table3", "Table III", "Holdout databases: trained on one, tested on the other", HDE,
               (MAJORITY, LBP_TOP, LBP_TOP_5X5, HOG3D, HOOF, FLOW_SUMS, SE, TE), "table3",
               (FigureOf("Figure 3", "elrcn_se", "CASME2 to SAMM"),
                FigureOf("Figure 4", "elrcn_se", "SAMM to CASME2")), seeds=SEEDS),
)
_ABLATIONS = (
    Experiment("figure5", "Figure 5", "The spatial module alone: VGG on single frames",
               EMOTION_ABLATION, (NOTHING, BASELINE, *methods.SPATIAL), "spatial_only"),
    Experiment("figure6", "Figure 6", "The temporal module alone: grey pixels into LSTMs",
               EMOTION_ABLATION, (NOTHING, BASELINE, *methods.PIXELS_LSTMS), "temporal_only"),
    Experiment("figure7", "Figure 7",
               "Flow features of the last and the second last FC layer under one LSTM",
               EMOTION_ABLATION, (NOTHING, *methods.FC_LAYERS), "spatio_temporal"),
    Experiment("figure8", "Figure 8", "Flow features of the last FC layer under five LSTMs",
               EMOTION_ABLATION, (NOTHING, *methods.FLOW_LSTMS), "spatio_temporal"),
    Experiment("tim", "Section V, interpolation",
               "More or fewer interpolated frames: TIM length 6 to 20, and no TIM",
               EMOTION_ABLATION, (NOTHING, *more_data.TIM), "more_data"),
    Experiment("augmentation", "Section V, augmentation",
               "Trained with mirrored, turned and cropped copies of the training clips",
               EMOTION_ABLATION, (NOTHING, *more_data.AUGMENTATION), "more_data"),
)
_OTHERS = (
    Experiment("figure9", "Figure 9", "Where ELRCN-SE's spatial network looks: Grad-CAM against "
               "action-unit masks, LOSO and CDE", EMOTION_LOSO, (SE,), "gradcam", maps=True),
    Experiment("quirks", "Authors' code",
               "What the authors' published code does differently, deviation by deviation",
               EMOTION_ABLATION, quirks.METHODS, "quirks"),
    Experiment("epochs", "Section III-D (when to stop)",
               "Table I with the temporal stage stopped at fixed epochs",
               EMOTION_LOSO, methods.STOPPED, "statistics"),
)
# fmt: on

#: Every experiment by name, in the paper's order.
REGISTRY: dict[str, Experiment] = {e.name: e for e in (*_TABLES, *_ABLATIONS, *_OTHERS)}

#: Names that stand for several experiments.
GROUPS: dict[str, tuple[str, ...]] = {
    "tables": tuple(e.name for e in _TABLES),
    "ablations": tuple(e.name for e in _ABLATIONS),
    "all": tuple(REGISTRY),
}


def get_experiment(name: str | Experiment) -> Experiment:
    """Return the experiment called `name`, or called so in the paper ("Table I").

    An experiment of your own is given back as it is; `ElrcnError` names those that exist.
    """
    if isinstance(name, Experiment):
        return name
    for experiment in REGISTRY.values():
        if name == experiment.name or name.casefold() == experiment.paper.casefold():
            return experiment
    raise ElrcnError(
        f"There is no experiment called {name!r}.",
        fix=f"choose one of: {', '.join((*REGISTRY, *GROUPS))}",
    )


def experiment_names(names: Iterable[str]) -> list[str]:
    """Names with groups written out, each once, in the order given; all must exist."""
    every = [n for name in names for n in GROUPS.get(name, (name,))]
    return [get_experiment(name).name for name in dict.fromkeys(every)]
