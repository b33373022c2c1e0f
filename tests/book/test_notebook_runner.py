import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_checkout import make_workspace, write_notebook

import elrcn
from elrcn.errors import ElrcnError
from elrcn_book import pages, receipts
from elrcn_book.execute import execute_page, run_notebooks


def snapshot(workspace):
    return receipts.tree_hashes(workspace.executed)


def leftovers(workspace):
    return list((workspace.root / ".elrcn" / "partial").glob("*"))


def test_page_shows_the_run_and_nothing_of_this_machine(executed):
    notebook = nbformat.read(pages.executed_path(executed, "page"), 4)
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
    assert ["injected-parameters", "remove-cell"] in tags
    assert ["parameters", "hide-input"] in tags
    assert tags[-1] == ["colophon"]
    assert "`elrcn notebooks page -p seed 8`" in notebook.cells[-1].source
    assert "rate = 0.5" in notebook.cells[-1].source
    assert str(executed.root) not in json.dumps(notebook.metadata)


def test_kernel_is_this_interpreter_with_the_allocator_set(executed):
    notebook = nbformat.read(pages.executed_path(executed, "page"), 4)
    text = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert text.splitlines() == [sys.executable, "0 True"]


def test_nothing_runs_twice(workspace):
    before = snapshot(workspace)
    (run,) = run_notebooks(workspace, parameters={"seed": 8}, progress=False)
    assert not run.executed and run.reason == ""
    assert run.seconds == receipts.read_receipt(workspace, "page")["seconds"]
    assert snapshot(workspace) == before


@pytest.mark.parametrize(
    ("then", "message"),
    [("raise", "ValueError: no such clip"), ("die", "kernel of page died")],
)
def test_a_failure_keeps_the_good_page_and_refuses_it(workspace, then, message):
    before = snapshot(workspace)
    with pytest.raises(ElrcnError, match=message) as caught:
        run_notebooks(workspace, parameters={"seed": 9, "then": then}, progress=False)
    assert "notebooks/page.ipynb" in str(caught.value)
    if then == "raise":
        assert "cell 4" in str(caught.value)  # as counted in the source notebook
    after = snapshot(workspace)
    assert after.pop("page.failed.json") and after == before
    assert (workspace.artifacts / "page" / "table.csv").read_text() == "seed\n8\n"
    with pytest.raises(ElrcnError, match="its last run failed"):
        receipts.verify_pages(workspace)
    assert leftovers(workspace) == []


def test_an_interruption_leaves_everything_as_it_was(workspace):
    before = snapshot(workspace)
    # In a process of its own: the notebook sends the signal of Ctrl-C to whoever runs it.
    code = (
        "import sys; from pathlib import Path; from elrcn.workspace import Workspace\n"
        "from elrcn_book.execute import run_notebooks\n"
        "run_notebooks(Workspace(Path(sys.argv[1])), parameters={'then': 'interrupt'})"
    )
    command = [sys.executable, "-c", code, str(workspace.root)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode != 0 and "KeyboardInterrupt" in ended.stderr
    assert snapshot(workspace) == before
    assert leftovers(workspace) == []
    assert receipts.page_problem(workspace, "page") == ""


def test_mistakes_are_told_before_a_kernel_starts(workspace):
    before = snapshot(workspace)
    with pytest.raises(ElrcnError, match="no notebook parameter called 'sead'") as caught:
        run_notebooks(workspace, parameters={"sead": 1}, progress=False)
    assert "did you mean 'seed'?" in caught.value.fix
    with pytest.raises(ElrcnError, match="'seed' of page must be int, not 'many'"):
        run_notebooks(workspace, parameters={"seed": "many"}, progress=False)
    with pytest.raises(ElrcnError, match="no profile called 'huge'"):
        run_notebooks(workspace, parameters={"profile": "huge"}, progress=False)
    with pytest.raises(ElrcnError, match="no notebook called 'pag'") as caught:
        run_notebooks(workspace, ["pag"], progress=False)
    assert "did you mean 'page'?" in caught.value.fix
    assert snapshot(workspace) == before


def test_two_pages_at_once_share_the_cores_and_one_failure_is_told(tmp_path):
    workspace = make_workspace(tmp_path / "checkout")
    toc = workspace.root / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: book/executed/other\n")
    write_notebook(
        workspace.root / "notebooks" / "other.ipynb",
        "from elrcn.session import Session\nprint(Session('smoke').fold_workers)",
        "assert then != 'raise', 'no such face'",
    )
    runs = run_notebooks(workspace, progress=False, jobs=2)
    assert [run.page for run in runs] == ["page", "other"] and all(run.executed for run in runs)
    shared = nbformat.read(pages.executed_path(workspace, "other"), 4)
    text = "".join(o.get("text", "") for c in shared.cells for o in c.get("outputs", []))
    assert int(text) in (max(1, os.cpu_count() // 2), os.cpu_count())
    again = run_notebooks(workspace, progress=False, jobs=2)
    assert not any(run.executed for run in again)
    with pytest.raises(ElrcnError, match="no such") as caught:
        run_notebooks(workspace, parameters={"then": "raise"}, progress=False, jobs=2)
    assert "notebooks/" in str(caught.value)
    assert leftovers(workspace) == []


def test_a_page_about_the_build_comes_after_all_others(tmp_path):
    workspace = make_workspace(tmp_path / "checkout")
    toc = workspace.root / "_toc.yml"
    toc.write_text(toc.read_text().replace("/page", "/last") + "  - file: book/executed/page\n")
    target = workspace.root / "notebooks" / "last.ipynb"
    seen = "import pathlib\nassert pathlib.Path('book/executed/page.receipt.json').is_file()"
    write_notebook(target, seen)
    notebook = nbformat.read(target, 4)
    notebook.metadata["elrcn"] = {"after": "all"}
    nbformat.write(notebook, target)
    for jobs in (1, 2):
        runs = run_notebooks(workspace, progress=False, force=True, jobs=jobs)
        assert [run.page for run in runs] == ["last", "page"]
        (workspace.executed / "page.receipt.json").unlink()


def copy_of_the_library(workspace, monkeypatch, old="", new=""):
    """Another elrcn in the folder that kernels start in, where they look first."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    own = Path(elrcn.__file__).parent
    other = workspace.root / "elrcn"
    shutil.copytree(own, other, ignore=shutil.ignore_patterns("__pycache__"))
    path = other / "preprocess" / "tim.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_kernel_that_imports_another_library_is_refused(workspace, monkeypatch):
    before = snapshot(workspace)
    copy_of_the_library(workspace, monkeypatch, "import", "import  ")
    with pytest.raises(ElrcnError, match=r"imported elrcn from .*checkout/elrcn"):
        run_notebooks(workspace, force=True, progress=False)
    assert snapshot(workspace) == before


def test_the_same_library_in_another_place_is_the_same(workspace, monkeypatch):
    copy_of_the_library(workspace, monkeypatch)
    (run,) = run_notebooks(workspace, force=True, progress=False)
    assert run.executed


def test_what_changes_while_a_page_is_executed_is_noticed(workspace, monkeypatch):
    states = iter(["old", "new"])
    real = receipts.dependencies
    monkeypatch.setattr(
        receipts, "dependencies", lambda *a: {**real(*a), "library": next(states, "new")}
    )
    with pytest.raises(ElrcnError, match="changed while it was executed"):
        execute_page(workspace, "page", {}, progress=False)
