"""Where a page's data come from, found in the data themselves, and the banner that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from elrcn.databases.synthetic import find_mark
from elrcn.manifest import Finding, Manifest, remark_line
from elrcn.report.artifacts import Shown, html_caption, one_line

_TITLES = {"CASME2": "CASME II", "SAMM": "SAMM"}


@dataclass(frozen=True)
class Origin:
    """Origin of a set of clips.

    Attributes
    ----------
    synthetic : dict of str to bool
        Database name to whether its data carry the mark of the embedded corpus.
    clips, subjects : dict of str to int
        Counts per database.
    mixture : dict of str to str
        Databases in which only some clips are synthetic, and what to say of them.
    """

    synthetic: dict[str, bool]
    clips: dict[str, int]
    subjects: dict[str, int]
    mixture: dict[str, str] = field(default_factory=dict)

    @property
    def any_synthetic(self) -> bool:
        """Whether at least one database is made, not recorded."""
        return any(self.synthetic.values())

    @property
    def label(self) -> str:
        """Few words for a caption, such as "synthetic corpus in the layout of CASME II"."""
        made = [_TITLES.get(name, name) for name, flag in self.synthetic.items() if flag]
        real = [_TITLES.get(name, name) for name, flag in self.synthetic.items() if not flag]
        parts = []
        if real:
            parts.append(" and ".join(real))
        if made:
            parts.append(f"synthetic corpus in the layout of {' and '.join(made)}")
        said = [f"{_TITLES.get(name, name)}: {what}" for name, what in self.mixture.items()]
        return " and ".join(parts) + (f" ({'; '.join(said)})" if said else "")

    @property
    def size(self) -> str:
        """Clips and subjects in words."""
        clips, subjects = sum(self.clips.values()), sum(self.subjects.values())
        return f"{_plural(clips, 'clip')} of {_plural(subjects, 'subject')}"

    def note(self, protocol: str = "") -> str:
        """Return the end of a caption: protocol, number of clips, origin."""
        parts = [protocol] if protocol else []
        return "; ".join([*parts, self.size, self.label]) + "."


@dataclass(frozen=True)
class Banner(Shown):
    """Notice that shows itself at the top of a page, in a notebook and in the book.

    `remarks` are what the loaders and preprocessing remarked: counted in one line, and folded.
    """

    kind: str
    title: str
    text: str
    remarks: tuple[Finding, ...] = ()

    def markdown(self) -> str:
        """MyST admonition."""
        text = self.text
        if self.remarks:
            # As a block of code: names of files and cells of sheets may hold anything.
            each = "\n".join(f"- {one_line(str(finding))}" for finding in self.remarks)
            folded = f"````{{dropdown}} Each of them\n```text\n{each}\n```\n````"
            text += f"\n\n{remark_line(self.remarks)}.\n\n{folded}"
        return f"`````{{admonition}} {self.title}\n:class: {self.kind}\n\n{text}\n`````\n"

    def html(self) -> str:
        """HTML for a notebook run by hand."""
        more = ""
        if self.remarks:
            each = "".join(f"<li>{html_caption(str(finding))}</li>" for finding in self.remarks)
            line = html_caption(remark_line(self.remarks))
            more = f"<details><summary>{line}</summary><ul>{each}</ul></details>"
        return (
            '<div style="border-left:4px solid #D55E00;padding:.5em 1em;background:#fdf3ec;'
            f'color:#222"><strong>{html_caption(self.title)}</strong><br>{html_caption(self.text)}'
            f"{more}</div>"
        )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def data_origin(manifest: Manifest) -> Origin:
    """Find out from the data where the clips of `manifest` come from."""
    groups = manifest.table.groupby("database", sort=False)
    marks = {name: find_mark(manifest.roots[name]) for name, _ in groups}
    return Origin(
        synthetic={name: mark.found for name, mark in marks.items()},
        clips={name: len(part) for name, part in groups},
        subjects={name: part["subject"].nunique() for name, part in groups},
        mixture={name: mark.mixture for name, mark in marks.items() if mark.mixture},
    )


def origin_banner(manifest: Manifest, profile: str = "", remarks: Iterable[Finding] = ()) -> Banner:
    """Notice for the top of a page computed on `manifest`.

    Parameters
    ----------
    manifest : Manifest
        The clips the page used.
    profile : str
        Name of the profile the page ran under.
    remarks : iterable of Finding
        What the loaders and preprocessing remarked (`elrcn.session.Session.findings`).
    """
    remarks = tuple(remarks)
    origin = data_origin(manifest)
    run = f" Profile: `{profile}`." if profile else ""
    if not origin.any_synthetic:
        text = (
            f"{origin.size}: {origin.label}. The page may show frames and labels that the "
            f"databases' licences do not allow to be passed on: keep it to yourself.{run}"
        )
        return Banner("note", "Computed on licensed data", text, remarks)
    made = [_TITLES.get(name, name) for name, flag in origin.synthetic.items() if flag]
    part = bool(origin.mixture) or not all(origin.synthetic.values())
    people = (
        "Recordings of people went into it too, so keep it to yourself; and"
        if part
        else "No recording of a person went into it, so"
    )
    text = (
        f"Every number and every face below comes from {origin.size}: {origin.label}. {people} "
        f"nothing here measures performance on {' or '.join(made)}, "
        f"and no value confirms or refutes one of the paper.{run}"
    )
    title = "Made in part from the synthetic corpus" if part else "Made from the synthetic corpus"
    return Banner("warning", title, text, remarks)
