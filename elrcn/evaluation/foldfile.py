"""One fold's rows as text that proves itself whole, and files that are never half-written."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pandas as pd

from elrcn.errors import ElrcnError

#: Columns of a prediction row; one column ``p_<class>`` a class follows.
COLUMNS = ("run", "fold", "clip_id", "subject", "true", "predicted")
_FOOT = "# rows {} sha256 {}"


def write_atomic(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either all of it or what it held before.

    A temporary file in the same folder is flushed to the disk and then renamed.

    Raises
    ------
    ElrcnError
        If the disk is full or the folder cannot be written to; nothing is left behind.
    """
    path, temporary = Path(path), None
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        with suppress(OSError):  # a folder cannot be opened, so not synced, on some systems
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise ElrcnError(
            f"A result could not be written: {error.strerror or error}.",
            where=path,
            fix="free space on the disk or choose another folder, and run again: "
            "finished folds are kept",
        ) from None
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def encode_rows(rows: pd.DataFrame, run: str, fold: str) -> str:
    """CSV text of one fold's rows, closed by a line with their number and a checksum.

    Probabilities are written as the shortest decimal that reads back as the same double (a float32
    widens to a double exactly), so rows survive the disk bit for bit.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns ``clip_id, subject, true, predicted`` and one ``p_<class>`` a class.
    run, fold : str
        Fill the first two columns.
    """
    chances = [c for c in rows.columns if c.startswith("p_")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *chances])
    for row in rows.to_dict("records"):
        plain = [str(row[c]) for c in COLUMNS[2:]]
        writer.writerow([run, fold, *plain, *(repr(float(row[c])) for c in chances)])
    body = text.getvalue()
    return body + _FOOT.format(len(rows), hashlib.sha256(body.encode()).hexdigest()) + "\n"


def decode_rows(data: bytes) -> pd.DataFrame:
    """Read what `encode_rows` wrote.

    Raises
    ------
    ValueError
        If the text does not agree with its last line: cut short, edited or of another kind.
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
    if foot != _FOOT.format(len(rows), hashlib.sha256(body.encode()).hexdigest()):
        raise ValueError("rows and checksum disagree")
    frame = pd.DataFrame(rows, columns=head, dtype=object)
    for column in head[len(COLUMNS) :]:
        frame[column] = [float(v) for v in frame[column]]
    return frame
