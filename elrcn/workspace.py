"""Where things lie on disk: found when asked for, never at import."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from elrcn.errors import ElrcnError


@dataclass(frozen=True)
class Workspace:
    """The folders of one checkout, all below `root`."""

    root: Path

    @property
    def corpora(self) -> Path:
        """Embedded corpora, one folder a profile: ``CASME2/``, ``SAMM/`` and ``truth/``."""
        return self.root / "data"

    @property
    def cache(self) -> Path:
        """Preprocessed clips and pretrained weights; safe to delete."""
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        """Prediction rows, a folder a run, a file a fold."""
        return self.root / "runs"

    @property
    def notebooks(self) -> Path:
        """Source notebooks, without outputs."""
        return self.root / "notebooks"

    @property
    def executed(self) -> Path:
        """Executed notebooks and their receipts: what the book renders."""
        return self.root / "book" / "executed"

    @property
    def artifacts(self) -> Path:
        """Tables as CSV and figures as SVG that the pages show and link."""
        return self.root / "book" / "executed" / "files"

    @property
    def data_manifest(self) -> Path:
        """Schema, published counts and the paper's numbers."""
        return self.root / "data_manifest"


def find_workspace(start: str | Path | None = None) -> Workspace:
    """Return the workspace holding `start` (default: ``ELRCN_HOME``, else the current folder).

    It is the nearest parent folder with ``_toc.yml`` and ``data_manifest``; `ElrcnError` if there
    is none.
    """
    origin = Path(start or os.environ.get("ELRCN_HOME") or Path.cwd()).resolve()
    for folder in (origin, *origin.parents):
        if (folder / "_toc.yml").is_file() and (folder / "data_manifest").is_dir():
            return Workspace(folder)
    raise ElrcnError(
        "This is not inside an ELRCN checkout.",
        where=origin,
        fix="change into the cloned folder, or set ELRCN_HOME to it",
    )


def data_manifest_folder() -> Path:
    """Return ``data_manifest/`` of the checkout this library lies in, else of the workspace."""
    beside = Path(__file__).resolve().parents[1] / "data_manifest"
    return beside if beside.is_dir() else find_workspace().data_manifest
