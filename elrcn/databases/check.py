"""Is this copy complete, whole and the one the paper used? And its data package."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from elrcn.databases import LOADERS, casme2, samm
from elrcn.databases.folders import check_root, is_within, list_frames, scan_clips, some
from elrcn.databases.readers import Reading
from elrcn.databases.synthetic import is_synthetic, origin_findings
from elrcn.errors import ElrcnError
from elrcn.facs import EMOTIONS, EYE_HEAD_JAW, OBJECTIVE_CLASSES, objective_class, possible_classes
from elrcn.files import file_digest, write
from elrcn.manifest import Finding, Findings, Manifest, objective_five
from elrcn.published.numbers import published_counts
from elrcn.workspace import data_manifest_folder

SHORTEST, LONGEST = 24, 141
_NAMINGS = {"CASME2": casme2.NAMING, "SAMM": samm.NAMING}
_TITLES = {"CASME2": "CASME II", "SAMM": "SAMM"}
_VERDICTS = ("Clean.", "Usable, with remarks.", "Not usable yet: mend what is listed under Errors.")


class Count(NamedTuple):
    """One line of counts: what was published, what the sheet names, what can be used."""

    group: str
    label: str
    published: int | None
    sheet: int | None
    usable: int
    published_subjects: int | None
    usable_subjects: int

    @property
    def differs(self) -> bool:
        """Whether the usable clips or subjects are not those published."""
        subjects = self.published_subjects not in (None, self.usable_subjects)
        return subjects or self.published not in (None, self.usable)


@dataclass(frozen=True)
class DatabaseReport:
    """What was found out about one database; `failed` holds the reason if it cannot be read.

    `synthetic` means the synthetic dataset, whose counts need not be the published ones. `findings`
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
    """The report of `check_report`; `combined` holds CDE (classes I to V), if both are there."""

    databases: tuple[DatabaseReport, ...]
    combined: tuple[Count, ...] = ()

    @property
    def synthetic(self) -> bool:
        """All data are the synthetic dataset, so counts need not be the published ones."""
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
        """Return the report as text: a section a database, errors before remarks, the verdict."""
        lines = []
        made = [_TITLES[one.database] for one in self.databases if one.synthetic]
        if made:
            data = "These data are" if self.synthetic else f"{' and '.join(made)}: these data are"
            lines += [
                f"{data} SYNTHETIC: the synthetic dataset, not the licensed databases.",
                "Counts therefore differ from the published ones.",
                "",
            ]
        for one in self.databases:
            lines += [*_section(one), ""]
        if self.combined:
            counts = _count_lines(self.combined, mark=not made)
            lines += ["Both databases", "--------------", *counts, ""]
        return "\n".join([*lines, _VERDICTS[self.exit_code]])


