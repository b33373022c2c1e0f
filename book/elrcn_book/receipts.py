"""Receipts: what a page was made from, so that no failed, stale or doctored page is published.

A receipt lies beside its page as ``book/executed/<page>.receipt.json``:

``notebook``, ``parameters``, ``library``, ``data_manifest``, ``inputs``, ``weights``, ``versions``
    What the page depends on: SHA-256 of the source notebook, every parameter with its value, hash
    of the library's code (comments and docstrings apart), of the published numbers, of the
    databases' sheets and frames (see `data_digests`) and the VGG-Face file in use, and versions of
    the libraries that decide the numbers. That the kernel ran this library is found out inside it.
``pages``
    Of a page that comes last: hash of the other pages' files, which it reads.
``origin``
    Profile and data of what the page measures: one book has one of each.
``executed``, ``artifacts``
    SHA-256 of the executed notebook and of every file it wrote below ``files/<page>/``.
``overrides``, ``device``, ``seed``, ``started``, ``seconds``, ``commit``
    For the record.
``seal``
    SHA-256 of all the above.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import elrcn
from elrcn.config import VGGFACE_VARIABLE, VGGConfig, config_hash, get_profile
from elrcn.databases.folders import FRAME_SUFFIXES, SHEET_SUFFIXES, resolve_roots, suffix_of, walk
from elrcn.databases.synthetic import find_mark
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, file_digest, known_digest, library_versions, write
from elrcn.workspace import Workspace
from elrcn_book import pages
from elrcn_book.parameters import all_parameters

SCHEMA = 1
_DEPENDS = {
    "notebook": "its notebook",
    "parameters": "a parameter",
    "library": "the library",
    "data_manifest": "data_manifest/",
    "inputs": "the choice of databases",
    "weights": "the file of VGG-Face weights",
    "versions": "the version of a library",
    "pages": "a page that it reads",
}
# What runs and builds pages has no part in what they show.
_NOT_SHOWN = {"commands", "execute", "parallel", "kernel", "witness", "receipts", "parameters",
              "pages", "build", "offline", "sphinx"}  # fmt: skip


def tree_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by POSIX path relative to it, sorted."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix(): file_digest(p) for p in files}


def library_hash() -> str:
    """Hash of the code that pages can depend on: of both packages, but for commands and runner."""
    package, book = Path(elrcn.__file__).parent, Path(__file__).parent
    modules = {p.relative_to(package).parts[0] for p in package.rglob("*.py")}
    shown = {p.name: file_digest(p) for p in book.glob("*.py") if p.stem not in _NOT_SHOWN}
    return config_hash(code_hash(*sorted(modules - {"cli"})), shown)


def _roots(parameters: dict[str, Any]) -> dict[str, Path]:
    return resolve_roots(*(parameters.get(name) or None for name in ("casme2_root", "samm_root")))


def data_digests(root: Path) -> tuple[str, str]:
    """Digests of the sheets and of the frames by which a copy of a database is known.

    They cover the bytes of every .xlsx and .xls below `root`, and names and sizes, but not bytes,
    of every frame file (hashing 20,000 frames on every build would take longer than the build;
    the manifest's own hashes watch over them); no other file, nor where `root` lies.
    """
    sheets, frames = {}, {}
    for folder, names in walk(root):
        for name in names:
            path, suffix = Path(folder, name), suffix_of(name)
            if suffix in SHEET_SUFFIXES and path.is_file():
                sheets[path.relative_to(root).as_posix()] = file_digest(path)
            elif suffix in FRAME_SUFFIXES and path.exists():  # a link may lead nowhere
                frames[path.relative_to(root).as_posix()] = path.stat().st_size
    return config_hash(sheets), config_hash(frames)


def _weights(parameters: dict[str, Any]) -> str:
    """Digest of the file that ``ELRCN_VGGFACE`` names, where the profile's network can take it."""
    named = os.environ.get(VGGFACE_VARIABLE, "").strip()
    if not named or get_profile(parameters.get("profile", "demo")).vgg != VGGConfig():
        return ""
    return known_digest(Path(named).expanduser())


def _origin(parameters: dict[str, Any], known: dict[Path, tuple[str, str]]) -> dict[str, str]:
    """Give profile and data of what a page measures; empty for pages that measure nothing."""
    if "profile" not in parameters:
        return {}
    origin = {"profile": str(parameters["profile"])}
    for name, root in _roots(parameters).items():
        sheets, frames = known[root]
        origin[name] = f"{_kind(root)} copy with sheets {sheets[:8]} and frames {frames[:8]}"
    return origin if len(origin) > 1 else {**origin, "data": "synthetic dataset"}


def _kind(root: Path) -> str:
    mark = find_mark(root)
    if not mark.found:
        return "licensed"
    return "partly synthetic" if mark.mixture else "synthetic"


def dependencies(workspace: Workspace, page: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return what a run of `page` would depend on now (the first group of a receipt's keys)."""
    source = pages.source_path(workspace, page)
    parameters = all_parameters(source, overrides)
    roots = _roots(parameters)
    known = {root: data_digests(root) for root in roots.values()}
    return {
        "notebook": file_digest(source),
        "parameters": json.loads(json.dumps(parameters, default=str)),
        "library": library_hash(),
        "data_manifest": config_hash(tree_hashes(workspace.data_manifest)),
        "inputs": {n: config_hash(str(r), *known[r]) for n, r in roots.items()},
        "weights": _weights(parameters),
        "origin": _origin(parameters, known),
        "versions": library_versions(),
        "pages": _others(workspace) if pages.comes_last(workspace, page) else "",
    }


def _others(workspace: Workspace) -> str:
    """Digest of the files of all pages but those that come last, which read them."""
    found = {}
    for page in pages.book_pages(workspace):
        if pages.source_path(workspace, page).is_file() and not pages.comes_last(workspace, page):
            found[page] = tree_hashes(workspace.artifacts / page)
    return config_hash(found)


def _seal(receipt: dict[str, Any]) -> str:
    return config_hash({k: v for k, v in receipt.items() if k != "seal"}, length=64)


def write_receipt(workspace: Workspace, page: str, content: dict[str, Any]) -> dict[str, Any]:
    """Hash the page and its artifacts as they lie now, add them to `content`, seal and write."""
    receipt = {
        "schema": SCHEMA,
        "page": page,
        **content,
        "executed": file_digest(pages.executed_path(workspace, page)),
        "artifacts": tree_hashes(workspace.artifacts / page),
    }
    receipt["seal"] = _seal(receipt)
    write(pages.receipt_path(workspace, page), json.dumps(receipt, indent=1) + "\n")
    return receipt


def read_receipt(workspace: Workspace, page: str) -> dict[str, Any] | None:
    """Return the receipt of `page`; None if there is none that can be trusted."""
    try:
        receipt = json.loads(pages.receipt_path(workspace, page).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(receipt, dict) or receipt.get("schema") != SCHEMA:
        return None
    return receipt if receipt.get("seal") == _seal(receipt) else None


def page_problem(workspace: Workspace, page: str, overrides: dict[str, Any] | None = None) -> str:
    """Say why `page` may not be published.

    Parameters
    ----------
    workspace : Workspace
        The checkout.
    page : str
        Name of the page.
    overrides : dict, optional
        Parameters the page should have been run with; default: those it was run with.

    Returns
    -------
    str
        The reason, or ``""`` if the page matches its receipt and nothing it depends on changed.
    """
    if not pages.source_path(workspace, page).is_file():
        return "its notebook is missing"
    if pages.failure_path(workspace, page).exists():
        return "its last run failed"
    if not pages.executed_path(workspace, page).is_file():
        return "it was never executed"
    if not pages.receipt_path(workspace, page).is_file():
        return "it has no receipt"
    receipt = read_receipt(workspace, page)
    if receipt is None or receipt.get("page") != page:
        return "its receipt is broken or was changed by hand"
    if file_digest(pages.executed_path(workspace, page)) != receipt.get("executed"):
        return "the page was changed after it was executed"
    if tree_hashes(workspace.artifacts / page) != receipt.get("artifacts"):
        return "a table or figure of it was changed, added or removed after it was executed"
    now = dependencies(workspace, page, receipt["overrides"] if overrides is None else overrides)
    changed = [text for key, text in _DEPENDS.items() if now[key] != receipt.get(key)]
    if changed:
        return f"it is stale: {', '.join(changed)} changed since it was executed"
    return ""


def verify_pages(workspace: Workspace, names: list[str] | None = None) -> None:
    """Refuse pages without a matching receipt, all at once.

    Raises
    ------
    ElrcnError
        Naming every page that is failed, stale, doctored or missing, and why.
    """
    chosen = pages.book_pages(workspace) if names is None else names
    problems = {page: page_problem(workspace, page) for page in chosen}
    bad = {page: reason for page, reason in problems.items() if reason}
    if bad:
        raise ElrcnError(
            "The book is not built, because of "
            + "; ".join(f"{page}: {reason}" for page, reason in bad.items())
            + ".",
            where=workspace.executed,
            fix=f"elrcn notebooks {' '.join(bad)}",
        )


def mixture(workspace: Workspace) -> str:
    """Say which pages of the book were measured with another profile or on other data.

    Returns
    -------
    str
        ``""`` if all pages that measure anything share one profile and one origin.
    """
    groups: dict[str, list[str]] = {}
    for page in pages.book_pages(workspace):
        origin = (read_receipt(workspace, page) or {}).get("origin")
        if origin:
            groups.setdefault(", ".join(f"{k} {v}" for k, v in origin.items()), []).append(page)
    if len(groups) < 2:
        return ""
    return "; ".join(f"{origin}: {', '.join(names)}" for origin, names in groups.items())


def check_one_origin(workspace: Workspace) -> None:
    """Refuse a book whose pages were measured with several profiles or on several data.

    Raises
    ------
    ElrcnError
        Naming the pages of each profile and origin.
    """
    found = mixture(workspace)
    if found:
        raise ElrcnError(
            f"The pages of this book do not belong together: {found}.",
            where=workspace.executed,
            fix="execute all with one profile on one copy (`elrcn notebooks --profile demo`), or "
            "build it with `elrcn book --mixed`: every page then says so",
        )
