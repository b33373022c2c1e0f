"""The words that tell made data from recorded ones, inside each frame and each label sheet.

They travel with any copy, whatever lies beside it. `elrcn.databases.synthetic` looks for them.
"""

from __future__ import annotations

MARK = "Synthetic: made by elrcn, no person is shown"


def mark_jpeg(data: bytes) -> bytes:
    """Return a JPEG file with `MARK` as its comment (segment COM, ITU-T T.81 B.2.4.5).

    No other byte changes, so pixels stay what they were.
    """
    at = 2
    while data[at] == 0xFF and 0xE0 <= data[at + 1] <= 0xEF:  # JFIF wants its APP0 to come first
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    text = MARK.encode("ascii")
    return data[:at] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[at:]
