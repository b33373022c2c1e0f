"""Licensed copies of CASME II and SAMM, or synthetic ones in their layouts, to a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from elrcn.databases import casme2, samm
from elrcn.errors import ElrcnError
from elrcn.manifest import Finding, Manifest, concat

#: The loader of each database: root -> `elrcn.databases.readers.Reading`.
LOADERS = {"CASME2": casme2.load, "SAMM": samm.load}


def read(
    roots: Mapping[str, str | Path], options: Mapping[str, Mapping] | None = None, **common
) -> tuple[Manifest, list[Finding]]:
    """Read the databases at `roots` into one manifest.

    Parameters
    ----------
    roots : mapping of str to path
        Database, a key of `LOADERS`, to its root folder.
    options : mapping, optional
        Per database, options of its loader (``sheet``, ``source``, ``tree`` ...).
    **common
        Options of every loader: ``corrections``, ``deep``, ``workers``, ``progress``.

    Returns
    -------
    manifest : Manifest
        The clips of all of them.
    findings : list of Finding
        What the loaders remarked; none of level "error".

    Raises
    ------
    ElrcnError
        If something must be mended first.
    """
    options = options or {}
    readings = [
        LOADERS[name](root, **common, **options.get(name, {})) for name, root in roots.items()
    ]
    findings = [finding for reading in readings for finding in reading.findings]
    require_usable(findings)
    return concat([reading.manifest for reading in readings]), findings


def require_usable(findings: Iterable[Finding]) -> None:
    """Raise an `ElrcnError` that names every finding of level "error", if there is one."""
    errors = [str(f) for f in findings if f.level == "error"]
    if errors:
        shown = "\n    ".join(errors[:10])
        if len(errors) > 10:
            shown += f"\n    and {len(errors) - 10} more"
        raise ElrcnError(
            f"{len(errors)} thing{'s' * (len(errors) > 1)} in the data must be mended first:"
            f"\n    {shown}",
            fix="`elrcn manifest check` lists everything; replace the files or mend the rows",
        )
