"""A small checkout, with one notebook that can fail, die or be interrupted."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from elrcn.workspace import Workspace

PARAMETERS = """profile: str = "smoke"  # smoke, demo or paper
seed: int = 7  # seed of every random choice
rate: float = 0.5  # learning rate
names: list[str] = ["a"]  # some names
then: str = ""  # what happens in the last cell: raise, die, interrupt or nothing"""

BODY = """import os, pathlib, sys
folder = pathlib.Path(os.environ["ELRCN_ARTIFACTS"]) / "page"
(folder / "table.csv").write_text(f"seed\\n{seed}\\n")
print(sys.executable)
print(os.environ["MALLOC_MMAP_MAX_"], os.getcwd() == os.environ["ELRCN_HOME"])"""

END = """import signal, time
if then == "raise":
    raise ValueError("no such clip")
if then == "die":
    os.kill(os.getpid(), signal.SIGKILL)
if then == "interrupt":
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(60)"""


def write_notebook(path, *cells, parameters=PARAMETERS):
    first = new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=[new_markdown_cell("# Page"), first, *map(new_code_cell, cells)])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def make_workspace(root):
    (root / "data_manifest").mkdir(parents=True)
    (root / "data_manifest" / "paper_results.csv").write_text("value\n0.5\n")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- chapters:\n  - file: book/executed/page\n"
    )
    write_notebook(root / "notebooks" / "page.ipynb", BODY, END)
    return Workspace(root)
