"""The clip table, one row per clip, and the findings of those who read the databases."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.facs import EMOTIONS, OBJECTIVE_CLASSES
from elrcn.files import replacing

COLUMNS = (
    "clip_id", "database", "subject", "frames", "onset", "apex", "offset", "fps",
    "action_units", "emotion", "objective_class", "sha256",
)  # fmt: skip
_NUMBERS = {"onset": "int64", "apex": "Int64", "offset": "int64", "fps": float}
_TEXT = ("clip_id", "database", "subject", "action_units", "emotion", "objective_class", "sha256")

#: Kind of a finding to what is counted, the weightiest first.
KINDS = {
    "error": "row{s} or clip{s} to be mended",
    "mixture": "database{s} in part synthetic",
    "rule-all": "label sheet{s} without objective classes, which the action-unit rule gives",
    "revision": "label sheet{s} of the 2019 revision",
    "no-frames": "clip{s} without frames",
    "no-span": "clip{s} left out for want of onset or offset",
    "unnamed": "row{s} without Subject or Filename",
    "macro": "macro-expression{s}",
    "repeated": "row{s} written twice",
    "no-row": "clip folder{s} without a row",
    "rule": "objective class{es} given by the action-unit rule",
    "class-only": "clip{s} in the sheet of classes only",
    "gap": "clip{s} with missing frames",
    "corrected": "cell{s} corrected",
    "unmet": "correction{s} of no row",
    "blank": "blank onset{s} or offset{s}",
    "apex": "apex frame{s} outside the clip",
    "apex-unread": "apex frame{s} that cannot be read",
    "emotion": "emotion{s} not known",
    "units": "clip{s} with text that is no action unit",
    "strange": "folder{s} with files that are no frames",
    "unused": "workbook{s} not used",
    "no-face": "clip{s} without a face, used whole",
    "": "other{s}",
}

#: Kinds for which a row of the label sheet is not in the manifest.
LEFT_OUT = frozenset(("error", "no-frames", "no-span", "unnamed", "macro", "repeated"))


@dataclass(frozen=True)
class Finding:
    """Something a reader met that a person should know.

    Attributes
    ----------
    level : {"remark", "error"}
        "remark": the manifest can be used as it is. "error": something must be mended or
        decided; the clip concerned is not in the manifest.
    what : str
        One sentence.
    where : str
        Sheet and row, or folder.
    clip : str
        Clip id, "" if the finding concerns no single clip.
    kind : str
        Key of `KINDS`, by which findings are counted.
    """

    level: str
    what: str
    where: str = ""
    clip: str = ""
    kind: str = ""

    def __str__(self):
        place = f" ({self.where})" if self.where else ""
        return f"{self.clip + ': ' if self.clip else ''}{self.what}{place}"


class Findings(list[Finding]):
    """Findings in the order in which they were made."""

    def remark(self, kind: str, what: str, where: str = "", clip: str = "") -> None:
        """Add a remark of a kind of `KINDS`."""
        self.append(Finding("remark", what, where, clip, kind))

    def error(self, what: str, where: str = "", clip: str = "", kind: str = "error") -> None:
        """Add something that must be mended."""
        self.append(Finding("error", what, where, clip, kind))


def count_by_kind(findings: Iterable[Finding]) -> str:
    """Return findings counted by kind, such as "9 clips without frames, 1 row written twice"."""
    counts, parts = Counter(finding.kind for finding in findings), []
    for kind, phrase in KINDS.items():
        if n := counts[kind]:
            parts.append(f"{n} " + phrase.format(s="s" * (n > 1), es="es" * (n > 1)))
    return ", ".join(parts)


def remark_line(findings: Iterable[Finding]) -> str:
    """Return the one line that says how many remarks of which kind there are; "" if none."""
    findings = list(findings)
    if not findings:
        return ""
    also = any(finding.kind == "no-face" for finding in findings)
    who = "the loaders and of preprocessing" if also else "the loaders"
    return f"Remarks of {who}: {len(findings)} ({count_by_kind(findings)})"


@dataclass(frozen=True)
class Manifest:
    """Clips and where their frames lie.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a clip, columns `COLUMNS`: ``clip_id`` (unique), ``database``, ``subject``
        (database-prefixed), ``frames`` (tuple of POSIX paths relative to the database's root, in
        numeric order, onset to offset), ``onset``, ``apex`` (<NA> if unknown) and ``offset``
        (frame numbers), ``fps`` (frames a second), ``action_units``, ``emotion`` ("" if none),
        ``objective_class`` ("I" to "VII") and ``sha256`` (over the frames' numbers and bytes).
    roots : dict of str to Path
        Root folder of each database.

    Raises
    ------
    ElrcnError
        If a column is missing or a row breaks a rule; the message names the row.
    """

    table: pd.DataFrame
    roots: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "table", _checked(self.table))
        object.__setattr__(self, "roots", {k: Path(v) for k, v in self.roots.items()})

    def __len__(self):
        return len(self.table)

    @property
    def hash(self) -> str:
        """Hex digest of content and labels; the same wherever the frames lie on disk."""
        rows = self.table.drop(columns="frames").astype(str).to_numpy().tolist()
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def frame_paths(self, i: int) -> list[Path]:
        """Return the paths of clip `i`'s frames (position, not label), onset to offset."""
        row = self.table.iloc[i]
        try:
            root = self.roots[row["database"]]
        except KeyError:
            raise ElrcnError(
                f"The root folder of {row['database']} is not known.",
                where=row["clip_id"],
                fix="give it by option, by environment variable or in the user configuration",
            ) from None
        return [root / frame for frame in row["frames"]]

    def subset(self, which) -> Manifest:
        """Return the clips chosen by a boolean mask, positions or a slice, in that order."""
        if not isinstance(which, slice):
            which = np.asarray(which)
            if which.size == 0:
                which = which.astype(int)
        table = self.table.iloc[which].reset_index(drop=True)
        if table["clip_id"].duplicated().any():
            raise ElrcnError("A subset cannot hold a clip twice.")
        chosen = object.__new__(Manifest)  # rows of a checked table need no second check
        object.__setattr__(chosen, "table", table)
        object.__setattr__(chosen, "roots", dict(self.roots))
        return chosen

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV (UTF-8, frames as a JSON array), replacing `path` atomically."""
        table = self.table.assign(frames=[json.dumps(list(f)) for f in self.table["frames"]])
        with replacing(path) as part:
            table.to_csv(part, index=False, lineterminator="\n")

    @classmethod
    def from_csv(cls, path: str | Path, roots: Mapping[str, Path] | None = None) -> Manifest:
        """Read what `to_csv` wrote.

        Raises `ElrcnError` if the file is missing, is no manifest, or a row breaks a rule.
        """
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
            _require_columns(table)
            table["frames"] = [tuple(map(str, json.loads(f))) for f in table["frames"]]
            table["apex"] = table["apex"].replace("", pd.NA)
            return cls(table.astype(_NUMBERS), dict(roots or {}))
        except ElrcnError as error:
            what = error.what
        except OSError as error:
            what = f"The manifest cannot be read: {error.strerror or error}."
        except (ValueError, TypeError) as error:
            what = f"This is not a manifest: {str(error).splitlines()[0]}."
        raise ElrcnError(what, where=path, fix=_REBUILD)


_REBUILD = "write it anew with `elrcn manifest build`"


def concat(manifests: Iterable[Manifest]) -> Manifest:
    """Return one manifest with the clips of all, in order.

    Raises `ElrcnError` if a clip id occurs twice or two manifests give one database other roots.
    """
    manifests = list(manifests)
    roots: dict[str, Path] = {}
    for manifest in manifests:
        for name, root in manifest.roots.items():
            if roots.setdefault(name, root) != root:
                raise ElrcnError(f"{name} has two root folders.", where=f"{roots[name]}, {root}")
    return Manifest(pd.concat([m.table for m in manifests], ignore_index=True), roots)


def casme2_emotions(manifest: Manifest) -> Manifest:
    """Return the CASME II clips of the five emotions of Table I."""
    table = manifest.table
    return manifest.subset((table["database"] == "CASME2") & table["emotion"].isin(EMOTIONS))


def objective_five(manifest: Manifest) -> Manifest:
    """Return the clips of objective classes I to V (MEGC 2018; Tables II and III)."""
    return manifest.subset(manifest.table["objective_class"].isin(OBJECTIVE_CLASSES[:5]))


def _require_columns(table):
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ElrcnError(f"The manifest lacks the column {', '.join(missing)}.", fix=_REBUILD)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with the columns and types of a manifest, or raise with the row's name."""
    _require_columns(table)
    table = table.loc[:, list(COLUMNS)].reset_index(drop=True)
    for name in _TEXT:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    table = table.astype(_NUMBERS)
    table["frames"] = pd.Series([tuple(f) for f in table["frames"]], dtype=object)
    apex, count = table["apex"], table["frames"].map(len)
    rules = {
        "the clip id occurs twice": table["clip_id"].duplicated(),
        "the clip id is blank": table["clip_id"] == "",
        "the clip id and the subject must begin with the database's name": [
            not (clip.startswith(f"{base}/") and subject.startswith(f"{base}/"))
            for clip, base, subject in zip(
                table["clip_id"], table["database"], table["subject"], strict=True
            )
        ],
        "offset comes before onset": table["offset"] < table["onset"],
        "onset is negative": table["onset"] < 0,
        "apex lies outside onset..offset": (
            (apex < table["onset"]) | (apex > table["offset"])
        ).fillna(False),
        "fps is not a positive number": ~((table["fps"] > 0) & np.isfinite(table["fps"])),
        "the objective class is not one of I to VII": ~table["objective_class"].isin(
            OBJECTIVE_CLASSES
        ),
        "there are no frames": count == 0,
        "a frame's path leads outside the root": [
            any(not is_inside(one) for one in f) for f in table["frames"]
        ],
        "there are more frames than onset..offset holds": (
            count > table["offset"] - table["onset"] + 1
        ),
    }
    for rule, broken in rules.items():
        broken = np.asarray(broken, dtype=bool)
        if broken.any():
            row = int(np.flatnonzero(broken)[0])
            raise ElrcnError(
                f"Row {row + 1} of the manifest ({table['clip_id'][row]}): {rule}.", fix=_REBUILD
            )
    return table


def is_inside(path: str) -> bool:
    """Tell whether `path`, relative and with forward slashes, stays below its root."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not set(path) & set("\\\0:")
