"""A page that knows itself: its name, its data, its files, and the Result box at its top.

``page = Page("table1", session)`` begins a notebook; ``page.table`` and ``page.figure`` write what
they show beside the page (CSV, SVG) and say under it what it was computed on; ``page.result`` fills
the box that readers see first.
"""

from __future__ import annotations

import base64
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display, update_display

from elrcn.databases.synthetic import Origin, data_origin
from elrcn.errors import ElrcnError
from elrcn.experiments import Method, Plan, plan
from elrcn.files import write
from elrcn.manifest import Finding, Manifest, remark_line
from elrcn.picture import figure_svg
from elrcn.session import Session
from elrcn.workspace import find_workspace
from elrcn_book.pictures import animation
from elrcn_book.style import use_style

#: Set by the runner of the book: the folder that pages write their files to.
FOR_BOOK = "ELRCN_ARTIFACTS"
#: Marks, in the output's metadata, the box that the runner lifts to the top of the page.
RESULT = "elrcn-result"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Shown(ABC):
    """Base of what shows itself at the end of a cell: MyST in the book, HTML by hand."""

    @abstractmethod
    def markdown(self) -> str:
        """MyST for the book, which refers to the files beside the page."""

    @abstractmethod
    def html(self) -> str:
        """HTML that needs no other file."""

    def __repr__(self) -> str:
        # Paths of this machine must not be in a page.
        return f"<{type(self).__name__} {getattr(self, 'name', '')}>"

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        # Only one of the two: with both, the book would take the HTML, whose links it cannot see.
        if os.environ.get(FOR_BOOK):
            return {"text/markdown": self.markdown()}
        return {"text/html": self.html()}


@dataclass(frozen=True, repr=False)
class Saved(Shown):
    """What is shown and lies beside its page as ``files/<page>/<name>.*``.

    Attributes
    ----------
    page, name, caption : str
    files : tuple of Path
        The picture, then the numbers behind it where there are any; or a table's numbers.
    """

    page: str
    name: str
    caption: str
    files: tuple[Path, ...]

    @property
    @abstractmethod
    def inline(self) -> str:
        """HTML of the picture or table alone."""

    @property
    def beside(self) -> str:
        """MyST of the picture or table alone, for the Result box."""
        return f"`````{{raw}} html\n{self.inline}\n`````"

    @property
    def links(self) -> str:
        """MyST: downloads, and where it is told how the page was made."""
        return _links(self.page, self.files)


@dataclass(frozen=True, repr=False)
class Picture(Saved):
    """A saved figure; `alt` is read aloud in its place."""

    alt: str

    def markdown(self) -> str:
        """MyST: the figure with caption, alternative text and links to its files."""
        return (
            f"````{{figure}} files/{self.page}/{self.files[0].name}\n"
            f":name: fig-{self.page}-{self.name}\n:alt: {self.alt}\n\n"
            f"{self.caption} {self.links}\n````\n"
        )

    def html(self) -> str:
        """Self-contained HTML, for a notebook run by hand."""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>"
        return f"<figure>{self.inline}{caption}</figure>"

    @property
    def inline(self) -> str:
        """HTML of the picture alone, which needs no other file."""
        kind = {".svg": "svg+xml"}.get(self.files[0].suffix, self.files[0].suffix[1:])
        data = base64.b64encode(self.files[0].read_bytes()).decode()
        return (
            f'<img alt="{escape(self.alt)}" style="max-width:100%" '
            f'src="data:image/{kind};base64,{data}">'
        )

    @property
    def beside(self) -> str:
        """MyST of the picture alone, for the Result box."""
        return f"```{{image}} files/{self.page}/{self.files[0].name}\n:alt: {self.alt}\n```"


@dataclass(frozen=True, repr=False)
class Animation(Picture):
    """A saved animation with its still, which readers see who asked their system for no motion."""

    def markdown(self) -> str:
        """MyST: both files, of which the browser chooses, the caption and links."""
        moving, still = (f"files/{self.page}/{path.name}" for path in self.files)
        return (
            f"`````{{raw}} html\n<figure><picture>"
            f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
            f'<img src="{moving}" alt="{escape(self.alt)}" loading="lazy">'
            f"</picture></figure>\n`````\n\n{self.caption} {_links(self.page, self.files[:1])}\n"
        )


