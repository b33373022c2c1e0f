"""Where a page's data come from, found in the data themselves, and the banner that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from elrcn.databases.synthetic import TITLES, data_origin
from elrcn.manifest import Finding, Manifest, remark_line
from elrcn_book.artifacts import Shown, html_caption, one_line


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
    made = [TITLES.get(name, name) for name, flag in origin.synthetic.items() if flag]
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
    title = "Made in part from the synthetic dataset" if part else "Made from the synthetic dataset"
    return Banner("warning", title, text, remarks)
