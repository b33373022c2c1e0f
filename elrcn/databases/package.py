"""Manifests as a standard artifact (Frictionless Data Package), and what changed on disk since."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from elrcn.databases.corrections import data_manifest_folder
from elrcn.databases.counts import NAMINGS
from elrcn.databases.frames import scan_clips
from elrcn.databases.trees import check_root, is_within, list_frames
from elrcn.errors import ElrcnError
from elrcn.manifest import Manifest

_NAMES = ("manifest.csv", "datapackage.json")


@dataclass(frozen=True)
class Change:
    """A difference between a manifest and the disk: "missing", "changed" or "extra"."""

    clip: str
    kind: str
    detail: str

    def __str__(self):
        return f"{self.clip}: {self.kind}: {self.detail}"


def load_schema() -> dict:
    """Return the Frictionless Table Schema in ``data_manifest/manifest.schema.json``."""
    path = data_manifest_folder() / "manifest.schema.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ElrcnError(f"The manifest schema cannot be read: {error}.", where=path) from None


def write_datapackage(manifest: Manifest, folder: str | Path) -> Path:
    """Write ``manifest.csv`` and ``datapackage.json`` into `folder` and return the latter's path.

    Both are checked with Frictionless before either replaces what was there.

    Raises
    ------
    ElrcnError
        If a row does not fit the schema (the row is named) or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".manifest-", dir=folder) as part:
            table, package = (Path(part) / name for name in _NAMES)
            manifest.to_csv(table)
            package.write_text(json.dumps(_describe(table), indent=2) + "\n", encoding="utf-8")
            try:
                check_datapackage(package)
            except ElrcnError as error:
                raise ElrcnError(error.what, where=folder / _NAMES[0]) from None
            for path in (table, package):
                os.replace(path, folder / path.name)
    except OSError as error:
        raise ElrcnError(
            f"The manifest cannot be written: {error.strerror or error}.", where=folder
        ) from None
    return folder / _NAMES[1]


def _describe(table: Path) -> dict:
    data = table.read_bytes()
    return {
        "name": "elrcn-manifest",
        "title": "Clips of CASME II and SAMM",
        "description": "Labels of licensed databases, if made from them: not to be published.",
        "resources": [
            {
                "name": "manifest",
                "type": "table",
                "path": table.name,
                "scheme": "file",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "bytes": len(data),
                "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
                "schema": load_schema(),
            }
        ],
    }


def check_datapackage(path: str | Path) -> None:
    """Check a ``datapackage.json`` and its table with Frictionless.

    Raises
    ------
    ElrcnError
        Naming the first row or property that is wrong.
    """
    import frictionless

    path = Path(path)
    if not path.is_file():
        raise ElrcnError("There is no data package.", where=path)
    try:
        package = frictionless.Package(path.name, basepath=str(path.parent))
        report = package.validate()
    except frictionless.FrictionlessException as error:
        raise ElrcnError(f"This is no data package: {error}.", where=path) from None
    if not report.valid:
        messages = [message for (message,) in report.flatten(["message"])]
        more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
        raise ElrcnError(f"The manifest does not fit its schema: {messages[0]}{more}", where=path)


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
                changes.append(Change(row.clip_id, "missing", _some(gone)))
            else:
                whole.append(row)
            changes += _extra(row, root, NAMINGS[database].frame)
        scans = scan_clips(root, [row.frames for row in whole], deep, workers, progress)
        for row, scan in zip(whole, scans, strict=True):
            if scan.sha256 != row.sha256:
                detail = _some([f"{f}: {p}" for f, p in scan.problems]) or "other bytes"
                changes.append(Change(row.clip_id, "changed", detail))
    return sorted(changes, key=lambda change: (change.clip, change.kind))


def _extra(row, root, frame) -> list[Change]:
    folder = PurePosixPath(row.frames[0]).parent
    if not is_within(root / folder, root):
        return []
    listing = list_frames(root / folder, root, frame)
    known = {PurePosixPath(f).name for f in row.frames}
    held = {n: [name] for n, name in listing.numbers.items()} | listing.duplicates
    names = [
        name
        for number in sorted(held)
        if row.onset <= number <= row.offset
        for name in held[number]
        if name not in known
    ]
    return [Change(row.clip_id, "extra", _some(names))] if names else []


def _some(names) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
