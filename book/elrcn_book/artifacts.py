"""Files behind a page: where they lie, how they are written and how they are shown."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path

from elrcn.errors import ElrcnError
from elrcn.workspace import Workspace, find_workspace

_FOR_BOOK = "ELRCN_ARTIFACTS"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Shown:
    """Base of what shows itself at the end of a cell: MyST in the book, HTML by hand."""

    def markdown(self) -> str:
        """MyST for the book, which refers to the files beside the page."""
        raise TypeError(f"{type(self).__name__} cannot be shown in the book")

    def html(self) -> str:
        """HTML that needs no other file."""
        raise TypeError(f"{type(self).__name__} cannot be shown in a notebook")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # Only one of the two: with both, the book would take the HTML, whose links it cannot see.
        if os.environ.get(_FOR_BOOK):
            return {"text/markdown": self.markdown()}
        return {"text/html": self.html()}


def page_folder(page: str, workspace: Workspace | None = None) -> Path:
    """Return (and make) the folder of the files that `page` shows.

    Parameters
    ----------
    page : str
        The notebook's name without suffix, such as ``"table1"``.
    workspace : Workspace, optional
        Default: the one around the current folder.

    Returns
    -------
    Path
        Below the folder that ``ELRCN_ARTIFACTS`` names (the runner of the book sets it), else
        below ``runs/by-hand/``: a run by hand must not change the files of the book.

    Raises
    ------
    ElrcnError
        If `page` is not made of lower-case letters, digits, ``-`` and ``_``.
    """
    check_name(page)
    base = os.environ.get(_FOR_BOOK) or (workspace or find_workspace()).runs / "by-hand"
    folder = Path(base) / page
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_name(name: str) -> str:
    """Return `name` if it can be a file's stem and part of a link, else raise `ElrcnError`."""
    if not _NAME.fullmatch(name):
        raise ElrcnError(
            f"{name!r} cannot name a file of the book.",
            fix="use lower-case letters, digits, '-' and '_'",
        )
    return name


def downloads(page: str, paths: list[Path]) -> str:
    """MyST download links to files of `page`, one per path, separated by dots."""
    links = [
        f"{{download}}`{path.suffix[1:].upper()} <files/{page}/{path.name}>`" for path in paths
    ]
    return " · ".join(links)


def one_line(text: str) -> str:
    """Collapse white space, so that a caption or an alternative text fits a directive's option."""
    return " ".join(text.split())


def html_caption(text: str) -> str:
    """Escape `text` for HTML."""
    return escape(one_line(text))
