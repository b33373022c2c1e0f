"""Is this copy complete, whole and the one the paper used? Everything a person could act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from elrcn.databases import casme2, samm
from elrcn.databases.check_text import render
from elrcn.databases.counts import Count, count_both, count_clips
from elrcn.databases.reader import Reading
from elrcn.databases.synthetic import is_synthetic, origin_findings
from elrcn.errors import ElrcnError
from elrcn.facs import EYE_HEAD_JAW, objective_class, parse, possible_classes
from elrcn.manifest import Finding

LOADERS = {"CASME2": casme2.load, "SAMM": samm.load}
SHORTEST, LONGEST = 24, 141
_SIZE_TOLERANCE = 0.2


@dataclass(frozen=True)
class DatabaseReport:
    """What was found out about one database; `failed` holds the reason if it cannot be read.

    `synthetic` means the embedded corpus, whose counts need not be the published ones. `findings`
    are those of the reader and of the checks here, `notes` facts that call for nothing.
    """

    database: str
    root: Path
    synthetic: bool = False
    reading: Reading | None = None
    failed: ElrcnError | None = None
    counts: tuple[Count, ...] = ()
    subjects: dict[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckReport:
    """The report of `check_report`.

    Attributes
    ----------
    databases : tuple of DatabaseReport
    combined : tuple of Count
        CDE: classes I to V of both databases; empty if one is absent.
    """

    databases: tuple[DatabaseReport, ...]
    combined: tuple[Count, ...] = ()

    @property
    def synthetic(self) -> bool:
        """All data are the embedded corpus, so counts need not be the published ones."""
        return all(report.synthetic for report in self.databases)

    @property
    def findings(self) -> list[Finding]:
        """Findings of all databases."""
        return [finding for report in self.databases for finding in report.findings]

    @property
    def exit_code(self) -> int:
        """0: clean. 1: usable, with remarks. 2: something must be mended or decided first."""
        if any(report.failed for report in self.databases):
            return 2
        return max((2 if f.level == "error" else 1 for f in self.findings), default=0)

    def render_text(self) -> str:
        """Return the report as plain text, one screen line a statement."""
        return render(self)


def require_usable(findings: Iterable[Finding]) -> None:
    """Raise an `ElrcnError` that names every finding of level "error", if there is one."""
    errors = [str(f) for f in findings if f.level == "error"]
    if errors:
        shown = "\n    ".join(errors[:10]) + (
            f"\n    and {len(errors) - 10} more" * (len(errors) > 10)
        )
        raise ElrcnError(
            f"{len(errors)} thing{'s' * (len(errors) > 1)} in the data must be mended first:"
            f"\n    {shown}",
            fix="`elrcn manifest check` lists everything; replace the files or mend the rows",
        )


def check_report(
    roots: Mapping[str, str | Path],
    options: Mapping[str, Mapping] | None = None,
    **common,
) -> CheckReport:
    """Read the databases at `roots` and report on them; what cannot be read is reported too.

    Parameters
    ----------
    roots : mapping
        "CASME2" and/or "SAMM" to root folder.
    options : mapping, optional
        Per database, options of its `load` (``sheet``, ``source``, ``tree`` ...).
    **common
        Options of both (``corrections``, ``deep``, ``workers``, ``progress``).

    Raises
    ------
    ElrcnError
        If no database is given.
    """
    if not roots:
        raise ElrcnError(
            "No database was given to check.",
            fix="give --casme2 or --samm, set ELRCN_CASME2 or ELRCN_SAMM, or write them into the "
            "user configuration",
        )
    reports = []
    for database in sorted(roots):
        root = Path(roots[database])
        try:
            reading = LOADERS[database](root, **common, **(options or {}).get(database, {}))
            reports.append(_database(database, root, reading))
        except ElrcnError as error:
            reports.append(DatabaseReport(database, root, is_synthetic(root), failed=error))
    readings = [r.reading for r in reports if r.reading]
    combined = (count_both(readings),) if len(readings) == len(LOADERS) else ()
    return CheckReport(tuple(reports), combined)


def _database(database, root, reading: Reading) -> DatabaseReport:
    counts, synthetic = count_clips(database, reading), is_synthetic(root)
    said, notes = _disagreements(reading)
    said += origin_findings(database, root)
    said += _lengths(reading) + _sizes(reading)
    different = [c for c in counts if c.differs]
    if different and not synthetic:
        what = f"{len(different)} counts are not the published ones (see the table)"
        said.append(Finding("remark", what, reading.sheets[0]))
    unknown = int(reading.manifest.table["apex"].isna().sum())
    if unknown:
        notes.append(f"the apex is unknown in {unknown} of {len(reading.manifest)} clips")
    subjects = reading.manifest.table["subject"].value_counts().sort_index().to_dict()
    findings = (*reading.findings, *said)
    return DatabaseReport(
        database, root, synthetic, reading, None, counts, subjects, findings, tuple(notes)
    )


def _disagreements(reading: Reading) -> tuple[list[Finding], list[str]]:
    """Return clips whose class is not the rule's: findings, and notes where the reason is known."""
    said, notes = [], []
    for label in reading.labels:
        units = parse(label.action_units)
        ruled = possible_classes(units)
        if not label.sheet_class or label.sheet_class in ruled:
            continue
        shown = f"{label.action_units or 'no units'}: class {label.sheet_class} in the sheet, "
        shown += f"{' or '.join(sorted(ruled))} by the rule"
        reason = _known_reason(label, units)
        if reason:
            notes.append(f"{label.clip_id}: {shown} ({reason})")
        else:
            said.append(Finding("remark", shown, label.where, label.clip_id))
    return said, notes


def _known_reason(label, units) -> str:
    if label.sheet_class == "IV" and frozenset((4, 10)) in units.readings:
        return "the sheet of MEGC 2018 puts 4+10 in IV"
    if label.sheet_class in {objective_class(r - EYE_HEAD_JAW) for r in units.readings}:
        return "classes leave out eye, head and jaw codes"
    if units.unclear or units.unparsed:
        return "the units are not all known"
    return ""


def _lengths(reading: Reading) -> list[Finding]:
    return [
        Finding(
            "remark",
            f"{label.offset - label.onset + 1} frames, outside {SHORTEST}..{LONGEST}",
            label.where,
            label.clip_id,
        )
        for label in reading.labels
        if label.usable and not SHORTEST <= label.offset - label.onset + 1 <= LONGEST
    ]


def _sizes(reading: Reading) -> list[Finding]:
    """Return a remark for each clip whose frames are far from the database's usual size."""
    if not reading.sizes:
        return []
    usual = [median(size[axis] for size in reading.sizes.values()) for axis in (0, 1)]
    return [
        Finding("remark", f"{w}x{h} pixels; {usual[1]:.0f}x{usual[0]:.0f} is usual", "", clip)
        for clip, (h, w) in reading.sizes.items()
        if any(abs(a - b) > _SIZE_TOLERANCE * b for a, b in zip((h, w), usual, strict=True))
    ]
