"""Who trains and who is tested: every protocol of the paper as a list of index folds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, PredefinedSplit

from elrcn.errors import ElrcnError


@dataclass(frozen=True, eq=False)
class Fold:
    """One train/test division of a manifest's rows.

    Attributes
    ----------
    name : str
        The held-out subject (``"CASME2/01"``), group of subjects (``"group 2 of 6"``) or direction
        (``"CASME2 to SAMM"``). Unique within a protocol: it names the fold's file and seeds it.
    train, test : numpy.ndarray of int64
        Row numbers of the manifest's table; disjoint.

    Raises
    ------
    ElrcnError
        If a row is on both sides, or a side is empty.
    """

    name: str
    train: np.ndarray
    test: np.ndarray

    def __post_init__(self):
        for side in ("train", "test"):
            object.__setattr__(self, side, np.asarray(getattr(self, side), dtype=np.int64))
        if not len(self.train) or not len(self.test):
            raise ElrcnError(
                "A fold has nothing to train on or nothing to test.",
                where=f"fold {self.name}",
                fix="use data with clips of at least two subjects",
            )
        both = np.intersect1d(self.train, self.test)
        if len(both):
            raise ElrcnError(
                f"Clips are on both sides of a fold: rows {', '.join(map(str, both[:5]))}.",
                where=f"fold {self.name}",
                fix="give each clip to one side only",
            )


def check_folds(folds: Iterable[Fold], subjects) -> list[Fold]:
    """Return `folds` as a list once no subject trains the model that is tested on them.

    Parameters
    ----------
    folds : iterable of Fold
        The folds of one protocol.
    subjects : array-like of str, shape (clips,)
        Subject of each manifest row.

    Raises
    ------
    ElrcnError
        If a subject is on both sides of a fold, a fold's name occurs twice, or a clip is tested
        twice (pooled metrics would count it twice).
    """
    folds, subjects = list(folds), np.asarray(subjects, dtype=object)
    names: set[str] = set()
    tested = np.zeros(len(subjects), dtype=int)
    for fold in folds:
        if fold.name in names:
            raise ElrcnError("Two folds have the same name.", where=f"fold {fold.name}")
        names.add(fold.name)
        both = set(subjects[fold.train]) & set(subjects[fold.test])
        if both:
            raise ElrcnError(
                f"Subjects are on both sides of a fold: {', '.join(sorted(map(str, both)))}.",
                where=f"fold {fold.name}",
                fix="hold out all clips of a subject together",
            )
        tested[fold.test] += 1
    if (tested > 1).any():
        raise ElrcnError(f"{int((tested > 1).sum())} clips are tested in more than one fold.")
    return folds


def _subjects(manifest) -> np.ndarray:
    return manifest.table["subject"].to_numpy(dtype=object).astype(str)


def _need(count: int, least: int, what: str) -> None:
    if count < least:
        raise ElrcnError(
            f"The protocol needs at least {least} {what}; the manifest has {count}.",
            fix="check which clips the manifest holds (`elrcn manifest check`)",
        )


def loso_folds(manifest) -> list[Fold]:
    """Leave one subject out (Section IV-C): a fold a subject, sorted by subject.

    Parameters
    ----------
    manifest : elrcn.manifest.Manifest
        Only the column ``subject`` is read.

    Raises
    ------
    ElrcnError
        If there are fewer than two subjects.
    """
    subjects = _subjects(manifest)
    _need(len(np.unique(subjects)), 2, "subjects")
    splits = LeaveOneGroupOut().split(subjects, groups=subjects)
    return [Fold(subjects[test[0]], train, test) for train, test in splits]


def cde_folds(manifest) -> list[Fold]:
    """Composite database evaluation (MEGC 2018 Task B): LOSO over the subjects of both databases.

    Raises
    ------
    ElrcnError
        If the manifest holds clips of one database only.
    """
    _need(manifest.table["database"].nunique(), 2, "databases")
    return loso_folds(manifest)


def hde_folds(manifest) -> list[Fold]:
    """Holdout database evaluation (MEGC 2018 Task A): train on one database, test on the other.

    Two folds, in the paper's order: ``"CASME2 to SAMM"``, then ``"SAMM to CASME2"``. The task's
    metrics are the mean of the two folds' (`elrcn.evaluation.metrics.fold_mean`).

    Raises
    ------
    ElrcnError
        If the manifest does not hold exactly two databases.
    """
    databases = manifest.table["database"].to_numpy(dtype=object).astype(str)
    names = sorted(set(databases))
    _need(len(names), 2, "databases")
    if len(names) > 2:
        raise ElrcnError(f"Holdout evaluation is between two databases, not {', '.join(names)}.")
    # The fold number is the order of testing: the last database first, so that the first fold
    # trains on CASME II.
    order = np.where(databases == names[1], 0, 1)
    splits = PredefinedSplit(order).split()
    return [
        Fold(f"{databases[train[0]]} to {databases[test[0]]}", train, test)
        for train, test in splits
    ]


def grouped_folds(manifest, n_groups: int) -> list[Fold]:
    """Leave out groups of subjects: `n_groups` folds of nearly equal numbers of clips.

    For ablations in the demo only, where a fold per subject would cost too much; the tables keep
    `loso_folds`. Deterministic: depends on the subjects and their numbers of clips alone.

    Raises
    ------
    ElrcnError
        If `n_groups` is below 2 or above the number of subjects.
    """
    subjects = _subjects(manifest)
    if n_groups < 2:
        raise ElrcnError(f"Leaving out groups needs at least 2 groups, not {n_groups}.")
    _need(len(np.unique(subjects)), n_groups, "subjects")
    splits = GroupKFold(n_groups).split(subjects, groups=subjects)
    return [
        Fold(f"group {k} of {n_groups}", train, test) for k, (train, test) in enumerate(splits, 1)
    ]
