"""An executed notebook made fit for the book: no paths of this machine, and how it was made."""

from __future__ import annotations

from typing import Any

import nbformat


def dress(notebook, page: str, record: dict[str, Any]) -> None:
    """Make the executed notebook fit for the book: no paths of this machine, a colophon."""
    notebook.metadata.pop("widgets", None)
    run = notebook.metadata.get("papermill", {})
    run["input_path"], run["output_path"] = f"notebooks/{page}.ipynb", f"book/executed/{page}.ipynb"
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "injected-parameters" in tags:
            tags.append("remove-cell")
        elif "parameters" in tags and record["overrides"]:
            # Its values are not those of this run: the colophon has them.
            tags.append("hide-input")
    colophon = nbformat.v4.new_markdown_cell(_colophon(page, record))
    colophon.metadata["tags"] = ["colophon"]
    notebook.cells.append(colophon)


def _colophon(page: str, record: dict[str, Any]) -> str:
    # Where a reader's copy of a database lies is nobody else's business.
    hidden = {n: "DIR" for n, v in record["parameters"].items() if n.endswith("_root") and v}
    shown = record["parameters"] | hidden
    given = "".join(f" -p {name} {shown[name]}" for name in record["overrides"])
    values = ", ".join(f"{n} = {v!r}" for n, v in shown.items()) or "none"
    versions = ", ".join(f"{n} {v}" for n, v in record["versions"].items())
    rows = {
        "Command": f"`elrcn notebooks {page}{given}`",
        "Parameters": f"`{values}`",
        "Executed": f"{record['started']}, {record['seconds']:.0f} s on {record['device']}",
        "Versions": versions,
        "Library code": f"`{record['library']}`",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    table = "\n".join([f"| Notebook | `notebooks/{page}.ipynb` |", "|---|---|", *lines])
    return f"```{{dropdown}} How this page was made\n{table}\n```"
