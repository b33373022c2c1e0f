"""The pages of the book that are executed notebooks, as `_toc.yml` declares them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path

import yaml

from elrcn.errors import ElrcnError
from elrcn.workspace import Workspace

_EXECUTED = "book/executed/"


def _files(node) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("root", "file"):
                yield str(value)
            else:
                yield from _files(value)
    elif isinstance(node, list):
        for item in node:
            yield from _files(item)


def toc_files(workspace: Workspace) -> list[str]:
    """Return the documents that ``_toc.yml`` names, in reading order, without suffix.

    Raises
    ------
    ElrcnError
        If the file cannot be read.
    """
    path = workspace.root / "_toc.yml"
    try:
        return list(_files(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (OSError, yaml.YAMLError) as error:
        raise ElrcnError("The table of contents cannot be read.", path, str(error)) from error


def book_pages(workspace: Workspace) -> list[str]:
    """Return the names of the executed pages, in reading order.

    An entry ``book/executed/table1`` of ``_toc.yml`` declares the page ``table1``, made by
    ``notebooks/table1.ipynb``.
    """
    return [f[len(_EXECUTED) :] for f in toc_files(workspace) if f.startswith(_EXECUTED)]


def select_pages(workspace: Workspace, names: list[str] | tuple[str, ...] = ()) -> list[str]:
    """Return `names` (default: every page of the book) after checking that each has a notebook.

    Parameters
    ----------
    workspace : Workspace
        The checkout.
    names : sequence of str
        Page names; ``notebooks/table1.ipynb`` and ``table1.ipynb`` mean ``table1``.

    Raises
    ------
    ElrcnError
        If there is no such notebook; close names are suggested.
    """
    known = sorted(p.stem for p in workspace.notebooks.glob("*.ipynb"))
    chosen = [Path(n).stem for n in names] or book_pages(workspace)
    for name in chosen:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ElrcnError(
                f"There is no notebook called {name!r}.",
                where=workspace.notebooks,
                fix=f"{hint}There are: {', '.join(known) or 'none'}",
            )
    return list(dict.fromkeys(chosen))


def source_path(workspace: Workspace, page: str) -> Path:
    """Path of the source notebook of `page`."""
    return workspace.notebooks / f"{page}.ipynb"


def comes_last(workspace: Workspace, page: str) -> bool:
    """Whether the notebook reads what the execution of the others leaves behind."""
    notebook = json.loads(source_path(workspace, page).read_text(encoding="utf-8"))
    return notebook["metadata"].get("elrcn", {}).get("after") == "all"


def executed_path(workspace: Workspace, page: str) -> Path:
    """Path of the executed notebook that the book renders."""
    return workspace.executed / f"{page}.ipynb"


def receipt_path(workspace: Workspace, page: str) -> Path:
    """Path of the receipt of `page`."""
    return workspace.executed / f"{page}.receipt.json"


def failure_path(workspace: Workspace, page: str) -> Path:
    """Path of the note that the last run of `page` failed."""
    return workspace.executed / f"{page}.failed.json"
