"""One fold's rows as text that proves itself whole and its run's own."""

from __future__ import annotations

import csv
import hashlib
import io

import pandas as pd

#: Columns of a prediction row; one column ``p_<class>`` a class follows.
COLUMNS = ("run", "fold", "clip_id", "subject", "true", "predicted")
_FOOT = "# rows {} sha256 {}"


def encode_rows(rows: pd.DataFrame, run: str, fold: str, card: str = "") -> str:
    """CSV text of one fold's rows, closed by a line with their number and a checksum.

    Probabilities are written as the shortest decimal that reads back as the same double (a float32
    widens to a double exactly), so rows survive the disk bit for bit.

    Parameters
    ----------
    rows : pandas.DataFrame
        Columns ``clip_id, subject, true, predicted`` and one ``p_<class>`` a class.
    run, fold : str
        Fill the first two columns.
    card : str
        Digest of what the run depends on: rows put into another run's folder are not its own.
    """
    chances = [c for c in rows.columns if c.startswith("p_")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *chances])
    for row in rows.to_dict("records"):
        plain = [str(row[c]) for c in COLUMNS[2:]]
        writer.writerow([run, fold, *plain, *(repr(float(row[c])) for c in chances)])
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
