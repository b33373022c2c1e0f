"""Clips and subjects counted as published, as the sheet has them, and as they can be used."""

from __future__ import annotations

from dataclasses import dataclass

from elrcn.databases import casme2, samm
from elrcn.databases.corrections import data_manifest_folder
from elrcn.databases.reader import Reading
from elrcn.facs import OBJECTIVE_CLASSES, objective_class, parse
from elrcn.manifest import Manifest, casme2_emotions, objective_five
from elrcn.published.numbers import published_counts

NAMINGS = {"CASME2": casme2.NAMING, "SAMM": samm.NAMING}


@dataclass(frozen=True)
class Count:
    """One line of counts: what was published, what the sheet names, what can be used."""

    group: str
    label: str
    published: int | None
    sheet: int | None
    usable: int
    published_subjects: int | None = None
    usable_subjects: int | None = None

    @property
    def differs(self) -> bool:
        """Whether the usable clips or subjects are not those published."""
        subjects = self.published_subjects not in (None, self.usable_subjects)
        return subjects or self.published not in (None, self.usable)


def _published() -> dict[tuple[str, str, str], tuple[int, int | None]]:
    return published_counts(data_manifest_folder() / "published_counts.csv")


def count_clips(database: str, reading: Reading) -> tuple[Count, ...]:
    """Count a database's clips in all, by emotion and by objective class.

    A copy with the 2019 revision's classes is held against that revision's counts.
    """
    published = _published()
    revised = reading.revision == casme2.REVISION_2019
    manifest, labels = reading.manifest, reading.labels

    def known(group, label):
        found = revised and published.get((database, f"{group}-2019", label))
        return found or published.get((database, group, label), (None, None))

    def count(group, label, sheet, chosen: Manifest):
        clips, subjects = known(group, label)
        return Count(group, label, clips, sheet, len(chosen), subjects, _subjects(chosen))

    lines = [count("all", "all", len(labels), manifest)]
    for name in NAMINGS[database].emotions:
        chosen = manifest.subset(manifest.table["emotion"] == name)
        lines.append(count("emotion", name, sum(one.emotion == name for one in labels), chosen))
    if database == "CASME2":
        five = casme2_emotions(manifest)
        named = sum(one.emotion in casme2.NAMING.emotions[:5] for one in labels)
        lines.append(count("emotion", "the five of Table I", named, five))
    classes = [_class_of(one) for one in labels]
    for name in OBJECTIVE_CLASSES:
        chosen = manifest.subset(manifest.table["objective_class"] == name)
        lines.append(count("objective", name, classes.count(name), chosen))
    named = sum(name in OBJECTIVE_CLASSES[:5] for name in classes)
    lines.append(count("objective", "I to V", named, objective_five(manifest)))
    return tuple(lines)


def count_both(readings: list[Reading]) -> Count:
    """Count the clips of classes I to V over both databases (CDE, MEGC 2018 Task B)."""
    five = [objective_five(reading.manifest) for reading in readings]
    clips, subjects = _published()["CDE", "objective", "I to V"]
    return Count(
        "CDE", "I to V", clips, None, sum(map(len, five)), subjects, sum(map(_subjects, five))
    )


def _subjects(manifest: Manifest) -> int:
    return int(manifest.table["subject"].nunique())


def _class_of(label) -> str:
    return label.sheet_class or objective_class(parse(label.action_units).readings[0])
