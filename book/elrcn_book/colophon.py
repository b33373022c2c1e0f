"""An executed notebook made fit for the book: the Result first, and how the page was made last."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import nbformat

from elrcn_book.show import RESULT


def dress(notebook, page: str, record: dict[str, Any]) -> None:
    """Make the executed notebook fit for the book; no path of this machine stays in it."""
    notebook.metadata.pop("widgets", None)
    run = notebook.metadata.get("papermill", {})
    run["input_path"], run["output_path"] = f"notebooks/{page}.ipynb", f"book/executed/{page}.ipynb"
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "injected-parameters" in tags:
            tags.append("remove-cell")
        elif "parameters" in tags:
            # Where there are overrides its values are not those of this run: the colophon has them.
            tags += [] if "hide-input" in tags else ["hide-input"]
            _name(cell, "Parameters")
        elif {"hide-input", "hide-cell", "hide-output"} & set(tags):
            first = cell.source.partition("\n")[0]
            _name(cell, first.lstrip("# ") if first.startswith("#") else "how this is drawn")
    _lift_result(notebook)
    colophon = nbformat.v4.new_markdown_cell(_colophon(page, record))
    colophon.metadata["tags"] = ["colophon"]
    notebook.cells.append(colophon)


def _name(cell, text: str) -> None:
    """Call a folded cell, or what it shows, by what it holds."""
    kind = "" if "hide-output" in cell.metadata["tags"] else "Code: "
    text = text if kind else text[:1].upper() + text[1:]
    cell.metadata["mystnb"] = {
        "code_prompt_show": f"{kind}{text}",
        "code_prompt_hide": f"Hide: {text}",
    }


def _lift_result(notebook) -> None:
    """Put the Result box, which the last cell filled, above all code and the notice."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("metadata", {}).get(RESULT):
                cell.outputs.remove(output)
                box = nbformat.v4.new_markdown_cell(output.data["text/markdown"])
                box.metadata["tags"] = ["result"]
                notebook.cells.insert(1, box)
                return


def commit(root: Path) -> str:
    """Commit of the checkout at `root`, "changed since" if files differ; "" without git."""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=, changed since"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return found.stdout.strip()


def _colophon(page: str, record: dict[str, Any]) -> str:
    # Where a reader's copy of a database lies is nobody else's business.
    hidden = {n: "DIR" for n, v in record["parameters"].items() if n.endswith("_root") and v}
    shown = record["parameters"] | hidden
    given = "".join(f" -p {name} {shown[name]}" for name in record["overrides"])
    values = ", ".join(f"{n} = {v!r}" for n, v in shown.items()) or "none"
    versions = ", ".join(f"{n} {v}" for n, v in record["versions"].items())
    rows = {
        "Command": f"`elrcn notebooks {page}{given}`",
        "Receipt": f"{{download}}`{page}.receipt.json <{page}.receipt.json>`",
        "Commit": f"`{record.get('commit') or 'not in a git checkout'}`",
        "Parameters": f"`{values}`",
        "Executed": f"{record['started']}, {record['seconds']:.0f} s on {record['device']}",
        "Versions": versions,
        "Library code": f"`{record['library']}`",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    table = "\n".join([f"| Notebook | `notebooks/{page}.ipynb` |", "|---|---|", *lines])
    return f"(made-{page})=\n## How this page was made\n\n{table}\n"
