"""Receipts: what a page was made from, so that no failed, stale or doctored page is published.

A receipt lies beside its page as ``book/executed/<page>.receipt.json``:

``notebook``, ``parameters``, ``library``, ``data_manifest``, ``inputs``, ``versions``
    What the page depends on: SHA-256 of the source notebook, every parameter with its value, hash
    of the library's code (comments and docstrings apart), of the published numbers, of the
    licensed databases' sheets in use, and versions of the libraries that decide the numbers.
``executed``, ``artifacts``
    SHA-256 of the executed notebook and of every file it wrote below ``files/<page>/``.
``overrides``, ``device``, ``seed``, ``started``, ``seconds``
    For the record.
``seal``
    SHA-256 of all the above.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from elrcn.config import config_hash
from elrcn.databases.roots import resolve_roots
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, library_versions
from elrcn.publish import pages
from elrcn.publish.parameters import all_parameters
from elrcn.workspace import Workspace

SCHEMA = 1
_DEPENDS = {
    "notebook": "its notebook",
    "parameters": "a parameter",
    "library": "the library",
    "data_manifest": "data_manifest/",
    "inputs": "the choice of databases",
    "versions": "the version of a library",
}
# What runs notebooks has no part in their results.
_NOT_HASHED = {"publish", "cli", "__pycache__"}


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, as hex digits."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def tree_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by POSIX path relative to it, sorted."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix(): file_hash(p) for p in files}


def library_hash() -> str:
    """Hash of the code that notebooks can depend on: all but ``publish`` and ``cli``."""
    import elrcn

    package = Path(elrcn.__file__).parent
    parts = [
        p.name
        for p in package.iterdir()
        if p.name not in _NOT_HASHED and (p.suffix == ".py" or p.is_dir())
    ]
    return code_hash(*sorted(parts))


def _inputs(parameters: dict[str, Any]) -> dict[str, str]:
    # A licensed database is told by its place and its label sheets: hashing 20,000 frames on every
    # build would take longer than the build. The manifest's own hashes watch over the frames.
    given = [parameters.get(name) or None for name in ("casme2_root", "samm_root")]
    found = {}
    for name, root in resolve_roots(*given).items():
        sheets = {p.name: file_hash(p) for p in sorted(Path(root).glob("*.xls*")) if p.is_file()}
        found[name] = config_hash(str(root), sheets)
    return found


def dependencies(workspace: Workspace, page: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return what a run of `page` would depend on now (the first group of a receipt's keys)."""
    source = pages.source_path(workspace, page)
    parameters = all_parameters(source, overrides)
    return {
        "notebook": file_hash(source),
        "parameters": json.loads(json.dumps(parameters, default=str)),
        "library": library_hash(),
        "data_manifest": config_hash(tree_hashes(workspace.data_manifest)),
        "inputs": _inputs(parameters),
        "versions": library_versions(),
    }


def _seal(receipt: dict[str, Any]) -> str:
    return config_hash({k: v for k, v in receipt.items() if k != "seal"}, length=64)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` through a temporary neighbour, so that no half file is seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_receipt(workspace: Workspace, page: str, content: dict[str, Any]) -> dict[str, Any]:
    """Hash the page and its artifacts as they lie now, add them to `content`, seal and write."""
    receipt = {
        "schema": SCHEMA,
        "page": page,
        **content,
        "executed": file_hash(pages.executed_path(workspace, page)),
        "artifacts": tree_hashes(workspace.artifacts / page),
    }
    receipt["seal"] = _seal(receipt)
    write_json(pages.receipt_path(workspace, page), receipt)
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
    if file_hash(pages.executed_path(workspace, page)) != receipt.get("executed"):
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
