"""Prediction rows on disk: one run a folder, one file a fold, durable the moment a fold ends."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pandas as pd

from elrcn.config import canonical
from elrcn.errors import ElrcnError
from elrcn.evaluation.foldfile import COLUMNS, decode_rows, encode_rows, write_atomic


def _file_name(fold: str) -> str:
    # Readable, legal on every system, and distinct for names that differ in odd characters only.
    plain = re.sub(r"[^A-Za-z0-9]+", "_", fold).strip("_") or "fold"
    return f"{plain[:80]}-{hashlib.sha256(fold.encode()).hexdigest()[:8]}.csv"


class RunStore:
    """The prediction rows of one run.

    Parameters
    ----------
    folder : path-like
        Made if it does not exist. Holds ``run.json`` (the card), ``plan.json`` (folds in order),
        ``folds/*.csv`` (the rows) and ``timing.csv``.
    card : dict, optional
        What the rows depend on: experiment, configuration hash, manifest hash, device, versions,
        seed. Must be JSON-able. Without it an existing run is opened as it is.

    Attributes
    ----------
    folder : pathlib.Path
    card : dict
    run : str
        Value of the column ``run``: the card's ``experiment``, else the folder's name.

    Raises
    ------
    ElrcnError
        If the folder holds a run with another card, or holds none and no card is given.

    Notes
    -----
    Numbers are written as the shortest text that reads back as the same double, so rows survive
    the disk bit for bit. Each file ends in a line with its number of rows and a checksum; a file
    that does not agree with its last line counts as missing and is computed again.
    """

    def __init__(self, folder, card: dict | None = None):
        self.folder = Path(folder)
        path = self.folder / "run.json"
        if path.exists():
            try:
                self.card = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                raise ElrcnError(
                    "The card of this run cannot be read.",
                    where=path,
                    fix="delete the run's folder",
                ) from None
            if card is not None:
                self._refuse_other(canonical(card), path)
        elif card is None:
            raise ElrcnError("There is no run here.", where=self.folder)
        else:
            self.card = json.loads(json.dumps(canonical(card)))
        try:
            (self.folder / "folds").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ElrcnError(
                f"The run's folder cannot be made: {error.strerror}.", where=self.folder
            ) from None
        if not path.exists():
            write_atomic(path, json.dumps(self.card, indent=2, sort_keys=True) + "\n")
        self.run = str(self.card.get("experiment") or self.folder.name)
        self._sweep()

    def _refuse_other(self, card: dict, path: Path) -> None:
        card = json.loads(json.dumps(card))
        differing = sorted(
            k for k in {*card, *self.card} if card.get(k, ...) != self.card.get(k, ...)
        )
        if differing:
            shown = "; ".join(
                f"{k}: {self.card.get(k, '(none)')!r} there, {card.get(k, '(none)')!r} now"
                for k in differing
            )
            raise ElrcnError(
                f"This folder holds the rows of another run ({shown}).",
                where=path,
                fix="choose another folder, or delete this one to start afresh",
            )

    def _sweep(self) -> None:
        # A temporary file lives for milliseconds; an old one is what a killed run left behind.
        for place in (self.folder, self.folder / "folds"):
            for leftover in place.glob(".*.tmp"):
                with suppress(OSError):
                    if time.time() - leftover.stat().st_mtime > 60:
                        leftover.unlink()

    def _path(self, fold: str) -> Path:
        return self.folder / "folds" / _file_name(fold)

    def plan(self, folds: Iterable[str]) -> None:
        """Record the names of all folds of the run, in the order `rows` joins them.

        Raises
        ------
        ElrcnError
            If the run was begun with other folds.
        """
        names, path = list(folds), self.folder / "plan.json"
        if path.exists():
            if self.planned() != names:
                raise ElrcnError(
                    "This folder holds a run with other folds.",
                    where=path,
                    fix="choose another folder, or delete this one to start afresh",
                )
            return
        write_atomic(path, json.dumps(names, indent=1) + "\n")

    def planned(self) -> list[str]:
        """Names of the run's folds in order; empty before `plan`."""
        path = self.folder / "plan.json"
        if not path.exists():
            return []
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ElrcnError(
                "The list of folds cannot be read.", where=path, fix="delete this file"
            ) from None

    def write_fold(self, name: str, rows: pd.DataFrame) -> None:
        """Store the rows of one fold; when this returns they are on the disk.

        Parameters
        ----------
        name : str
            The fold's name.
        rows : pandas.DataFrame
            Columns ``clip_id, subject, true, predicted`` and one ``p_<class>`` a class; ``run``
            and ``fold`` are filled in.
        """
        write_atomic(self._path(name), encode_rows(rows, self.run, name))

    def read_fold(self, name: str) -> pd.DataFrame | None:
        """Rows of one fold, or None if they are missing or damaged."""
        return self._read(self._path(name), name)

    def _read(self, path: Path, name: str | None = None) -> pd.DataFrame | None:
        try:
            frame = decode_rows(path.read_bytes())
        except (OSError, ValueError):
            return None
        return None if name is not None and (frame["fold"] != name).any() else frame

    def folds_done(self) -> list[str]:
        """Names of the folds whose rows are stored and whole, in the planned order."""
        return list(self._folds())

    def _folds(self) -> dict[str, pd.DataFrame]:
        found = {}
        for path in sorted((self.folder / "folds").glob("*.csv")):
            frame = self._read(path)
            if frame is not None and len(frame):
                found[frame["fold"].iloc[0]] = frame
        order = {name: i for i, name in enumerate(self.planned())}
        return dict(
            sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0]))
        )

    def rows(self, partial: bool = False) -> pd.DataFrame:
        """All prediction rows, folds in the planned order.

        Parameters
        ----------
        partial : bool
            Return what there is of an unfinished run instead of refusing it.

        Returns
        -------
        pandas.DataFrame
            Columns ``run, fold, clip_id, subject, true, predicted, p_<class>...``.

        Raises
        ------
        ElrcnError
            If folds are missing or damaged and `partial` is false.
        """
        found = self._folds()
        missing = [name for name in self.planned() if name not in found]
        if not partial and (missing or not found):
            raise ElrcnError(
                f"The run is not finished: {len(missing) or 'all'} folds have no rows"
                + (f" (first: {missing[0]})." if missing else "."),
                where=self.folder,
                fix="run the same command again; it does only what is missing",
            )
        if not found:
            return pd.DataFrame(columns=list(COLUMNS))
        return pd.concat(found.values(), ignore_index=True)

    def add_timing(self, fold: str, **seconds) -> None:
        """Append a line to ``timing.csv``.

        Times stay out of the rows, which must repeat exactly.
        """
        path = self.folder / "timing.csv"
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not path.exists():
            writer.writerow(["fold", *seconds])
        writer.writerow([fold, *(f"{v:.6g}" for v in seconds.values())])
        with suppress(OSError), open(path, "a", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())

    def timing(self) -> pd.DataFrame:
        """Seconds spent in each fold that this folder saw finish, the latest if computed twice."""
        path = self.folder / "timing.csv"
        if not path.exists():
            return pd.DataFrame(columns=["fold"])
        table = pd.read_csv(path, dtype={"fold": str}, on_bad_lines="skip")
        table = table[table["fold"] != "fold"]
        return table.drop_duplicates("fold", keep="last").reset_index(drop=True)
