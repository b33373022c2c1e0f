"""Which clips, which label, which folds: the three protocols of the paper's tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from elrcn.evaluation.protocols import Fold, cde_folds, grouped_folds, hde_folds, loso_folds
from elrcn.facs import EMOTIONS, OBJECTIVE_CLASSES
from elrcn.manifest import Manifest, casme2_emotions, objective_five


@dataclass(frozen=True)
class Task:
    """Which clips, which label and which folds.

    Attributes
    ----------
    name : str
        Identifier, part of every run's card.
    databases : tuple of str
        Databases needed.
    select : callable
        Manifest of everything -> manifest of the task's clips.
    label : str
        Column of the manifest that holds the true class.
    classes : tuple of str
        Class names in the order of every table and figure.
    protocol : str
        Name of the protocol for captions.
    folds : callable
        Manifest -> list of `Fold`.
    per_fold : bool
        Scores are the mean of the folds' scores (HDE), not those of all clips pooled.
    ablation : bool
        Profiles that say so (`Profile.ablation_groups`) leave out groups of subjects, not single
        ones.
    """

    name: str
    databases: tuple[str, ...]
    select: Callable[[Manifest], Manifest]
    label: str
    classes: tuple[str, ...]
    protocol: str
    folds: Callable[[Manifest], list[Fold]]
    per_fold: bool = False
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


def substring_labels(manifest: Manifest, labels: np.ndarray) -> np.ndarray:
    """Label clips as the authors' code does: by the first clip whose name is part of theirs.

    Among the clips of its subject, a clip takes the label of the first whose name is contained in
    its own. That is the clip itself, unless an earlier name is the beginning of its name: a clip
    ``EP01_02f`` takes that of ``EP01_02``. The order is the manifest's, where a name stands before
    those it begins; the code's is that of the label sheet. Folds and clips stay as they are.

    Parameters
    ----------
    manifest : Manifest
        Clips of the task.
    labels : ndarray of str, shape (clips,)
        Their classes.

    Returns
    -------
    ndarray of str, shape (clips,)
        A new array, equal to `labels` where no name contains another of the same subject.
    """
    names = [clip.rsplit("/", 1)[-1] for clip in manifest.table["clip_id"]]
    earlier: dict[str, list[tuple[str, str]]] = {}
    found = []
    for subject, name, label in zip(manifest.table["subject"], names, labels, strict=True):
        known = earlier.setdefault(subject, [])
        known.append((name, label))
        found.append(next(label for other, label in known if other in name))
    return np.array(found, dtype=object)


#: Table I: five emotions of CASME II, one subject left out at a time (Section IV-C).
EMOTION_LOSO = Task(
    "emotion-5",
    ("CASME2",),
    casme2_emotions,
    "emotion",
    tuple(EMOTIONS),
    "LOSO",
    loso_folds,
)
#: Section IV-E, on the clips of Table I: profiles may leave out groups of subjects.
EMOTION_ABLATION = replace(EMOTION_LOSO, ablation=True)
#: Table II: objective classes I to V of both databases together (Section IV-D).
CDE = Task(
    "cde",
    ("CASME2", "SAMM"),
    objective_five,
    "objective_class",
    tuple(OBJECTIVE_CLASSES[:5]),
    "CDE (LOSO over both databases)",
    cde_folds,
)
#: Table III: one database trains, the other tests, both ways (Section IV-D).
HDE = Task(
    "hde",
    ("CASME2", "SAMM"),
    objective_five,
    "objective_class",
    tuple(OBJECTIVE_CLASSES[:5]),
    "HDE (train on one database, test on the other)",
    hde_folds,
    per_fold=True,
)
