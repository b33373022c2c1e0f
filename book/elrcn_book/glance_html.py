"""The paper at a glance as HTML: items with links to their pages and to the library's reference."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path
from types import ModuleType

import pandas as pd

from elrcn.workspace import find_workspace
from elrcn_book.glance import STATUSES, find_home

# A line of an API page that lists a module, or the modules of a package.
_LISTED = re.compile(r"^% modules (\S+)$", re.MULTILINE)
_CELL = "padding:.35em .5em;vertical-align:top;text-align:left"


@cache
def _reference_pages(folder: Path) -> dict[str, str]:
    """Map each module or package to the API page that documents it."""
    pages = sorted(folder.glob("*.md"))
    return {name: page.stem for page in pages for name in _LISTED.findall(page.read_text("utf-8"))}


def reference_link(home: str, folder: Path | None = None) -> str:
    """Address of `home` in the library's reference, seen from an executed page; "" if not there.

    Parameters
    ----------
    home : str
        Dotted name of a module, function or class.
    folder : Path, optional
        ``book/api`` of the workspace, whose pages say which packages they document.
    """
    folder = folder or find_workspace().root / "book" / "api"
    found = find_home(home)
    module = home if isinstance(found, ModuleType) else home.rpartition(".")[0]
    if isinstance(found, ModuleType) and hasattr(found, "__path__"):
        return ""  # a package has no entry of its own
    if not isinstance(found, ModuleType) and getattr(found, "__module__", "") != module:
        return ""  # documented where it is defined
    for name in (module, module.rpartition(".")[0]):
        page = _reference_pages(folder).get(name)
        if page:
            anchor = f"module-{home}" if module == home else home
            return f"../api/{page}.html#{anchor}"
    return ""


def _page_links(pages: str) -> str:
    links = (
        f'<a href="{page}.html">{escape(page.replace("_", " "))}</a>' for page in pages.split()
    )
    return ", ".join(links)


def _home(home: str, folder: Path | None) -> str:
    if not home:
        return ""
    link = reference_link(home, folder)
    # A name may break after a dot, or it would widen the table beyond a phone.
    name = f"<code>{escape(home).replace('.', '.<wbr>')}</code>"
    return f'<a href="{link}">{name}</a>' if link else name


def glance_html(table: pd.DataFrame, uid: str, folder: Path | None = None) -> str:
    """One table of items: what it is, its status and why, its page, command and home.

    Parameters
    ----------
    table : DataFrame
        Rows of `elrcn_book.glance.glance_table`.
    uid : str
        The id of the HTML table.
    folder : Path, optional
        See `reference_link`.
    """
    heads = ("Item and its page", "Status here, and why", "Command, place in the library")
    lines = [f'<table id="{uid}" style="font-size:.85rem">', "<thead><tr>"]
    lines += [f'<th style="{_CELL}">{head}</th>' for head in heads]
    lines.append("</tr></thead><tbody>")
    for _, row in table.iterrows():
        status = STATUSES[row["status"]]
        title = f"<b>{escape(row['title'])}.</b> " if row["title"] else ""
        places = [f"<code>{escape(row['command'])}</code>", _home(row["home"], folder)]
        # The links stand in the first column, which a phone shows without scrolling.
        source = f"{escape(row['where'])} → {_page_links(row['page'])}"
        cells = (
            ("15em", f"{title}{escape(row['statement'])}<br><small>{source}</small>"),
            ("14em", f"<b>{status.sign} {status.label}.</b> {escape(row['reason'])}"),
            ("12em", "<br>".join(p for p in places if p)),
        )
        lines.append(f'<tr id="{escape(row["id"])}">')
        lines += [f'<td style="{_CELL};min-width:{width}">{text}</td>' for width, text in cells]
        lines.append("</tr>")
    lines.append("</tbody></table>")
    return "\n".join(lines)
