"""The scores of the paper, each under its own name, as pure functions of a confusion matrix.

A confusion matrix here counts clips, rows = true class, columns = predicted class, and every
function takes a stack of them, shape (..., C, C), and returns an array of shape (...).

Classes without clips
    *WAR* and *micro-F1* pool clips and need no rule. *UAR* averages over the classes that occur in
    the truth. *UF1* averages over the classes that occur in the truth or among the predictions (a
    class predicted but never true has F1 0). Both are scikit-learn's defaults
    (``balanced_accuracy_score``, ``f1_score(average="macro")``). *The authors' F1* averages over
    all C classes, as their code does, so there an absent class counts as 0. With no clip at all
    every score is NaN.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError


def confusion_matrix(y_true, y_pred, classes) -> np.ndarray:
    """Count clips by true class (rows) and predicted class (columns), in the order of `classes`.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (clips,)
        Class of each clip, paired by position.
    classes : sequence
        All classes, in the order wanted.

    Returns
    -------
    numpy.ndarray of int64, shape (C, C)

    Raises
    ------
    ElrcnError
        If the lengths differ or a label is not among `classes`.
    """
    y_true, y_pred, classes = list(y_true), list(y_pred), list(classes)
    if len(y_true) != len(y_pred):
        raise ElrcnError(f"{len(y_true)} true labels stand against {len(y_pred)} predictions.")
    number = {c: i for i, c in enumerate(classes)}
    unknown = {str(v) for v in (*y_true, *y_pred) if v not in number}
    if unknown:
        raise ElrcnError(
            f"Labels outside the classes: {', '.join(sorted(unknown))}.",
            fix=f"the classes given are {', '.join(map(str, classes))}",
        )
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(matrix, ([number[v] for v in y_true], [number[v] for v in y_pred]), 1)
    return matrix


def _parts(confusion):
    confusion = np.asarray(confusion, dtype=np.float64)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return hits, confusion.sum(axis=-1), confusion.sum(axis=-2)


def _ratio(above, below):
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _mean_where(values, kept):
    return _ratio(np.where(kept, values, 0.0).sum(axis=-1), kept.sum(axis=-1))


def war(confusion) -> np.ndarray:
    """Weighted average recall, which is the accuracy: the share of clips that are right."""
    hits, true, _ = _parts(confusion)
    return _ratio(hits.sum(axis=-1), true.sum(axis=-1))


def uar(confusion) -> np.ndarray:
    """Unweighted average recall: mean over the true classes of the share that is right."""
    hits, true, _ = _parts(confusion)
    return _mean_where(_ratio(hits, true), true > 0)


def uf1(confusion) -> np.ndarray:
    """Unweighted (macro) F1: mean over classes of 2 TP / (2 TP + FP + FN)."""
    hits, true, predicted = _parts(confusion)
    return _mean_where(_ratio(2 * hits, true + predicted), true + predicted > 0)


def weighted_f1(confusion) -> np.ndarray:
    """F1 of each class weighted by its clips: the second metric of MEGC 2018's challenge.

    scikit-learn's ``f1_score(average="weighted")``.
    """
    hits, true, predicted = _parts(confusion)
    return _ratio((np.nan_to_num(_ratio(2 * hits, true + predicted)) * true).sum(-1), true.sum(-1))


def micro_f1(confusion) -> np.ndarray:
    """F1 of the pooled counts 2 TP / (2 TP + FP + FN); equals WAR for single-label data."""
    hits, true, predicted = _parts(confusion)
    return _ratio(2 * hits.sum(axis=-1), (true + predicted).sum(axis=-1))


def authors_f1(confusion) -> np.ndarray:
    """Compute the authors' own F1: harmonic mean of macro precision and macro recall.

    Precision and recall of each class have 1e-5 added to their denominators; both are averaged
    over all C classes of the pooled confusion matrix. 0 when both averages are 0. It is neither
    micro-F1 (which the paper's text names) nor UF1.
    """
    hits, true, predicted = _parts(confusion)
    precision = np.nan_to_num(_ratio(hits, predicted + 1e-5)).mean(axis=-1)
    recall = np.nan_to_num(_ratio(hits, true + 1e-5)).mean(axis=-1)
    f1 = np.nan_to_num(_ratio(2 * precision * recall, precision + recall))
    return np.where(true.sum(axis=-1) > 0, f1, np.nan)


#: Every score by the name that tables and rows use.
METRICS = {
    "authors_f1": authors_f1,
    "uf1": uf1,
    "weighted_f1": weighted_f1,
    "micro_f1": micro_f1,
    "uar": uar,
    "war": war,
}


def get_metric(metric):
    """Return `metric` if callable, else the function of that name in `METRICS`.

    Raises
    ------
    ElrcnError
        If there is none of that name.
    """
    if callable(metric):
        return metric
    try:
        return METRICS[metric]
    except KeyError:
        raise ElrcnError(
            f"There is no score called {metric!r}.", fix=f"choose one of: {', '.join(METRICS)}"
        ) from None


def scores(y_true, y_pred, classes) -> dict[str, float]:
    """All scores of one set of predictions: the keys of `METRICS`, and ``n`` (clips).

    See Also
    --------
    confusion_matrix : the arguments and the errors raised.
    """
    matrix = confusion_matrix(y_true, y_pred, classes)
    return {name: float(score(matrix)) for name, score in METRICS.items()} | {
        "n": int(matrix.sum())
    }


def row_classes(rows: pd.DataFrame) -> tuple[str, ...]:
    """Classes of a table of prediction rows, read from its columns ``p_<class>``."""
    return tuple(c[2:] for c in rows.columns if c.startswith("p_"))


def by_seed(rows: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Prediction rows of each seed, ascending; those without a column `seed` are of seed 0."""
    if "seed" not in rows:
        return {0: rows}
    return {int(seed): part for seed, part in rows.groupby("seed")}


def pooled(rows: pd.DataFrame, classes=None) -> dict[str, float]:
    """Scores of all prediction rows taken together (Tables I and II).

    Of rows of several seeds the mean over seeds: a score of one network, not of three together.
    """
    classes = classes or row_classes(rows)
    parts = [scores(part["true"], part["predicted"], classes) for part in by_seed(rows).values()]
    means = {name: float(np.mean([part[name] for part in parts])) for name in METRICS}
    return means | {"n": parts[0]["n"]}


def fold_mean(rows: pd.DataFrame, classes=None) -> dict[str, float]:
    """Mean over folds of each fold's scores (Table III: the two directions of HDE).

    Each fold's scores are those of `pooled`, so means over its seeds.
    """
    classes = classes or row_classes(rows)
    table = pd.DataFrame([pooled(part, classes) for _, part in rows.groupby("fold", sort=False)])
    return {name: float(table[name].mean()) for name in METRICS} | {"n": int(table["n"].sum())}


def commonest_share(rows: pd.DataFrame) -> float:
    """Share of the clips that are given the commonest answer of their fold; 1 for a constant.

    A fold of one clip has one answer whatever the network, so only folds of two clips or more
    count; NaN if there are none. A network near 1 has collapsed: what it scores is no effect of
    its input.
    """
    answers = rows.groupby("fold")["predicted"]
    several = answers.size()[answers.size() > 1]
    commonest = answers.agg(lambda given: given.value_counts().iloc[0])[several.index]
    return float(commonest.sum() / several.sum()) if len(several) else float("nan")
