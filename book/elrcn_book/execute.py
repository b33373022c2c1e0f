"""Execute notebooks into pages: temporary output, promoted only on success, with a receipt."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from elrcn.errors import ElrcnError
from elrcn.files import write
from elrcn.models.train import resolve_device
from elrcn.workspace import Workspace
from elrcn_book import pages, receipts, witness
from elrcn_book.colophon import commit, dress
from elrcn_book.kernel import kernel_manager
from elrcn_book.parallel import SHARE, jobs_here, run_parallel
from elrcn_book.parameters import resolve_parameters


@dataclass(frozen=True)
class PageRun:
    """What `run_notebooks` did about one page.

    Attributes
    ----------
    page : str
        Name of the page.
    executed : bool
        False if its receipt still matched.
    seconds : float
        Wall time of the execution that made the page.
    reason : str
        Why it was executed; empty if it was not.
    """

    page: str
    executed: bool
    seconds: float
    reason: str


def run_notebooks(
    workspace: Workspace,
    names: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: bool = True,
    jobs: int = 1,
) -> list[PageRun]:
    """Execute those notebooks whose pages do not match their receipts.

    Parameters
    ----------
    workspace : Workspace
        The checkout.
    names : sequence of str
        Notebooks, in order; default: every page that ``_toc.yml`` declares.
    parameters : mapping of str to object, optional
        Overrides, each for every notebook that has a parameter of that name.
    force : bool
        Execute even if the receipt matches.
    progress : bool
        Bars on standard error: notebooks, and cells of the one that runs.
    jobs : int
        Notebooks executed at once; 0: what suits this machine. Each is a process of its own, and
        what two of them need is computed by one while the other waits. Numbers do not depend on
        it.

    Returns
    -------
    list of PageRun
        One for each notebook.

    Raises
    ------
    ElrcnError
        If a parameter is unknown or has the wrong type (nothing runs then), or if a notebook
        fails. The page of an earlier good run stays, marked so that no book is built from it.
    """
    chosen = pages.select_pages(workspace, tuple(names))
    sources = {page: pages.source_path(workspace, page) for page in chosen}
    overrides = resolve_parameters(sources, parameters)
    last = [page for page in chosen if pages.comes_last(workspace, page)]
    reasons, seconds = {}, {}
    # What comes last is looked at when the others are done, whose files it reads.
    for group, most in (([page for page in chosen if page not in last], jobs), (last, 1)):
        for page in group:
            reason = receipts.page_problem(workspace, page, overrides[page])
            reasons[page] = reason or ("it was asked for" if force else "")
        due = [page for page in group if reasons[page]]
        seconds |= _execute_all(workspace, due, overrides, progress, jobs_here(len(due), most))
    return [
        PageRun(
            page,
            bool(reasons[page]),
            seconds[page] if page in seconds else receipts.read_receipt(workspace, page)["seconds"],
            reasons[page],
        )
        for page in chosen
    ]


def _execute_all(workspace, due, overrides, progress, jobs) -> dict[str, float]:
    """Execute the pages `due`, `jobs` at once; seconds of each."""
    left, seconds = list(due), {}
    if not due:
        return seconds
    with tqdm(total=len(due), desc="notebooks", unit="page", disable=not progress) as bar:
        bar.set_postfix_str(", ".join(left[:jobs]))
        for page, seconds[page] in _execute(workspace, due, overrides, progress, jobs):
            left.remove(page)
            bar.update()
            bar.set_postfix_str(", ".join(left[:jobs]))
    return seconds


def _execute(workspace, due, overrides, progress, jobs):
    if jobs > 1:
        yield from _execute_parallel(workspace, due, overrides, progress, jobs)
        return
    for page in due:
        yield page, execute_page(workspace, page, overrides[page], progress)


def _execute_parallel(workspace, due, overrides, progress, jobs):
    partial = workspace.root / ".elrcn" / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    share = partial / f"share-{os.getpid()}"

    def task(page: str, slot: int) -> float:
        environment = {SHARE: str(share), "TQDM_POSITION": str(1 + slot)}
        return execute_page(workspace, page, overrides[page], progress, environment)

    yield from run_parallel(task, due, jobs, share)


def execute_page(
    workspace: Workspace,
    page: str,
    overrides: dict[str, Any],
    progress: bool = True,
    environment: Mapping[str, str] | None = None,
) -> float:
    """Execute one notebook, promote page and artifacts, write the receipt; return seconds.

    `environment` holds variables for its kernel. An interruption or a failure leaves the earlier
    page and its files as they were. After a failure the notebook as far as it got lies in
    ``.elrcn/failed/``.
    """
    scratch = workspace.root / ".elrcn" / "partial" / f"{page}-{os.getpid()}"
    output, files = scratch / f"{page}.ipynb", scratch / "files"
    depends = receipts.dependencies(workspace, page, overrides)
    started = datetime.now(UTC)
    clock = time.perf_counter()
    shutil.rmtree(scratch, ignore_errors=True)
    (files / page).mkdir(parents=True)
    try:
        try:
            notebook = _papermill(
                workspace, page, overrides, output, files, progress, environment or {}
            )
        except Exception as error:
            if isinstance(error, OSError) and error.errno:
                raise  # a full disk or a missing right is no fault of the notebook
            _record_failure(workspace, page, error, output)
            raise _explained(workspace, page, error, bool(overrides)) from error
        seconds = round(time.perf_counter() - clock, 3)
        _check_library(workspace, page, scratch / "witness.json")
        if receipts.dependencies(workspace, page, overrides) != depends:
            raise ElrcnError(
                f"What {page} depends on changed while it was executed.", fix="execute it again"
            )
        record = {
            **depends,
            "overrides": overrides,
            "device": _device(depends["parameters"]),
            "seed": depends["parameters"].get("seed"),
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
            "commit": commit(workspace.root),
        }
        dress(notebook, page, record)
        nbformat.write(notebook, output)
        _promote(workspace, page, output, files / page)
        receipts.write_receipt(workspace, page, record)
        pages.failure_path(workspace, page).unlink(missing_ok=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return seconds


def _papermill(workspace, page, overrides, output, files, progress, environment):
    from papermill import execute_notebook

    live = progress and sys.stderr.isatty()
    notebook = execute_notebook(
        pages.source_path(workspace, page),
        output,
        parameters=overrides,
        kernel_name="python3",
        language="python",
        cwd=workspace.root,
        # Beside others its bar over cells would fall on theirs.
        progress_bar={"desc": page, "leave": False} if live and not environment else False,
        # Bars inside a cell (folds, epochs) pass through to the terminal.
        stderr_file=sys.stderr if live else None,
        start_timeout=180,
        iopub_timeout=120,
        kernel_manager_class=kernel_manager(
            {
                "ELRCN_HOME": str(workspace.root),
                "ELRCN_ARTIFACTS": str(files),
                witness.VARIABLE: str(output.with_name("witness.json")),
                **environment,
            }
        ),
    )
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise RuntimeError(f"cell {number} was not executed")
    return notebook


def _check_library(workspace: Workspace, page: str, said: Path) -> None:
    """Raise unless the kernel ran these very packages, from its first cell to its last."""
    own = witness.package_folders()
    try:
        report = json.loads(said.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = {"folders": ["another place, which does not say what it is"]}
    if report.get("package") == witness.package_bytes(*own):
        return
    here = [str(folder) for folder in own]
    if report["folders"] == here:
        raise ElrcnError(f"The library changed while {page} was executed.", fix="execute it again")
    raise ElrcnError(
        f"The kernel of {page} imported elrcn from {' and '.join(report['folders'])}, this command "
        f"from {' and '.join(here)}, and the two differ.",
        where=workspace.root,
        fix=f"install the package of the folder you work in: pip install -e {workspace.root}",
    )


def _device(parameters: dict[str, Any]) -> str:
    return str(resolve_device(parameters.get("device", "auto")))


def _promote(workspace: Workspace, page: str, output: Path, files: Path) -> None:
    # Without its receipt a page is refused, so taking that away first makes the steps below safe
    # to interrupt anywhere.
    pages.receipt_path(workspace, page).unlink(missing_ok=True)
    workspace.artifacts.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(workspace.artifacts / page, ignore_errors=True)
    os.replace(files, workspace.artifacts / page)
    os.replace(output, pages.executed_path(workspace, page))


def _record_failure(workspace: Workspace, page: str, error: Exception, output: Path) -> None:
    kept = _failed_copy(workspace, page)
    if output.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(output, kept)
    failure = {"page": page, "error": _last_line(error), "at": datetime.now(UTC).isoformat()}
    write(pages.failure_path(workspace, page), json.dumps(failure, indent=1) + "\n")


def _failed_copy(workspace: Workspace, page: str) -> Path:
    return workspace.root / ".elrcn" / "failed" / f"{page}.ipynb"


def _last_line(error: Exception) -> str:
    value = getattr(error, "evalue", None)
    if value is not None:
        return f"{error.ename}: {value}" if value else str(error.ename)
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _explained(workspace, page: str, error: Exception, injected: bool) -> ElrcnError:
    # papermill's cell of overrides is not in the notebook that the user opens.
    cell = getattr(error, "cell_index", None)
    where = f"notebooks/{page}.ipynb" + ("" if cell is None else f", cell {cell + 1 - injected}")
    kept = _failed_copy(workspace, page).relative_to(workspace.root)
    if getattr(error, "ename", "") == "ElrcnError":
        # A user's mistake met inside a notebook: its own message says what to do.
        return ElrcnError(f"{error.evalue}", where=where)
    fix = f"mend it; the notebook as far as it got is {kept}" if kept.exists() else None
    if type(error).__name__ == "DeadKernelError":
        return ElrcnError(
            f"The kernel of {page} died before the notebook's end.",
            where=where,
            fix="it may have run out of memory: try a smaller profile",
        )
    return ElrcnError(f"The notebook {page} failed: {_last_line(error)}", where=where, fix=fix)
