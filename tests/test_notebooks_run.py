"""Notebooks run with the smoke profile, from the root and by hand, and hold no typed score."""

import os
import re
import shutil

import nbformat
import papermill
import pytest

from elrcn.workspace import find_workspace
from elrcn_book.kernel import kernel_manager
from elrcn_book.parameters import notebook_parameters
from elrcn_book.show import RESULT

WORKSPACE = find_workspace(__file__)
NOTEBOOKS = sorted(WORKSPACE.notebooks.glob("*.ipynb"))

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


@each
def test_no_score_is_typed_by_hand(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not re.search(r"(?<![\w.])0\.\d{2,}", cell.source)


@each
def test_starts_with_a_heading_and_names_its_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    first = notebook.cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")


def execute(path, out, cwd, environment):
    small = {"profile": "smoke"} if "profile" in notebook_parameters(path) else {}
    return papermill.execute_notebook(
        path,
        out,
        parameters=small,
        kernel_name="python3",
        language="python",
        cwd=cwd,
        progress_bar=False,
        kernel_manager_class=kernel_manager(environment),
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout's shell: the runs share a corpus and touch nothing of this checkout."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(WORKSPACE.root / "_toc.yml", root)
    shutil.copytree(WORKSPACE.data_manifest, root / "data_manifest")
    return root


@pytest.mark.slow
@each
def test_smoke_profile_runs(path, checkout, tmp_path):
    files = tmp_path / "files"
    environment = {"ELRCN_HOME": str(checkout), "ELRCN_ARTIFACTS": str(files)}
    done = execute(path, tmp_path / "out.ipynb", WORKSPACE.root, environment)
    text = "".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in done.cells
        for output in cell.get("outputs", [])
    )
    shown = set(re.findall(r"files/([\w/.-]+\.(?:svg|csv|webp))", text))
    written = {p.relative_to(files).as_posix() for p in files.rglob("*") if p.is_file()}
    assert shown <= written
    # A key picture or a short table may be shown by the index alone.
    assert {
        name for name in written - shown if "/key." not in name and "/short." not in name
    } == set()
    assert not re.search(r"\bnan\b|p = 0\.000\b", text)
    (box,) = [
        o for c in done.cells for o in c.get("outputs", []) if RESULT in o.get("metadata", {})
    ]
    assert ":class: result" in box.data["text/markdown"]
    assert "It stands here when all cells have run" not in box.data["text/markdown"]
    if "Session(" in path.read_text(encoding="utf-8"):
        assert "**Synthetic dataset**, profile `smoke`" in text


@pytest.mark.slow
def test_runs_by_hand_from_its_folder(tmp_path):
    """The workspace is found upwards, and the files of the book are left alone."""
    book = WORKSPACE.executed

    def state():
        return {p: os.stat(p).st_mtime_ns for p in book.rglob("*")} if book.exists() else {}

    before = state()
    path = WORKSPACE.notebooks / "models.ipynb"
    done = execute(path, tmp_path / "out.ipynb", WORKSPACE.notebooks, {})
    kinds = {k for c in done.cells for o in c.get("outputs", []) for k in o.get("data", {})}
    assert "text/html" in kinds
    assert before == state()