def check_report(
    roots: Mapping[str, str | Path], options: Mapping[str, Mapping] | None = None, **common
) -> CheckReport:
    """Read the databases at `roots` and report on them; what cannot be read is reported too.

    Parameters are those of ``elrcn.databases.read``.

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
    combined = (count_both(readings),) if len(readings) == len(_NAMINGS) else ()
    return CheckReport(tuple(reports), combined)


def _database(database: str, root: Path, reading: Reading) -> DatabaseReport:
    counts, synthetic = count_clips(database, reading), is_synthetic(root)
    found, notes = Findings(reading.findings), []
    for label in reading.labels:  # clips whose class is not the rule's
        ruled = possible_classes(label.units)
        if not label.sheet_class or label.sheet_class in ruled:
            continue
        shown = f"{label.action_units or 'no units'}: class {label.sheet_class} in the sheet, "
        shown += f"{' or '.join(sorted(ruled))} by the rule"
        if reason := _known_reason(label):
            notes.append(f"{label.clip_id}: {shown} ({reason})")
        else:
            found.remark("", shown, label.where, label.clip_id)
    found += origin_findings(database, root)
    for label in reading.labels:
        frames = label.offset - label.onset + 1 if label.usable else SHORTEST
        if not SHORTEST <= frames <= LONGEST:
            what = f"{frames} frames, outside {SHORTEST}..{LONGEST}"
            found.remark("", what, label.where, label.clip_id)
    usual = np.median(list(reading.sizes.values()), axis=0) if reading.sizes else None
    for clip, (h, w) in reading.sizes.items():
        if np.any(np.abs((h, w) - usual) > 0.2 * usual):
            what = f"{w}x{h} pixels; {usual[1]:.0f}x{usual[0]:.0f} is usual"
            found.remark("", what, clip=clip)
    different = sum(count.differs for count in counts)
    if different and not synthetic:
        what = f"{different} counts are not the published ones (see the table)"
        found.remark("", what, reading.sheets[0])
    table = reading.manifest.table
    if unknown := int(table["apex"].isna().sum()):
        notes.append(f"the apex is unknown in {unknown} of {len(table)} clips")
    subjects = table["subject"].value_counts().sort_index().to_dict()
    return DatabaseReport(
        database, root, synthetic, reading, None, counts, subjects, tuple(found), tuple(notes)
    )


def _known_reason(label) -> str:
    if label.sheet_class == "IV" and frozenset((4, 10)) in label.units.readings:
        return "the sheet of MEGC 2018 puts 4+10 in IV"
    if label.sheet_class in {objective_class(r - EYE_HEAD_JAW) for r in label.units.readings}:
        return "classes leave out eye, head and jaw codes"
    return "the units are not all known" if label.units.unclear or label.units.unparsed else ""


def _published_counts() -> dict[tuple[str, str, str], tuple[int, int | None]]:
    return published_counts(data_manifest_folder() / "published_counts.csv")


def count_clips(database: str, reading: Reading) -> tuple[Count, ...]:
    """Count a database's clips in all, by emotion and by objective class.

    A copy with the 2019 revision's classes is held against that revision's counts.
    """
    published, table = _published_counts(), reading.manifest.table
    emotions = _NAMINGS[database].emotions
    lines = [("all", "all", None, ())]
    lines += [("emotion", name, "emotion", (name,)) for name in emotions]
    if database == "CASME2":
        lines.append(("emotion", "the five of Table I", "emotion", EMOTIONS))
    lines += [("objective", name, "objective_class", (name,)) for name in OBJECTIVE_CLASSES]
    lines.append(("objective", "I to V", "objective_class", OBJECTIVE_CLASSES[:5]))
    counts = []
    for group, label, column, names in lines:
        clips, subjects = published.get((database, group, label), (None, None))
        if reading.revision == casme2.REVISION_2019:
            revised = (database, f"{group}-2019", label)
            clips, subjects = published.get(revised, (clips, subjects))
        usable, sheet = table, len(reading.labels)
        if column:
            usable = table[table[column].isin(names)]
            sheet = sum(getattr(one, column) in names for one in reading.labels)
        used = usable["subject"].nunique()
        counts.append(Count(group, label, clips, sheet, len(usable), subjects, used))
    return tuple(counts)


def count_both(readings: list[Reading]) -> Count:
    """Count the clips of classes I to V over both databases (CDE, MEGC 2018 Task B)."""
    five = pd.concat([objective_five(reading.manifest).table for reading in readings])
    clips, subjects = _published_counts()["CDE", "objective", "I to V"]
    return Count("CDE", "I to V", clips, None, len(five), subjects, five["subject"].nunique())


# --- the report as text --------------------------------------------------------------------------


def _section(report: DatabaseReport) -> list[str]:
    title = _TITLES[report.database]
    lines = [title, "-" * len(title), f"root    {report.root}"]
    if report.failed:
        return [*lines, *_listed("Errors", [str(report.failed)])]
    reading, kinds = report.reading, ("no-frames", "no-row")
    left_out = reading.rows - len(reading.manifest)
    subjects = [f"{name.split('/')[1]} {n:3d}" for name, n in report.subjects.items()]
    no_frames = [f.clip for f in reading.findings if f.kind == "no-frames"]
    no_row = [f.where for f in reading.findings if f.kind == "no-row"]
    lines += [
        f"frames  {'(the root itself)' if reading.tree == '.' else reading.tree}",
        f"sheet   {', '.join(reading.sheets)}",
        f"        {reading.revision}",
        f"rows    {reading.rows} = {len(reading.manifest)} clips used + {left_out} left out",
        "",
        *_count_lines(report.counts, mark=not report.synthetic),
        "",
        f"Clips a subject ({len(report.subjects)} subjects)",
        *("  " + "   ".join(subjects[i : i + 8]) for i in range(0, len(subjects), 8)),
        *_listed("In the sheet, but without frames", no_frames, "none"),
        *_listed("In the folders, but without a row", no_row, "none"),
    ]
    for level, heading in (("error", "Errors"), ("remark", "Remarks")):
        found = [f for f in report.findings if f.level == level and f.kind not in kinds]
        lines += _listed(heading, [str(f) for f in found])
    return lines + _listed("Notes", report.notes)


def _listed(heading: str, texts, none: str = "") -> list[str]:
    """Return the lines of a list under its heading; of an empty one only if `none` stands in it."""
    if not texts and not none:
        return []
    return ["", f"{heading} ({len(texts)})"] + [
        "  " + text.replace("\n", "\n  ") for text in texts or [none]
    ]


def _count_lines(counts: tuple[Count, ...], mark: bool) -> list[str]:
    # On synthetic data every count differs: saying so on each line would say nothing.
    lines = [f"{'':28s}{'published':>10s}{'sheet':>8s}{'usable':>8s}"]
    for one in counts:
        name = one.label if one.label == one.group else f"{one.group} {one.label}"
        published, sheet = ("-" if n is None else n for n in (one.published, one.sheet))
        text = f"{name:28s}{published:>10}{sheet:>8}{one.usable:8d}"
        if one.published_subjects is not None:
            text += f"   subjects {one.usable_subjects} of {one.published_subjects}"
        lines.append(text + ("   differs" if mark and one.differs else ""))
    return lines


# --- the data package ----------------------------------------------------------------------------

_TABLE, _PACKAGE = "manifest.csv", "datapackage.json"


def load_schema() -> dict:
    """Return the Frictionless Table Schema in ``data_manifest/manifest.schema.json``."""
    path = data_manifest_folder() / "manifest.schema.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ElrcnError(f"The manifest schema cannot be read: {error}.", where=path) from None


def write_datapackage(manifest: Manifest, folder: str | Path) -> Path:
    """Write ``manifest.csv`` and ``datapackage.json`` into `folder` and return the latter's path.

    Raises
    ------
    ElrcnError
        If a row does not fit the schema (the row is named) or the folder cannot be written.
    """
    table, package = Path(folder) / _TABLE, Path(folder) / _PACKAGE
    schema = load_schema()
    if misfits := _misfits(manifest, schema):
        more = f" (and {len(misfits) - 1} more)" if len(misfits) > 1 else ""
        what = f"The manifest does not fit its schema: {misfits[0]}{more}."
        raise ElrcnError(what, where=table)
    manifest.to_csv(table)
    resource = {
        "name": "manifest",
        "type": "table",
        "path": _TABLE,
        "scheme": "file",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "bytes": table.stat().st_size,
        "hash": f"sha256:{file_digest(table)}",
        "schema": schema,
    }
    description = {
        "name": "elrcn-manifest",
        "title": "Clips of CASME II and SAMM",
        "description": "Labels of licensed databases, if made from them: not to be published.",
        "resources": [resource],
    }
    return write(package, json.dumps(description, indent=2) + "\n")


def _misfits(manifest: Manifest, schema: dict) -> list[str]:
    """Return what breaks a constraint of the schema: row, clip, value, rule."""
    # Constraint to the values, of those not blank, that break it, and what to say of them.
    rules = {
        "required": (lambda blank, _: np.ones(len(blank), bool), "is blank"),
        "unique": (lambda held, _: held.duplicated(), "occurs twice"),
        "enum": (lambda held, known: ~held.isin(known), "is none of {}"),
        "pattern": (lambda held, form: ~held.str.fullmatch(form), "does not look like {}"),
        "minimum": (lambda held, least: held < least, "is less than {}"),
        "minLength": (lambda held, least: held.map(len) < least, "holds fewer than {}"),
    }
    said = []
    for column in schema["fields"]:
        values = manifest.table[column["name"]]
        blank = values.isna() | (values == "")
        for rule, bound in column.get("constraints", {}).items():
            breaks, what = rules[rule]
            held = values[blank if rule == "required" else ~blank]
            shown = what.format(", ".join(bound) if rule == "enum" else bound)
            for row, value in held[breaks(held, bound)].items():
                place = f"row {row + 1} ({manifest.table['clip_id'][row]})"
                said.append(f"{place}: {column['name']} {str(value)[:60]!r} {shown}")
    return said


def read_datapackage(folder: str | Path, roots: Mapping[str, Path] | None = None) -> Manifest:
    """Return the manifest that `write_datapackage` wrote into `folder`.

    Raises
    ------
    ElrcnError
        If a file is missing, the table is not the one described, or one of its rows breaks a rule.
    """
    table, package = Path(folder) / _TABLE, Path(folder) / _PACKAGE
    fix = "write both anew with `elrcn manifest build`"
    try:
        (resource,) = json.loads(package.read_text(encoding="utf-8"))["resources"]
        name, digest = resource["path"], resource["hash"]
    except OSError as error:
        what = f"There is no data package: {error.strerror or error}."
        raise ElrcnError(what, where=package, fix=fix) from None
    except (ValueError, TypeError, KeyError):
        what = "This is no data package with one table, its path and its hash."
        raise ElrcnError(what, where=package, fix=fix) from None
    manifest = Manifest.from_csv(table, roots)
    if name != _TABLE or digest != f"sha256:{file_digest(table)}":
        what = "The manifest does not fit its data package: it is not the table described there."
        raise ElrcnError(what, where=table, fix=fix)
    return manifest


# --- the manifest beside the disk ----------------------------------------------------------------


class Change(NamedTuple):
    """A difference between a manifest and the disk: "missing", "changed" or "extra"."""

    clip: str
    kind: str
    detail: str

    def __str__(self):
        return f"{self.clip}: {self.kind}: {self.detail}"


def verify(
    manifest: Manifest,
    roots: Mapping[str, Path] | None = None,
    deep: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> list[Change]:
    """Compare a manifest with the disk.

    Returns
    -------
    list of Change
        "missing": frames of the manifest that are gone; "changed": the bytes of some frame are not
        those hashed; "extra": another file now claims a frame number of onset..offset. Clips that
        the manifest does not hold are not looked for.

    Raises
    ------
    ElrcnError
        If a database's root is unknown or does not exist.
    """
    roots = {**manifest.roots, **(roots or {})}
    changes: list[Change] = []
    for database, table in manifest.table.groupby("database", sort=True):
        if database not in roots:
            raise ElrcnError(
                f"The root folder of {database} is not known.", fix="name it by option"
            )
        root = check_root(roots[database], database)
        whole = []
        for row in table.itertuples():
            gone = [f for f in row.frames if not is_within(root / f, root)]
            if gone:
                changes.append(Change(row.clip_id, "missing", some(gone, 3)))
            else:
                whole.append(row)
            changes += _extra(row, root, _NAMINGS[database].frame)
        scans = scan_clips(root, [row.frames for row in whole], deep, workers, progress)
        for row, scan in zip(whole, scans, strict=True):
            if scan.sha256 != row.sha256:
                detail = some([f"{f}: {p}" for f, p in scan.problems], 3) or "other bytes"
                changes.append(Change(row.clip_id, "changed", detail))
    return sorted(changes, key=lambda change: change[:2])


def _extra(row, root: Path, frame: re.Pattern) -> list[Change]:
    """Return the change that other files claim numbers of a clip's frames, if any do."""
    folder = PurePosixPath(row.frames[0]).parent
    if not is_within(root / folder, root):
        return []
    listing = list_frames(root / folder, root, frame)
    known = {PurePosixPath(f).name for f in row.frames}
    held = {n: [name] for n, name in listing.numbers.items()} | listing.duplicates
    numbers = [n for n in sorted(held) if row.onset <= n <= row.offset]
    names = [name for n in numbers for name in held[n] if name not in known]
    return [Change(row.clip_id, "extra", some(names, 3))] if names else []
