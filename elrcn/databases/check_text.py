"""The check report as plain text."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elrcn.databases.check import CheckReport, DatabaseReport
    from elrcn.databases.counts import Count

_TITLES = {"CASME2": "CASME II", "SAMM": "SAMM"}
_VERDICTS = (
    "Clean.",
    "Usable, with remarks.",
    "Not usable yet: mend what is listed under Errors.",
)


def render(report: CheckReport) -> str:
    """Return `report` as text: a section a database, errors before remarks, the verdict last."""
    lines = []
    made = [_TITLES[one.database] for one in report.databases if one.synthetic]
    if made:
        data = "These data are" if report.synthetic else f"{' and '.join(made)}: these data are"
        lines += [
            f"{data} SYNTHETIC: the embedded corpus, not the licensed databases.",
            "Counts therefore differ from the published ones.",
            "",
        ]
    for one in report.databases:
        lines += [*_section(one, not one.synthetic), ""]
    if report.combined:
        lines += [
            "Both databases",
            "--------------",
            *_count_lines(report.combined, not made),
            "",
        ]
    lines.append(_VERDICTS[report.exit_code])
    return "\n".join(lines)


def _section(report: DatabaseReport, mark: bool) -> list[str]:
    title = _TITLES[report.database]
    lines = [title, "-" * len(title), f"root    {report.root}"]
    if report.failed:
        return [*lines, "", "Errors (1)", *_indent([str(report.failed)])]
    reading = report.reading
    lines += [
        f"frames  {'(the root itself)' if reading.tree == '.' else reading.tree}",
        f"sheet   {', '.join(reading.sheets)}",
        f"        {reading.revision}",
        _rows_line(reading),
        "",
        *_count_lines(report.counts, mark),
        "",
        f"Clips a subject ({len(report.subjects)} subjects)",
        *_columns([f"{name.split('/')[1]} {n:3d}" for name, n in report.subjects.items()]),
    ]
    for heading, names in (
        ("In the sheet, but without frames", reading.without_frames),
        ("In the folders, but without a row", reading.without_row),
    ):
        lines += ["", f"{heading} ({len(names)})", *_indent(names or ["none"])]
    named = {"in the sheet, but without frames", "has a folder, but no row"}
    for level, heading in (("error", "Errors"), ("remark", "Remarks")):
        found = [str(f) for f in report.findings if f.level == level and f.what not in named]
        if found:
            lines += ["", f"{heading} ({len(found)})", *_indent(found)]
    if report.notes:
        lines += ["", f"Notes ({len(report.notes)})", *_indent(report.notes)]
    return lines


def _rows_line(reading) -> str:
    left_out = reading.rows - len(reading.manifest)
    return f"rows    {reading.rows} = {len(reading.manifest)} clips used + {left_out} left out"


def _count_lines(counts: tuple[Count, ...], mark: bool) -> list[str]:
    # On synthetic data every count differs: saying so on each line would say nothing.
    lines = [f"{'':28s}{'published':>10s}{'sheet':>8s}{'usable':>8s}"]
    for group, members in groupby(counts, key=lambda count: count.group):
        for count in members:
            name = count.label if count.label == group else f"{group} {count.label}"
            text = f"{name:28s}{_n(count.published):>10s}{_n(count.sheet):>8s}{count.usable:8d}"
            if count.published_subjects is not None:
                text += f"   subjects {count.usable_subjects} of {count.published_subjects}"
            lines.append(text + ("   differs" if mark and count.differs else ""))
    return lines


def _n(value: int | None) -> str:
    return "-" if value is None else str(value)


def _indent(texts) -> list[str]:
    return ["  " + text.replace("\n", "\n  ") for text in texts]


def _columns(cells, across=8) -> list[str]:
    return ["  " + "   ".join(cells[i : i + across]) for i in range(0, len(cells), across)]
