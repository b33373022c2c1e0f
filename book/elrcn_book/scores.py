"""Tables of scores as pages show them: measured ones with intervals, published ones apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from elrcn.evaluation.metrics import by_seed, confusion_matrix
from elrcn.evaluation.statistics import score_table
from elrcn.experiments import Plan
from elrcn.experiments.plans import convergence_note
from elrcn.published.numbers import published_name, published_table

#: Scores in the order of the tables, and what readers call them.
SCORES = {"war": "WAR", "uar": "UAR", "uf1": "UF1", "authors_f1": "Authors’ F1"}
MORE_SCORES = {"weighted_f1": "Weighted F1"}


def measured(
    plan: Plan,
    results: Mapping[str, pd.DataFrame],
    names: Sequence[str] = tuple(SCORES),
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of every method with 95% intervals over subjects, from its prediction rows alone.

    Parameters
    ----------
    plan : Plan
        Says the classes, and whether the scores of folds are averaged (Table III).
    results : mapping of str to DataFrame
        Method name to prediction rows.
    names : sequence of str
        Keys of `SCORES` or `MORE_SCORES`.
    draws, seed : int
        Resamples of the subjects; 0 draws: no intervals.

    Returns
    -------
    DataFrame
        Index `method` (labels, in table order); for each score ``name``, ``name_low`` and
        ``name_high``; `clips`, `subjects`, `seeds`. ``attrs["note"]`` names SVMs that stopped
        before they converged; `elrcn_book.show.Page.table` says it.
    """
    per_fold, rows = plan.experiment.task.per_fold, {}
    for method in plan.methods:
        if method.name in results:
            own = results[method.name]
            table = score_table(own, None, list(names), plan.classes, per_fold, draws, seed)
            rows[method.label] = table.iloc[0].to_dict() | {"seeds": len(by_seed(own))}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    table.attrs["note"] = convergence_note(results, plan.methods)
    return table


def within(value: float, low: float = float("nan"), high: float = float("nan"), form=".3f") -> str:
    """Write a score with its interval: "0.445 [0.36, 0.53]"."""
    if pd.isna(value):
        return "–"
    return f"{value:{form}}" + ("" if pd.isna(low) else f" [{low:.2f},\u00a0{high:.2f}]")


def shown(scores: pd.DataFrame, names: Sequence[str] = tuple(SCORES)) -> pd.DataFrame:
    """Table `measured` as text for a page: a column a score, intervals in brackets."""
    titles = SCORES | MORE_SCORES
    text = {
        titles[name]: [
            within(*row) for row in scores[[name, f"{name}_low", f"{name}_high"]].to_numpy(float)
        ]
        for name in names
    }
    return pd.DataFrame(text, index=scores.index.rename("Method"))


def published(source: str) -> pd.DataFrame:
    """Read the paper's own numbers of a table: index `Method`, columns F1, UAR, WAR."""
    table = published_table(source)
    return table.drop(columns="role").rename_axis("Method")


def beside(
    plan: Plan,
    scores: pd.DataFrame,
    paper: pd.DataFrame,
    head: str,
    names: Sequence[str] = tuple(SCORES),
) -> pd.DataFrame:
    """Set this run's scores beside the paper's, apart under two heads, as text.

    Parameters
    ----------
    plan : Plan
        Its methods say which row of the paper they repeat.
    scores, paper : DataFrame
        From `measured` and `published`.
    head : str
        Over this run's columns, such as "This run, synthetic clips".
    names : sequence of str
        Scores shown.

    Returns
    -------
    DataFrame
        A row a method of this run, then the rows of the paper that nothing here repeats.
    """
    own = shown(scores, names)
    of = {m.label: published_name(m.published or m.label, paper) for m in plan.methods}
    names = [of.get(label) for label in own.index]
    left = paper.reindex([name if name is not None else "" for name in names]).set_axis(own.index)
    rest = paper.drop(index=[name for name in names if name is not None])
    both = pd.concat({"Paper, people": pd.concat([left, rest]), head: own}, axis=1)
    text = both["Paper, people"].map(lambda v: "" if pd.isna(v) else f"{v:.4f}")
    both = pd.concat({"Paper, people": text, head: both[head].fillna("")}, axis=1)
    return both.rename_axis("Method").reset_index()


def stacked(matrices: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Confusion matrices below each other, for a file: index `method` and `true`."""
    return pd.concat(matrices, names=["method"])


def sized_classes(plan: Plan) -> list[str]:
    """Classes with the clips that are tested, such as "V (11)"; by fold where folds are averaged.

    In Table III, whose two folds test two databases: "V (1 | 10)".
    """
    folds = [fold.test for fold in plan.folds]
    tested = folds if plan.experiment.task.per_fold else [np.concatenate(folds)]
    sizes = [[str((plan.labels[test] == c).sum()) for test in tested] for c in plan.classes]
    return [f"{c} ({' | '.join(n)})" for c, n in zip(plan.classes, sizes, strict=True)]


def confusion(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Clips by true class (index) and answer (columns); each clip counts once a seed."""
    matrix = confusion_matrix(rows["true"], rows["predicted"], classes)
    return pd.DataFrame(matrix, index=pd.Index(classes, name="true"), columns=list(classes))


def answers(plan: Plan, results: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every clip with its subject, true class and each method's answer; index `clip_id`.

    Answers of several seeds stand in their order ("happiness / surprise / surprise"), or once
    where they agree.
    """
    columns = {}
    for method in plan.methods:
        if method.name in results:
            rows = results[method.name]
            first = rows.drop_duplicates("clip_id").set_index("clip_id")
            columns.setdefault("subject", first["subject"])
            columns.setdefault("true", first["true"])
            told = rows.groupby("clip_id")["predicted"].agg(list)
            columns[method.label] = told.map(
                lambda given: given[0] if len(set(given)) == 1 else " / ".join(given)
            )
    return pd.DataFrame(columns).rename_axis("clip_id").sort_index()
