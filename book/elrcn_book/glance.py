"""The paper's tables, figures, equations and claims as a list: what each is, where it is made."""

from __future__ import annotations

import importlib
import re
from functools import cache
from html import escape
from pathlib import Path
from types import ModuleType

import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace

COLUMNS = ("id", "kind", "where", "statement", "page", "experiment", "home", "status", "reason")
KINDS = ("table", "figure", "equation", "claim", "beyond")
#: How far an item is repeated here: what a reader sees, and what it means.
STATUSES = {
    "implemented": ("implemented", "A definition: the library has it, and tests hold it to known "
                    "cases."),
    "synthetic": ("run on synthetic clips", "The whole experiment runs; what comes out says "
                  "nothing about people. That takes the licensed databases."),
    "checked": ("checked on paper", "Held against the paper's own numbers, published counts or the "
                "works it cites; no data are needed."),
    "data": ("needs what is not here", "The licensed databases, or VGG-Face's weights."),
    "open": ("cannot be checked", "Not even with the databases: the paper does not say enough."),
}  # fmt: skip
# A line of an API page that lists a module, or the modules of a package.
_LISTED = re.compile(r"^% modules (\S+)$", re.MULTILINE)


def load_items(path: str | Path | None = None) -> pd.DataFrame:
    """Read the paper's items, one row each.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/paper_items.csv`` of the workspace.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, all str; ``page`` and ``experiment`` are names separated by blanks,
        ``experiment`` and ``home`` may be empty.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column, has an id twice, an unknown kind or status, or an
        empty cell where something must stand.
    """
    path = Path(path) if path else find_workspace().data_manifest / "paper_items.csv"
    try:
        items = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise ElrcnError(
            "The list of the paper's items is missing.", where=path, fix="restore it from git"
        ) from None
    missing = [name for name in COLUMNS if name not in items.columns]
    if missing:
        raise ElrcnError(f"Columns are missing: {', '.join(missing)}.", where=path)
    needed = [name for name in COLUMNS if name not in ("experiment", "home")]
    wrong = {
        "occurs twice": items["id"].duplicated(),
        "has an unknown kind": ~items["kind"].isin(KINDS),
        "has an unknown status": ~items["status"].isin(STATUSES),
        "has an empty cell": (items[needed] == "").any(axis=1),
    }
    for what, rows in wrong.items():
        if rows.any():
            raise ElrcnError(f"Item {items.loc[rows, 'id'].iloc[0]!r} {what}.", where=path)
    return items[list(COLUMNS)]


def find_home(home: str):
    """Return what the dotted name `home` stands for: a module, or a member of one.

    Raises
    ------
    ElrcnError
        If there is no such module or member.
    """
    try:
        return importlib.import_module(home)
    except ModuleNotFoundError as error:
        module, _, name = home.rpartition(".")
        if not f"{home}.".startswith(f"{error.name}."):
            raise  # the module is there and needs one that is not
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise ElrcnError(f"The library has no {home}.", where="paper_items.csv") from None


def item_title(item_id: str) -> str:
    """Name of an item for people: "Table II" of ``table-2``; "" where the statement is the name."""
    kind, _, number = item_id.partition("-")
    if kind not in ("table", "figure", "equation"):
        return ""
    roman = {"1": "I", "2": "II", "3": "III"}
    return f"{kind.capitalize()} {roman.get(number, number) if kind == 'table' else number}"


def command(pages: str, experiments: str) -> str:
    """Shell command that repeats an item: its experiments, or else its first page."""
    if experiments:
        return f"elrcn run {experiments}"
    return f"elrcn notebooks {pages.split()[0]}"


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


def page_links(pages: str) -> str:
    """HTML links to pages, whose names are separated by blanks."""
    links = [f'<a href="{page}.html">{page.replace("_", " ")}</a>' for page in pages.split()]
    return ", ".join(links)


def home_link(home: str, folder: Path | None = None) -> str:
    """HTML of `home`, linked to the reference where that has it; "" for none."""
    link = reference_link(home, folder) if home else ""
    # A name may break after a dot, or it would widen the table beyond a phone.
    name = f"<code>{escape(home).replace('.', '.<wbr>')}</code>" if home else ""
    return f'<a href="{link}">{name}</a>' if link else name
