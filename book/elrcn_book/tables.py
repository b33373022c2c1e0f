"""Tables made of prediction rows, with the published numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation import metrics
from elrcn.evaluation.metrics import by_seed
from elrcn.evaluation.statistics import score_table
from elrcn.experiments.plans import convergence_note
from elrcn.files import write
from elrcn.published.numbers import METRICS as PUBLISHED_METRICS
from elrcn.published.numbers import published_name
from elrcn.workspace import Workspace
from elrcn_book.artifacts import (
    Shown,
    check_name,
    downloads,
    one_line,
    page_folder,
)
from elrcn_book.html import SCORES, interval_text, small_html

#: The measured score that a published column was computed as.
COUNTERPART = {"F1": "authors_f1", "UAR": "uar", "WAR": "war"}


@dataclass(frozen=True)
class TableRecord(Shown):
    """A saved table, which shows itself in a notebook and in the book.

    Attributes
    ----------
    page, name, caption : str
        The table lies at ``files/<page>/<name>.csv`` beside the page.
    body : str
        HTML of the table itself.
    csv : Path
        The same numbers, unrounded.
    """

    page: str
    name: str
    caption: str
    body: str
    csv: Path

    @property
    def files(self) -> list[Path]:
        """The files written."""
        return [self.csv]

    def markdown(self) -> str:
        """MyST: the caption with a download link, then the table."""
        return (
            f"{self.caption} ({downloads(self.page, self.files)})\n\n"
            f"`````{{raw}} html\n{self._scrolling}\n`````\n"
        )

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        return f"<p>{escape(self.caption)}</p>{self._scrolling}"

    @property
    def _scrolling(self) -> str:
        # A wide table scrolls by itself: the page must not, on a phone.
        return f'<div style="overflow-x:auto">\n{self.body}\n</div>'


def save_table(
    table: pd.DataFrame,
    page: str,
    name: str,
    caption: str,
    html: str | None = None,
    workspace: Workspace | None = None,
) -> TableRecord:
    """Write `table` as CSV into the page's folder and return what shows it.

    Parameters
    ----------
    table : DataFrame
        Numbers unrounded; a named index is written too. ``attrs["note"]`` follows the caption.
    page, name : str
        ``files/<page>/<name>.csv``.
    caption : str
        Says what is counted, under which protocol, on how many clips, from which data.
    html : str, optional
        Another rendering; default: `small_html` of the table.
    workspace : Workspace, optional
        Default: the one around the current folder.

    Raises
    ------
    ElrcnError
        If the caption is empty or the file cannot be written.
    """
    check_name(name)
    caption = one_line(caption)
    if not caption:
        raise ElrcnError(f"Table {name!r} has no caption.", where=page)
    caption = one_line(f"{caption} {table.attrs.get('note', '')}")
    folder = page_folder(page, workspace)
    keep_index = any(table.index.names)
    text = table.to_csv(index=keep_index, lineterminator="\n")
    csv = write(folder / f"{name}.csv", text)
    shown = html or small_html(table, uid=f"{page}-{name}")
    return TableRecord(page, name, caption, shown, csv)


def result_table(
    results: Mapping[str, pd.DataFrame],
    methods: Sequence,
    published: pd.DataFrame,
    classes: Sequence[str],
    per_fold: bool = False,
    draws: int = 2000,
    seed: int = 0,
    more: Sequence[str] = (),
) -> pd.DataFrame:
    """Set published and measured scores of every method side by side, one row each.

    Parameters
    ----------
    results : mapping of str to DataFrame
        Method name to prediction rows (run, fold, clip_id, subject, true, predicted, p_<class>).
    methods : sequence
        Objects with `name` (key of `results`), `label` (shown) and `published` (row of
        `published`, or ""), in the order wanted. Those without rows are left out.
    published : DataFrame
        From `elrcn.published.numbers.published_table`.
    classes : sequence of str
        All classes of the task.
    per_fold : bool
        Scores are the mean of each fold's (Table III), not those of all clips pooled.
    draws, seed : int
        Bootstrap samples of subjects behind each 95% interval; 0 draws leave the intervals out.
    more : sequence of str
        Scores shown beside those of `SCORES`, of `elrcn_book.html.MORE_SCORES`.

    Returns
    -------
    DataFrame
        Columns `method`, `role`, ``published_F1``, ``published_UAR``, ``published_WAR``, `clips`,
        `subjects`, `seeds`, ``uar_of_seeds`` (text; empty of a single seed), and for every key of
        `SCORES` and `more` the score, ``<score>_low``, ``<score>_high``.
        Methods without a published row come first, then the published rows in the paper's order.
        ``attrs["note"]`` is the `convergence_note`.
    """
    measured, first = {}, []
    for method in methods:
        if method.name not in results:
            continue
        rows = results[method.name]
        name = published_name(method.published or method.label, published)
        entry = _measure(rows, classes, per_fold, draws, seed, (*SCORES, *more))
        if name is None:
            first.append({"method": method.label, "role": "", **entry})
        else:
            measured[name] = entry
    table = list(first)
    for name, row in published.iterrows():
        values = {f"published_{metric}": row[metric] for metric in PUBLISHED_METRICS}
        table.append({"method": name, "role": row["role"], **values, **measured.get(name, {})})
    columns = ["method", "role", *(f"published_{m}" for m in PUBLISHED_METRICS), "clips",
               "subjects", "seeds", "uar_of_seeds",
               *(s + end for s in (*SCORES, *more) for end in ("", "_low", "_high"))]  # fmt: skip
    frame = pd.DataFrame(table).reindex(columns=columns)
    frame = frame.astype(dict.fromkeys(("clips", "subjects", "seeds"), "Int64"))
    frame.attrs["note"] = convergence_note(results, methods)
    return frame


def _measure(rows, classes, per_fold, draws, seed, names) -> dict:
    table = score_table(rows, None, names, classes, per_fold, draws, seed)
    each = [f"{uar:.3f}" for uar in score_table(rows, "seed", ["uar"], classes, per_fold)["uar"]]
    seeds = {"seeds": len(each), "uar_of_seeds": " ".join(each) if len(each) > 1 else ""}
    return table.to_dict("records")[0] | seeds


def subject_table(results: Mapping[str, pd.DataFrame], methods: Sequence) -> pd.DataFrame:
    """Clips and share of right answers of every subject under every method.

    Parameters
    ----------
    results, methods
        As for `result_table`.

    Returns
    -------
    DataFrame
        Index `subject`; column `clips`, then for each method its label holding the WAR of the
        subject's clips, in [0, 1], the mean over seeds.
    """
    columns, clips = {}, None
    for method in methods:
        if method.name not in results:
            continue
        rows = results[method.name]
        right = (rows["true"] == rows["predicted"]).groupby(rows["subject"])
        columns[method.label] = right.mean()
        clips = rows.groupby("subject")["clip_id"].nunique() if clips is None else clips
    if clips is None:
        raise ElrcnError("There are no results to make a table of.")
    return pd.DataFrame({"clips": clips, **columns}).rename_axis("subject").sort_index()


def clip_table(results: Mapping[str, pd.DataFrame], methods: Sequence) -> pd.DataFrame:
    """List the true class and every method's answer for every clip, joined by clip id.

    Returns
    -------
    DataFrame
        Index `clip_id`; columns `subject`, `true` and one per method label: the answers of several
        seeds in their order, or once where they agree.
    """
    parts = []
    for method in methods:
        if method.name in results:
            seeds = [part.set_index("clip_id") for part in by_seed(results[method.name]).values()]
            if not parts:
                parts.append(seeds[0][["subject", "true"]])
            answers = pd.concat([part["predicted"] for part in seeds], axis=1)
            told = [" / ".join(dict.fromkeys(row) if len(set(row)) == 1 else row)
                    for row in answers.to_numpy()]  # fmt: skip
            parts.append(pd.Series(told, answers.index, name=method.label))
    if not parts:
        raise ElrcnError("There are no results to make a table of.")
    return pd.concat(parts, axis=1).rename_axis("clip_id").sort_index()


def confusion_table(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Count clips by true class (index) and predicted class (columns), with row shares.

    Of rows of several seeds each clip counts once a seed.

    Returns
    -------
    DataFrame
        Index `true`; first the counts, a column a class, then ``<class>_share`` with each count
        divided by the clips of its row (NaN for a class without clips).
    """
    matrix = metrics.confusion_matrix(rows["true"], rows["predicted"], classes)
    counts = pd.DataFrame(matrix, index=pd.Index(classes, name="true"), columns=list(classes))
    total = counts.sum(axis=1)
    shares = counts.div(total.where(total > 0), axis=0).add_suffix("_share")
    return counts.join(shares)


def summary(table: pd.DataFrame, chance: float) -> str:
    """Say in Markdown how each measured method's UAR stands to chance and to the largest class.

    Parameters
    ----------
    table : DataFrame
        From `result_table`; a method counts as above chance if its whole interval is.
    chance : float
        UAR of guessing.
    """
    lines = []
    for _, row in table[table["uar"].notna()].iterrows():
        low, high = row["uar_low"], row["uar_high"]
        text = f"- **{row['method']}**: UAR {row['uar']:.3f}"
        if not pd.isna(low):
            place = "above" if low > chance else "below" if high < chance else "not apart from"
            text += f" ({interval_text(low, high)}), {place} chance ({chance:.2f})"
        if row["uar_of_seeds"]:
            text += f", the mean of {row['seeds']} seeds ({row['uar_of_seeds']})"
        lines.append(f"{text}; accuracy {row['war']:.3f}.")
    return "\n".join(lines)