@dataclass(frozen=True, repr=False)
class Table(Saved):
    """A saved table: `body` is its HTML; ``files/<page>/<name>.csv`` has the numbers unrounded."""

    body: str

    def markdown(self) -> str:
        """MyST: the caption with links, then the table."""
        return f"{self.caption} {self.links}\n\n{self.beside}\n"

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        return f"<p>{escape(self.caption)}</p>{self.inline}"

    @property
    def inline(self) -> str:
        """HTML of the table alone. A wide one scrolls by itself; focus is for the keyboard."""
        title = escape(re.sub(r"[*`]", "", self.caption.partition(".")[0]))
        return (
            f'<div class="table-scroll" tabindex="0" role="region" aria-label="{title}">\n'
            f"{self.body}\n</div>"
        )


@dataclass(frozen=True, repr=False)
class Box(Shown):
    """An admonition: the Result at the top, the notice on the data, remarks of the loaders."""

    title: str
    text: str
    kind: str = "note"
    shown: tuple[Saved, ...] = ()
    folded: tuple[str, ...] = ()

    def markdown(self) -> str:
        """MyST admonition."""
        parts = [self.text, *(one.beside for one in self.shown)]
        if self.folded:
            # As a block of code: names of files and cells of sheets may hold anything.
            lines = "\n".join(f"- {line}" for line in self.folded)
            parts.append(f"````{{dropdown}} Each of them\n```text\n{lines}\n```\n````")
        body = "\n\n".join(parts)
        return f"``````{{admonition}} {self.title}\n:class: {self.kind}\n\n{body}\n``````\n"

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        shown = "".join(one.inline for one in self.shown)
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.folded)
        return (
            '<div style="border-left:4px solid #0072B2;padding:.5em 1em">'
            f"<strong>{escape(self.title)}</strong><p>{escape(self.text)}</p>{shown}"
            f"{f'<ul>{lines}</ul>' if lines else ''}</div>"
        )


@dataclass(frozen=True, repr=False)
class Line(Shown):
    """One line of small print."""

    text: str

    def markdown(self) -> str:
        """MyST with a class of its own."""
        return f"{{.notice}}\n{self.text}\n"

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        return f"<p><small>{escape(self.text)}</small></p>"


