"""Rules that every notebook of the book keeps; they are executed by `make book`."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import nbformat
import pytest

from elrcn.workspace import find_workspace
from elrcn_book.pages import book_pages
from elrcn_book.parameters import checked_value, notebook_parameters

WORKSPACE = find_workspace(__file__)
NOTEBOOKS = sorted(WORKSPACE.notebooks.glob("*.ipynb"))
EXTRA_KEYS = "metadata.papermill cell.metadata.papermill cell.metadata.execution"

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_cells(path):
    return [c for c in nbformat.read(path, 4).cells if c.cell_type == "code"]


def parameters_cells(path):
    return [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]


def test_every_page_has_a_notebook_and_every_notebook_a_page():
    assert {p.stem for p in NOTEBOOKS} == set(book_pages(WORKSPACE))


@each
def test_no_outputs(path):
    assert not any(c.outputs or c.execution_count for c in code_cells(path))


@each
def test_parameters_are_typed_explained_and_seen_by_papermill(path):
    (cell,) = parameters_cells(path)
    tree = ast.parse(cell.source)
    assert tree.body and all(isinstance(node, ast.AnnAssign) for node in tree.body)
    names = [node.target.id for node in tree.body]
    comments = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(cell.source).readline)
        if token.type == tokenize.COMMENT and len(token.string) > 4
    }
    assert all(node.end_lineno in comments for node in tree.body)
    found = notebook_parameters(path)
    assert list(found) == names
    for parameter in found.values():
        assert parameter.help and parameter.type not in ("", "None")
        checked_value(path.stem, parameter, parameter.default)


@each
def test_tables_are_joined_without_suffixes_which_pandas_gives_up(path):
    trees = [ast.parse(cell.source) for cell in code_cells(path)]
    words = {n.arg for tree in trees for n in ast.walk(tree) if isinstance(n, ast.keyword)}
    assert not {"lsuffix", "rsuffix"} & words


@each
def test_notebook_holds_no_path_of_a_machine(path):
    assert str(Path.home()) not in path.read_text(encoding="utf-8")


@each
def test_a_page_that_shows_clips_says_what_was_remarked_on_them(path):
    calls = [
        node
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "origin_banner"
    ]
    reads = any("session.manifest" in c.source or "plan(" in c.source for c in code_cells(path))
    assert len(calls) == 1 if reads else len(calls) <= 1
    for call in calls:
        said = ast.unparse(call.args[2])
        assert said.endswith(".findings") or f".with_faces({ast.unparse(call.args[0])})" in said


def test_nbstripout_keeps_the_tag(tmp_path):
    cell = nbformat.v4.new_code_cell("x: int = 1  # a number", execution_count=3)
    cell.metadata = {"tags": ["parameters"], "papermill": {"status": "completed"}}
    cell.outputs = [nbformat.v4.new_output("stream", text="1")]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"papermill": {"duration": 1}})
    path = tmp_path / "x.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbstripout", "--extra-keys", EXTRA_KEYS, str(path)]
    subprocess.run(command, check=True)
    (stripped,) = nbformat.read(path, 4).cells
    assert stripped.metadata == {"tags": ["parameters"]}
    assert stripped.outputs == [] and stripped.execution_count is None
    assert "papermill" not in nbformat.read(path, 4).metadata
