"""Prediction rows on disk, a file a fold, and their file format."""

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
_FOOT = "# rows {} sha256 {}"


def encode_rows(rows: pd.DataFrame, run: str, fold: str, card: str = "") -> str:
    """CSV text of one fold's rows, closed by a line with their number and a checksum.

    Numbers are written as the shortest decimal that reads back as the same double (a float32
    widens to a double exactly), so rows survive the disk bit for bit.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns ``clip_id, subject, true, predicted``; all others hold numbers: a probability
        ``p_<class>`` for each class, or measures of a clip.
    run, fold : str
        Fill the first two columns.
    card : str
        Digest of what the run depends on: rows put into another run's folder are not its own.
    """
    numbers = [c for c in rows.columns if c not in COLUMNS]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *numbers])
    for row in rows.to_dict("records"):
        plain = [str(row[c]) for c in COLUMNS[2:]]
        writer.writerow([run, fold, *plain, *(repr(float(row[c])) for c in numbers)])
    body = text.getvalue()
    return body + _foot(body, len(rows), card) + "\n"


def _foot(body: str, count: int, card: str) -> str:
    return _FOOT.format(count, hashlib.sha256((card + body).encode()).hexdigest())


def decode_rows(data: bytes, card: str = "") -> pd.DataFrame:
    """Read what `encode_rows` wrote for the same `card`.

    Raises
    ------
    ValueError
        If the text does not agree with its last line: cut short, edited, of another run or of
        another kind.
    """
    body, _, foot = data.decode("utf-8").removesuffix("\n").rpartition("\n")
    body += "\n"
    try:
        table = list(csv.reader(io.StringIO(body)))
    except csv.Error as error:
        raise ValueError(str(error)) from None
    if not table or tuple(table[0][: len(COLUMNS)]) != COLUMNS:
        raise ValueError("not a table of prediction rows")
    head, rows = table[0], table[1:]
    if foot != _foot(body, len(rows), card):
        raise ValueError("rows and checksum disagree")
    frame = pd.DataFrame(rows, columns=head, dtype=object)
    for column in head[len(COLUMNS) :]:
        frame[column] = [float(v) for v in frame[column]]
    return frame


_FIX = "free space on the disk or choose another folder, and run again: finished folds are kept"


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
            else:
                self._refuse_other(known, card, path)
        self.card = known if card is None else card
        self.run = str(self.card.get("experiment") or self.folder.name)
        self._card = config_hash(self.card, length=64)
        for place in (self.folder, self.folder / "folds"):
            sweep(place)

    @staticmethod
    def _refuse_other(known: dict, card: dict, path: Path) -> None:
        differing = sorted(k for k in {*card, *known} if card.get(k, ...) != known.get(k, ...))
        if differing:
            shown = "; ".join(
                f"{k}: {known.get(k, '(none)')!r} there, {card.get(k, '(none)')!r} now"
                for k in differing
            )
            raise ElrcnError(
                f"This folder holds the rows of another run ({shown}).",
                where=path,
                fix="choose another folder, or delete this one to start afresh",
            )

    def path(self, fold: str) -> Path:
        """File of one fold's rows."""
        return self.folder / "folds" / _file_name(fold)

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
            Columns ``clip_id, subject, true, predicted`` and one ``p_<class>`` a class; ``run``
            and ``fold`` are filled in.
        """
        write(self.path(name), encode_rows(rows, self.run, name, self._card), _FIX)

    def read_fold(self, name: str) -> pd.DataFrame | None:
        """Rows of one fold; None if they are missing, damaged or another run's."""
        try:
            frame = decode_rows(self.path(name).read_bytes(), self._card)
        except (OSError, ValueError):
            return None
        return None if (frame["fold"] != name).any() else frame

    def folds_done(self) -> list[str]:
        """Names of the planned folds whose rows are stored and whole, in order."""
        return list(self._folds())

    def _folds(self) -> dict[str, pd.DataFrame]:
        # Only planned folds: a file that came from elsewhere is none of this run's.
        read = {name: self.read_fold(name) for name in self.planned()}
        return {name: frame for name, frame in read.items() if frame is not None and len(frame)}

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