@dataclass
class Page:
    """A page of the book: what its figures and tables are computed on, and where they lie.

    Parameters
    ----------
    name : str
        Name of the notebook, such as ``"table1"``.
    session : Session, optional
        Data and settings; none for a page that computes nothing on clips.

    Attributes
    ----------
    origin : Origin or None
        Data that captions name; set by `about` or `plan`.
    protocol : str
        Protocol that captions name.
    """

    name: str
    session: Session | None = None
    origin: Origin | None = None
    protocol: str = ""
    _told: set = field(default_factory=set, repr=False)

    def __post_init__(self):
        _check(self.name)
        use_style()
        display(_Result(Box("Result", "It stands here when all cells have run.", "result")),
                display_id=f"{RESULT}-{self.name}")  # fmt: skip
        if self.session is not None:
            display(_notice(self.session))

    # --- what the page is computed on -------------------------------------------------------------

    def plan(self, experiment: str, seeds: int = 0, extra: Sequence[Method] = ()) -> Plan:
        """Plan an experiment (`elrcn.experiments.plans.plan`) and let captions name its clips."""
        p = plan(experiment, self.session, seeds, extra)
        self.about(p.manifest, p.protocol)
        return p

    def about(self, manifest: Manifest, protocol: str = "") -> None:
        """Let the captions below name the clips of `manifest` and a protocol.

        What loaders and preprocessing remarked on these clips is shown, once.
        """
        self.origin, self.protocol = data_origin(manifest), protocol
        self._remark(self.session.with_faces(manifest))

    def _remark(self, findings: Iterable[Finding]) -> None:
        new = [f for f in findings if f not in self._told]
        self._told.update(new)
        if new:
            lines = tuple(one_line(str(finding)) for finding in new)
            display(Box("Remarks on the data", f"{remark_line(new)}.", "warning", folded=lines))

    def _source(self, source: str | None) -> str:
        if source is not None:
            return source
        return self.origin.note(self.protocol) if self.origin else ""

    # --- what it shows ----------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Folder of the page's files.

        Below the folder that ``ELRCN_ARTIFACTS`` names (the runner of the book sets it), else
        below ``runs/by-hand/``: a run by hand must not change the files of the book.
        """
        workspace = self.session.workspace if self.session else None
        base = os.environ.get(FOR_BOOK) or (workspace or find_workspace()).runs / "by-hand"
        folder = Path(base) / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def figure(
        self,
        figure,
        name: str,
        caption: str,
        alt: str,
        data: pd.DataFrame | None = None,
        source: str | None = None,
    ) -> Picture:
        """Write a figure as SVG, and the numbers behind it as CSV; show it as a cell's last line.

        Parameters
        ----------
        figure : matplotlib Figure, Axes, or a grid of seaborn
            Closed when it is written.
        name : str
            ``files/<page>/<name>.svg``.
        caption : str
            Says what is shown. Protocol, clips and origin follow by themselves.
        alt : str
            What a reader who cannot see the figure should know, with its main numbers.
        data : DataFrame, optional
            The numbers drawn; an index is written if it has a name.
        source : str, optional
            Stands in place of protocol, clips and origin: a page shows published numbers too.

        Raises
        ------
        ElrcnError
            If caption or alternative text is empty, or a file cannot be written.
        """
        fig = figure if hasattr(figure, "savefig") else figure.figure
        fig = getattr(fig, "figure", fig)
        files = [write(self.folder / f"{_check(name)}.svg", figure_svg(fig))]
        plt.close(fig)
        return self._picture(name, caption, alt, files, data, source)

    def animation(
        self,
        frames: Sequence[np.ndarray],
        name: str,
        caption: str,
        alt: str,
        still: int = 0,
        source: str | None = None,
        **options,
    ) -> Animation:
        """Write frames as a looping WebP, and one of them for readers who want no motion.

        Parameters
        ----------
        frames : sequence of ndarray
            As for `elrcn_book.pictures.animation`.
        name, caption, alt, source
            As for `figure`; ``<name>.webp`` and ``<name>-still.webp``.
        still : int
            The frame shown where reduced motion is asked for.
        **options
            Of `elrcn_book.pictures.animation`.
        """
        moving = self.folder / f"{_check(name)}.webp"
        files = [write(moving, animation(frames, **options))]
        files.append(
            write(moving.with_name(f"{name}-still.webp"), animation([frames[still]], **options))
        )
        shown = self._picture(name, caption, alt, files, None, source)
        return Animation(shown.page, shown.name, shown.caption, shown.files, shown.alt)

    def _picture(self, name, caption, alt, files, data, source):
        caption = one_line(f"{caption} {self._source(source)}")
        alt = one_line(alt)
        if not caption or not alt:
            raise ElrcnError(f"Figure {name!r} has no caption or no alternative text.", self.name)
        if data is not None:
            files.append(self._csv(data, name))
        return Picture(self.name, name, caption, tuple(files), alt)

    def table(
        self,
        table: pd.DataFrame,
        name: str,
        caption: str,
        shown: pd.DataFrame | None = None,
        decimals: int = 3,
        search: bool = False,
        html: bool = False,
        source: str | None = None,
    ) -> Table:
        """Write a table as CSV and show it.

        Parameters
        ----------
        table : DataFrame
            Numbers unrounded; the index counts if it has a name. ``attrs["note"]`` follows the
            caption.
        name : str
            ``files/<page>/<name>.csv``.
        caption : str
            Begins with what the table is, in bold. Protocol, clips and origin follow.
        shown : DataFrame, optional
            What readers see in place of `table`, such as text with intervals.
        decimals : int
            Decimals of numbers that are no integers.
        search : bool
            A long table that can be searched, sorted and paged (1 MB of script on the page).
        html : bool
            Cells of `shown` hold HTML, as those of a table to search may.
        source : str, optional
            As for `figure`.

        Raises
        ------
        ElrcnError
            If the caption is empty or the file cannot be written.
        """
        if not caption.strip():
            raise ElrcnError(f"Table {name!r} has no caption.", self.name)
        csv = self._csv(table, _check(name))
        uid = f"{self.name}-{name}"
        seen = table if shown is None else shown
        body = searchable_html(seen, uid) if search else table_html(seen, uid, decimals, html)
        note = table.attrs.get("note", "")
        caption = one_line(f"{caption} {note} {self._source(source)}")
        return Table(self.name, name, caption, (csv,), body)

    def _csv(self, data, name):
        text = data.to_csv(index=any(data.index.names), lineterminator="\n")
        return write(self.folder / f"{name}.csv", text)

    def result(self, text: str, *shown: Saved) -> None:
        """Fill the Result box at the top of the page, as the notebook's last cell.

        Parameters
        ----------
        text : str
            Two or three sentences of Markdown, with the numbers.
        *shown : Saved
            The key picture or table, from `figure` or `table`; it stands beside the text.
        """
        box = Box("Result", one_line(text), "result", shown)
        update_display(_Result(box), display_id=f"{RESULT}-{self.name}")


class _Result:
    """The Result box, marked for the runner of the book."""

    def __init__(self, box: Box):
        self.box = box

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.box._repr_mimebundle_(), {RESULT: True}


def _notice(session: Session) -> Line:
    run = f"profile `{session.profile.name}`"
    if any(session.marked.values()):
        return Line(
            f"**Synthetic dataset**, {run}: this page's clips are drawn by a program, so what is "
            "measured on them says nothing about people. [What that means]"
            "(#what-these-numbers-say)"
        )
    return Line(
        f"**Licensed data**, {run}: this page may show frames and labels that the databases' "
        "licences do not allow to be passed on. Keep it to yourself."
    )


def _check(name: str) -> str:
    """Return `name` if it can be a file's stem and part of a link, else raise `ElrcnError`."""
    if not _NAME.fullmatch(name):
        raise ElrcnError(
            f"{name!r} cannot name a file of the book.",
            fix="use lower-case letters, digits, '-' and '_'",
        )
    return name


