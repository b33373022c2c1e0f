"""Source notebooks: without outputs, thin, with explained parameters; they run."""

import ast
import os
import re
import shutil
from pathlib import Path

import nbformat
import papermill
import pytest

from elrcn.publish.kernel import kernel_manager

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TYPES = {"str", "int", "float", "bool"}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def sources(path, kind):
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_there_are_notebooks():
    assert {"introduction", "data", "preprocessing", "models", "table1"} <= {
        p.stem for p in NOTEBOOKS
    }


@each
def test_no_outputs_and_a_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "papermill" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            assert "papermill" not in cell.metadata and "execution" not in cell.metadata


@each
def test_parameters_are_typed_and_explained(path):
    notebook = nbformat.read(path, as_version=4)
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    found = papermill.inspect_notebook(path)
    assert {"profile", "casme2_root", "samm_root", "seed", "device"} <= set(found)
    for parameter in found.values():
        assert parameter["inferred_type_name"] in TYPES
        assert len(parameter["help"]) > 10


@each
def test_thin(path):
    for source in sources(path, "code"):
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda))


@each
def test_no_score_is_typed_by_hand(path):
    for source in sources(path, "markdown") + sources(path, "code"):
        assert not re.search(r"(?<![\w.])0\.\d{2,}", source)


@each
def test_starts_with_a_heading(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown" and first.source.startswith("# ")


def execute(path, out, cwd, environment):
    return papermill.execute_notebook(
        path,
        out,
        parameters={"profile": "smoke"},
        kernel_name="python3",
        language="python",
        cwd=cwd,
        progress_bar=False,
        kernel_manager_class=kernel_manager(environment),
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A checkout's shell, so that the runs share a corpus and touch nothing of this one."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copy(ROOT / "_toc.yml", root)
    shutil.copytree(ROOT / "data_manifest", root / "data_manifest")
    return root


@pytest.mark.slow
@each
def test_smoke_profile_runs(path, workspace, tmp_path):
    files = tmp_path / "files"
    environment = {"ELRCN_HOME": str(workspace), "ELRCN_ARTIFACTS": str(files)}
    done = execute(path, tmp_path / "out.ipynb", ROOT, environment)
    text = "".join(
        output.get("data", {}).get("text/markdown", "")
        for cell in done.cells
        for output in cell.get("outputs", [])
    )
    shown = set(re.findall(r"files/([\w/.-]+\.(?:svg|csv))", text))
    written = {p.relative_to(files).as_posix() for p in files.rglob("*") if p.is_file()}
    assert shown == written and shown
    assert not re.search(r"\bnan\b", text)
    if path.stem != "models":
        assert "Made from the synthetic corpus" in text


@pytest.mark.slow
def test_runs_by_hand_from_its_folder(tmp_path):
    """From ``notebooks/`` the workspace is found upwards, and the book's files are left alone."""
    book = ROOT / "book" / "executed"
    before = {p: os.stat(p).st_mtime_ns for p in book.rglob("*")} if book.exists() else {}
    done = execute(ROOT / "notebooks/models.ipynb", tmp_path / "out.ipynb", ROOT / "notebooks", {})
    kinds = {k for c in done.cells for o in c.get("outputs", []) for k in o.get("data", {})}
    assert "text/html" in kinds
    after = {p: os.stat(p).st_mtime_ns for p in book.rglob("*")} if book.exists() else {}
    assert before == after
