"""Prediction rows on disk, a file a fold."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pandas as pd

from elrcn.config import canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import computed_once, read_json, set_aside, sweep, write, write_json

#: First columns of a row; columns of numbers follow, such as ``p_<class>`` for each class.
COLUMNS = ("run", "fold", "clip_id", "subject", "true", "predicted")
_FIX = "free space on the disk or choose another folder, and run again: finished folds are kept"


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
        known = read_json(path)
        if known is None and card is None:
            raise ElrcnError(
                "The card of this run cannot be read."
                if path.exists()
                else "There is no run here.",
                where=self.folder,
                fix="give the command that made it again: it keeps the folds that are whole",
            )
        if card is not None:
            card = json.loads(json.dumps(canonical(card)))
        if known is None:
            set_aside(path, "the run's card cannot be read")
            write_json(path, card)
        elif card not in (None, known):
            differing = sorted(k for k in {*card, *known} if card.get(k, ...) != known.get(k, ...))
            shown = "; ".join(
                f"{k}: {known.get(k, '(none)')!r} there, {card.get(k, '(none)')!r} now"
                for k in differing
            )
            raise ElrcnError(
                f"This folder holds the rows of another run ({shown}).",
                where=path,
                fix="choose another folder, or delete this one to start afresh",
            )
        self.card = known if card is None else card
        self.run = str(self.card.get("experiment") or self.folder.name)
        self._card = config_hash(self.card, length=64)
        for place in (self.folder, self.folder / "folds"):
            sweep(place)

    def path(self, fold: str) -> Path:
        """File of one fold's rows."""
        # Readable, legal on every system, and distinct for names that differ in odd characters.
        plain = re.sub(r"[^A-Za-z0-9]+", "_", fold).strip("_") or "fold"
        digest = hashlib.sha256(fold.encode()).hexdigest()[:8]
        return self.folder / "folds" / f"{plain[:80]}-{digest}.csv"

    def plan(self, folds: Iterable[str]) -> None:
        """Record the names of all folds of the run, in the order `rows` joins them.

        Raises
        ------
        ElrcnError
            If the run was begun with other folds.
        """
        names, path = list(folds), self.folder / "plan.json"
        if not (planned := self.planned()):
            set_aside(path, "the run's list of folds cannot be read")
            write_json(path, {"folds": names}, of=self._card)
        elif planned != names:
            raise ElrcnError(
                "This folder holds a run with other folds.",
                where=path,
                fix="choose another folder, or delete this one to start afresh",
            )

    def planned(self) -> list[str]:
        """Names of the run's folds in order; empty before `plan`, or if the list is damaged."""
        known = read_json(self.folder / "plan.json", of=self._card)
        return [] if known is None else known["folds"]

    def write_fold(self, name: str, rows: pd.DataFrame) -> None:
        """Store the rows of one fold; when this returns they are on the disk.

        Parameters
        ----------
        name : str
            The fold's name.
        rows : pandas.DataFrame
            Columns ``clip_id, subject, true, predicted``; all others hold numbers: a probability
            ``p_<class>`` for each class, or measures of a clip. ``run`` and ``fold`` are filled in.
        """
        numbers = [column for column in rows.columns if column not in COLUMNS]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*COLUMNS, *numbers])
        for row in rows.to_dict("records"):
            plain = [str(row[column]) for column in COLUMNS[2:]]
            writer.writerow([self.run, name, *plain, *(repr(float(row[c])) for c in numbers)])
        body = text.getvalue()
        write(self.path(name), body + self._foot(body, len(rows)) + "\n", _FIX)

    def _foot(self, body: str, count: int) -> str:
        # The card is part of the checksum: rows put into another run's folder are not its own.
        digest = hashlib.sha256((self._card + body).encode()).hexdigest()
        return f"# rows {count} sha256 {digest}"

    def read_fold(self, name: str) -> pd.DataFrame | None:
        """Rows of one fold; None if they are missing, damaged or another run's."""
        try:
            text = self.path(name).read_bytes().decode("utf-8").removesuffix("\n")
            body, _, foot = text.rpartition("\n")
            body += "\n"
            head, *rows = csv.reader(io.StringIO(body))
            if tuple(head[: len(COLUMNS)]) != COLUMNS or foot != self._foot(body, len(rows)):
                return None
            frame = pd.DataFrame(rows, columns=head, dtype=object)
            for column in head[len(COLUMNS) :]:
                frame[column] = [float(value) for value in frame[column]]
        except (OSError, ValueError, csv.Error):
            return None
        return frame if (frame["fold"] == name).all() else None

    def rows(self) -> pd.DataFrame:
        """All prediction rows, folds in the planned order.

        Returns
        -------
        pandas.DataFrame
            Columns ``run, fold, clip_id, subject, true, predicted, p_<class>...``.

        Raises
        ------
        ElrcnError
            If folds are missing or damaged.
        """
        # Only planned folds: a file that came from elsewhere is none of this run's.
        read = {name: self.read_fold(name) for name in self.planned()}
        missing = [name for name, frame in read.items() if frame is None or not len(frame)]
        if missing or not read:
            raise ElrcnError(
                f"The run is not finished: {len(missing) or 'all'} folds have no rows"
                + (f" (first: {missing[0]})." if missing else "."),
                where=self.folder,
                fix="run the same command again; it does only what is missing",
            )
        return pd.concat(read.values(), ignore_index=True)

    def add_timing(self, fold: str, **seconds) -> None:
        """Add a line to ``timing.csv``.

        Times stay out of the rows, which must repeat exactly; so what cannot be written is left.
        """
        path = self.folder / "timing.csv"
        # Nothing that is wrong with times may cost a fold that is trained.
        with suppress(Exception), computed_once(path):
            before = self.timing()
            line = pd.DataFrame([{"fold": fold, **seconds}])
            table = pd.concat([before, line], ignore_index=True) if len(before) else line
            write(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))

    def timing(self) -> pd.DataFrame:
        """Seconds spent in each fold that this folder saw finish, the latest if computed twice."""
        try:
            text = (self.folder / "timing.csv").read_text(encoding="utf-8")
            lines = list(csv.reader(io.StringIO(text)))
        except (OSError, ValueError, csv.Error):
            lines = []
        # The header may stand anywhere, or twice: earlier versions appended without a lock.
        heads = (line for line in lines if line[:1] == ["fold"] and len(line) == len({*line}))
        head = next(heads, ["fold"])
        lines = [line for line in lines if len(line) == len(head) and line[0] != "fold"]
        table = pd.DataFrame(lines, columns=head).drop_duplicates("fold", keep="last")
        for column in head[1:]:
            table[column] = pd.to_numeric(table[column], errors="coerce")
        return table.reset_index(drop=True)