def _links(page: str, files: Iterable[Path]) -> str:
    """MyST: downloads of a figure or table, and where it is told how it was made."""
    links = [f"{{download}}`{p.suffix[1:].upper()} <files/{page}/{p.name}>`" for p in files]
    return f"({' · '.join([*links, f'[how it was made](#made-{page})'])})"


def one_line(text: str) -> str:
    """Collapse white space, so that a caption or an alternative text fits a directive's option."""
    return " ".join(text.split())


# --- tables as HTML -------------------------------------------------------------------------------


def table_html(table: pd.DataFrame, uid: str, decimals: int = 3, html: bool = False) -> str:
    """HTML of a small table: numbers to the right, text to the left; same table, same bytes."""
    seen = table.reset_index() if any(table.index.names) else table.copy()
    numeric = [pd.api.types.is_numeric_dtype(t) and not pd.api.types.is_bool_dtype(t)
               for t in seen.dtypes]  # fmt: skip
    for name in seen.columns[[pd.api.types.is_bool_dtype(t) for t in seen.dtypes]]:
        seen[name] = seen[name].map({True: "yes", False: "no"})
    if seen.columns.nlevels == 1:
        seen.columns = [_heading(name) for name in seen.columns]
    style = seen.style.format(precision=decimals, na_rep="–", thousands=",",
                              escape=None if html else "html")  # fmt: skip
    right = [seen.columns[i] for i, is_number in enumerate(numeric) if is_number]
    style = style.set_properties(subset=right, **{"text-align": "right"}) if right else style
    heads = [{"selector": f"th.col{i}", "props": "text-align:right"}
             for i, is_number in enumerate(numeric) if is_number]  # fmt: skip
    return style.hide(axis="index").set_uuid(uid).set_table_styles(heads).to_html()


def _heading(name) -> str:
    """Return what readers see over a column: "action_units" is "Action units"."""
    words = str(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def searchable_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of a long table that can be searched, sorted and paged with no network.

    The script it needs (about 1 MB) is part of the HTML: one such table is enough for a book.
    Cells may hold HTML.
    """
    from itables import options, to_html_datatable
    from itables.javascript import generate_init_offline_itables_html

    seen = table.reset_index() if any(table.index.names) else table
    body = to_html_datatable(
        seen.round(3).rename(columns=_heading),
        connected=False,
        table_id=f"itable-{uid}",
        lengthMenu=[10, 25, 50, 100],
        showIndex=False,
        allow_html=True,
        layout={"topEnd": "search", "bottomStart": "info", "bottomEnd": "paging"},
        classes="display compact",
        style="width:100%",
    )
    return generate_init_offline_itables_html(options.dt_bundle) + body
