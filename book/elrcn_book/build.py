"""Build the HTML book from executed pages, only from pages whose receipts match."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

import elrcn
from elrcn.config import config_hash
from elrcn.errors import ElrcnError
from elrcn.files import file_digest, read_json, write, write_json
from elrcn.workspace import Workspace
from elrcn_book import offline, receipts

_STEP = re.compile(r"(reading sources|writing output|copying images)\.\.\. \[ *(\d+)%\]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PROBLEM = re.compile(r"\b(WARNING|ERROR|CRITICAL|Exception|Error):")
# The package has no `__main__`, and its script may lie outside PATH.
_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
_STAMP = ".built.json"
_BUILDERS = ("Sphinx", "jupyter-book", "myst-nb", "sphinx-book-theme", "sphinxcontrib-bibtex")


def build_book(
    workspace: Workspace,
    strict: bool = True,
    force: bool = False,
    progress: bool = True,
    mixed: bool = False,
) -> Path:
    """Build ``_build/html``; return the path of its ``index.html``.

    The new book is built aside and takes the old one's place only when it is good. Nothing is
    done when nothing changed since the last good build; files of it that were edited since are
    named in a warning, and it is built again.

    Parameters
    ----------
    workspace : Workspace
        The checkout.
    strict : bool
        Any warning of Sphinx (with ``-n``: any reference to an ``elrcn.`` name that is not
        there), any broken link between pages and anything a page would load from the network is
        an error.
    force : bool
        Build even if nothing changed.
    progress : bool
        A bar on standard error.
    mixed : bool
        Build from pages of several profiles or data; every page then says so at its top.

    Raises
    ------
    ElrcnError
        If a page is failed, stale, doctored or missing, pages do not belong together, or the build
        has problems.
    """
    receipts.verify_pages(workspace)
    if not mixed:
        receipts.check_one_origin(workspace)
    html = workspace.root / "_build" / "html"
    index = html / "index.html"
    state = _inputs_hash(workspace, strict)
    if not force and _is_built(html, state):
        return index
    scratch = workspace.root / ".elrcn" / "build"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _jupyter_book(workspace, scratch, strict, progress)
        made = scratch / "_build" / "html"
        if not (made / "index.html").is_file():
            raise ElrcnError("Jupyter Book ended without a book.", _log(workspace))
        shutil.rmtree(made / ".doctrees", ignore_errors=True)
        problems = offline.problems(made)
        if problems and strict:
            shown = "\n".join(f"  - {p}" for p in problems[:20])
            raise ElrcnError(
                f"{len(problems)} links of the book lead nowhere or to the network:\n{shown}",
                fix="mend the page or the notebook that writes the link",
            )
        write_json(made / _STAMP, {"inputs": state, "files": receipts.tree_hashes(made)})
        html.parent.mkdir(exist_ok=True)
        old = scratch / "old"
        if html.exists():
            os.replace(html, old)
        os.replace(made, html)
        if strict:
            _readme_picture(workspace)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return index


def _readme_picture(workspace: Workspace) -> None:
    """Give README the picture of the glance, if this is the book that README speaks of.

    That is the demo profile on the synthetic dataset. The picture is a tracked file, which so
    changes only when numbers do.
    """
    drawn = workspace.artifacts / "glance" / "key.svg"
    shown = workspace.root / "book" / "_static" / "readme.svg"
    receipt = receipts.read_receipt(workspace, "table1") or {}
    origin = {"profile": "demo", "data": "synthetic dataset"}
    if drawn.is_file() and receipt.get("origin") == origin and not receipts.mixture(workspace):
        write(shown, drawn.read_bytes())


def _is_built(html: Path, state: str) -> bool:
    """Whether the book there is of these inputs and untouched; warn of files that were changed."""
    stamp = read_json(html / _STAMP)
    if stamp is None or stamp["inputs"] != state:
        return False
    now, then = receipts.tree_hashes(html), stamp["files"]
    changed = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
    if changed:
        shown = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        warnings.warn(
            f"{len(changed)} files of the built book were changed by hand ({shown}); "
            "it is built again",
            stacklevel=3,
        )
    return not changed


def _inputs_hash(workspace: Workspace, strict: bool) -> str:
    root = workspace.root
    package = Path(elrcn.__file__).parent
    files = {f"elrcn/{k}": v for k, v in receipts.tree_hashes(package).items() if k[-3:] == ".py"}
    files |= {f"book/{k}": v for k, v in receipts.tree_hashes(root / "book").items()}
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md"):
        if (root / name).is_file():
            files[name] = file_digest(root / name)
    files = {k: v for k, v in files.items() if "__pycache__" not in k}
    mixture = receipts.mixture(workspace)
    return config_hash(
        files, strict, mixture, {name: version(name) for name in _BUILDERS}, length=64
    )


def _log(workspace: Workspace) -> Path:
    return workspace.root / ".elrcn" / "build.log"


def _jupyter_book(workspace: Workspace, output: Path, strict: bool, progress: bool) -> None:
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", "."]
    command += ["--path-output", str(output), "--keep-going"]
    command += ["-W", "-n"] if strict else []
    log = _log(workspace)
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with (
        open(log, "w", encoding="utf-8") as sink,
        tqdm(total=200, desc="book", unit="%", disable=not progress, leave=True) as bar,
        subprocess.Popen(
            command,
            cwd=workspace.root,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "ELRCN_BOOK_MIXTURE": receipts.mixture(workspace),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout:
                line = _COLOUR.sub("", line)
                sink.write(line)
                lines.append(line.rstrip())
                for step, percent in _STEP.findall(line):
                    base = 100 if step == "writing output" else 0
                    bar.n = max(bar.n, base + int(percent))
                    bar.set_postfix_str(step)
        except BaseException:
            process.terminate()
            raise
        if process.wait() == 0:
            bar.n = bar.total
    if process.returncode != 0:
        told = list(dict.fromkeys(line for line in lines if _PROBLEM.search(line)))
        shown = "\n".join(f"  - {line}" for line in (told or lines)[-20:])
        raise ElrcnError(
            f"Jupyter Book found {len(told) or 'some'} problems:\n{shown}",
            where=log,
            fix="mend the pages named above, then repeat",
        )
