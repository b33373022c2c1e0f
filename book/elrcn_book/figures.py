"""Saving a figure: deterministic SVG, caption, alternative text, links."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from elrcn.errors import ElrcnError
from elrcn.files import write
from elrcn.picture import figure_svg
from elrcn.workspace import Workspace
from elrcn_book.artifacts import (
    Shown,
    check_name,
    downloads,
    html_caption,
    one_line,
    page_folder,
)


@dataclass(frozen=True)
class FigureRecord(Shown):
    """A saved figure, which shows itself in a notebook and in the book.

    Attributes
    ----------
    page, name : str
        The figure lies at ``files/<page>/<name>.svg`` beside the page.
    caption, alt : str
        Shown below the figure; read aloud in its place.
    svg : Path
        The file.
    csv : Path or None
        The numbers behind the figure.
    """

    page: str
    name: str
    caption: str
    alt: str
    svg: Path
    csv: Path | None = None

    @property
    def files(self) -> list[Path]:
        """The files written, SVG first."""
        return [self.svg] + ([self.csv] if self.csv else [])

    def markdown(self) -> str:
        """MyST: a numbered figure with caption, alternative text and download links."""
        return (
            f"```{{figure}} files/{self.page}/{self.svg.name}\n"
            f":name: fig-{self.page}-{self.name}\n"
            f":alt: {self.alt}\n\n"
            f"{self.caption} ({downloads(self.page, self.files)})\n"
            "```\n"
        )

    def html(self) -> str:
        """Self-contained HTML, for a notebook run by hand."""
        data = base64.b64encode(self.svg.read_bytes()).decode()
        return (
            f'<figure><img alt="{html_caption(self.alt)}" style="max-width:100%" '
            f'src="data:image/svg+xml;base64,{data}">'
            f"<figcaption>{html_caption(self.caption)}</figcaption></figure>"
        )


def save_figure(
    fig: Figure,
    page: str,
    name: str,
    caption: str,
    alt: str,
    data: pd.DataFrame | None = None,
    workspace: Workspace | None = None,
) -> FigureRecord:
    """Write `fig` as SVG (and `data` as CSV) into the page's folder and close it.

    Parameters
    ----------
    fig : Figure
        Drawn by one of the functions of ``elrcn_book``.
    page, name : str
        ``files/<page>/<name>.svg``.
    caption : str
        Says what is shown, under which protocol, on how many clips, from which data.
    alt : str
        What a reader who cannot see the figure should know.
    data : DataFrame, optional
        The numbers drawn; written beside the figure as CSV, index included.
    workspace : Workspace, optional
        Default: the one around the current folder.

    Returns
    -------
    FigureRecord
        Displays itself as the last expression of a cell.

    Raises
    ------
    ElrcnError
        If caption or alternative text is empty, or the file cannot be written.
    """
    check_name(name)
    caption, alt = one_line(caption), one_line(alt)
    if not caption or not alt:
        raise ElrcnError(f"Figure {name!r} has no caption or no alternative text.", where=page)
    folder = page_folder(page, workspace)
    svg = write(folder / f"{name}.svg", figure_svg(fig))
    plt.close(fig)
    csv = None
    if data is not None:
        csv = write(folder / f"{name}.csv", data.to_csv(lineterminator="\n"))
    return FigureRecord(page, name, caption, alt, svg, csv)
