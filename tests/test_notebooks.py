"""Rules that every notebook of the book keeps; they are executed by `make book`."""

import ast
import io
import re
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


def calls(path, name):
    """Calls of `name` (such as "page.about") in the code of a notebook."""
    return [
        node
        for cell in code_cells(path)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name
    ]


def folded(cell):
    return bool({"parameters", "hide-input", "hide-cell"} & set(cell.metadata.get("tags", [])))


@each
def test_a_page_that_shows_clips_says_what_was_remarked_on_them(path):
    reads = any("session.manifest" in cell.source for cell in code_cells(path))
    if reads or calls(path, "plan"):
        assert calls(path, "page.about") or calls(path, "page.plan")


@each
def test_it_begins_with_parameters_and_at_most_four_lines(path):
    first, second, third = code_cells(path)[:3]
    assert "parameters" in first.metadata["tags"] and not folded(second)
    assert len([line for line in second.source.splitlines() if line.strip()]) <= 4
    (page,) = calls(path, "Page")
    assert page.args[0].value == path.stem and "page = Page(" in second.source
    assert folded(third)  # what it imports


@each
def test_it_ends_with_its_result_and_has_a_key_picture(path):
    (result,) = calls(path, "page.result")
    assert ast.unparse(result.func) in code_cells(path)[-1].source
    names = [
        ast.literal_eval(call.args[1])
        for call in calls(path, "page.figure")
        if isinstance(call.args[1], ast.Constant)
    ]
    assert "key" in names  # the page's thumbnail on the index


@each
def test_a_folded_cell_says_what_it_holds(path):
    for cell in code_cells(path):
        tags = set(cell.metadata.get("tags", []))
        if tags & {"hide-input", "hide-cell", "hide-output"} and "parameters" not in tags:
            assert re.match(r"# \w", cell.source), cell.source[:60]


def lines(cells):
    return sum(bool(line.strip()) for cell in cells for line in cell.source.splitlines())


def test_at_least_half_of_the_code_is_visible():
    shown = [cell for path in NOTEBOOKS for cell in code_cells(path) if not folded(cell)]
    every = [cell for path in NOTEBOOKS for cell in code_cells(path)]
    assert lines(shown) >= lines(every) / 2


@each
def test_a_page_with_an_equation_has_a_cell_that_agrees_with_the_library(path):
    cells = nbformat.read(path, 4).cells
    equations = [c for c in cells if c.cell_type == "markdown" and r"\begin{" in c.source]
    agree = [c for c in cells if c.cell_type == "code" and "assert " in c.source and not folded(c)]
    assert agree or not equations


def written():
    """Text that readers of the book meet, by file."""
    for path in NOTEBOOKS:
        yield path, "\n".join(c.source for c in nbformat.read(path, 4).cells)
    pages = [*(WORKSPACE.root / "book").glob("*.md"), WORKSPACE.root / "README.md"]
    pages += [WORKSPACE.data_manifest / "paper_items.csv"]
    for path in [*pages, *(WORKSPACE.root / "book" / "elrcn_book").glob("*.py")]:
        yield path, path.read_text(encoding="utf-8")


#: What the book used to say, and what it says now.
DIALECT = {
    r"told apart": "no significant difference",
    r"\b(answered|answers?) right\b": "classified correctly",
    r"asked about (a|the) clip": "tested on a clip",
    r"(embedded|synthetic|made) corpus": "synthetic dataset",
    r"\b(a|the|no|each|every) switch(es)?\b": "deviation",
    r"\bat hand\b": "available, here",
    r"in earnest|looking at nothing|columns put right|scientific shape": "plain words",
    r"[Tt]his edition": "this book",
}


@pytest.mark.parametrize("words", DIALECT)
def test_plain_words(words):
    found = {p.name for p, text in written() if re.search(words, " ".join(text.split()))}
    assert not found, f"say: {DIALECT[words]}"


def test_verdicts_are_written_in_one_place():
    for path, text in written():
        if path.name not in ("claims.py", "glossary.md"):
            assert "has a higher" not in text and "has a lower" not in text, path.name
    for path in (WORKSPACE.root / "book" / "elrcn_book").glob("*.py"):
        if path.name != "claims.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert node.value not in ("higher", "lower", "no significant difference")


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
