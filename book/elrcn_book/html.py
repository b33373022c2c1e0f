"""Tables as HTML: small ones plain, long ones with search, all without a network."""

from __future__ import annotations

from html import escape

import pandas as pd

from elrcn.published.numbers import METRICS as PUBLISHED_METRICS

#: Measured scores in table order, with the names readers see.
SCORES = {
    "authors_f1": "Authors’ F1",
    "uar": "UAR",
    "war": "WAR",
    "uf1": "UF1",
    "micro_f1": "Micro F1",
}
#: Scores that only some tables show.
MORE_SCORES = {"weighted_f1": "Weighted F1"}
_NONE = "–"


def small_html(table: pd.DataFrame, uid: str, precision: int = 3) -> str:
    """Plain HTML of a small table; the same table gives the same bytes.

    Parameters
    ----------
    table : DataFrame
        The index is shown only if it has a name; underscores in headings become spaces.
    uid : str
        Makes the ids of the HTML unique on the page.
    precision : int
        Decimals of floating-point numbers.
    """
    shown = table.reset_index() if any(table.index.names) else table.copy()
    shown.columns = [str(name).replace("_", " ") for name in shown.columns]
    style = shown.style.format(precision=precision, na_rep=_NONE, thousands=",", escape="html")
    return _finish(style.hide(axis="index"), uid)


def _finish(style, uid: str) -> str:
    rules = [
        {"selector": "th, td", "props": "padding:.25em .45em; vertical-align:top"},
        {"selector": "th", "props": "text-align:left"},
        {"selector": "", "props": "font-size:.85rem"},
        {"selector": "td", "props": "font-variant-numeric:tabular-nums"},
    ]
    return style.set_uuid(uid).set_table_styles(rules).to_html()


def interval_text(low: float, high: float, form: str = ".3f", name: str = "95% interval ") -> str:
    """Write an interval for a sentence, or that there is none (`low` is NaN).

    Parameters
    ----------
    low, high : float
        From `elrcn.evaluation.statistics.interval`.
    form : str
        How to format a number.
    name : str
        Stands before the numbers.
    """
    return "no interval" if pd.isna(low) else f"{name}{low:{form}} to {high:{form}}"


def interactive_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of a long table that can be searched, sorted and paged with no network.

    The script it needs (about 1 MB) is part of the HTML: use it for one or two tables a page.
    """
    from itables import options, to_html_datatable
    from itables.javascript import generate_init_offline_itables_html

    shown = table.reset_index() if any(table.index.names) else table
    body = to_html_datatable(
        shown.round(3),
        connected=False,
        table_id=f"itable-{uid}",
        lengthMenu=[10, 25, 50, 100],
        showIndex=False,
        layout={"topEnd": "search", "bottomStart": "info", "bottomEnd": "paging"},
        classes="display compact",
        style="width:100%",
    )
    return generate_init_offline_itables_html(options.dt_bundle) + body


def result_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of `result_table`: published beside measured, intervals below the scores."""
    shown = pd.DataFrame({("", "Method"): [_method(row) for _, row in table.iterrows()]})
    for metric in PUBLISHED_METRICS:
        column = table[f"published_{metric}"]
        shown["Published", metric] = [_NONE if pd.isna(v) else f"{v:.4f}" for v in column]
    for score, title in (SCORES | MORE_SCORES).items():
        if score not in table:
            continue
        shown["Measured here", title] = [_cell(row, score) for _, row in table.iterrows()]
    shown.columns = pd.MultiIndex.from_tuples(shown.columns)
    return _finish(shown.style.hide(axis="index"), uid)


def _method(row: pd.Series) -> str:
    text = escape(str(row["method"]))
    if pd.isna(row["seeds"]) or row["seeds"] < 2:
        return text
    return f'{text}<br><small style="font-size:.85em">mean of {row["seeds"]} seeds</small>'


def _cell(row: pd.Series, score: str) -> str:
    if pd.isna(row[score]):
        return _NONE
    text = f"<b>{row[score]:.3f}</b>"
    if not pd.isna(row[f"{score}_low"]):
        interval = f"{row[f'{score}_low']:.2f}–{row[f'{score}_high']:.2f}"
        text += f'<br><small style="white-space:nowrap;font-size:.85em">{interval}</small>'
    return text
