"""The truth that is known of a clip: how the face in it moves."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from elrcn.corpus.person import field_mask
from elrcn.errors import ElrcnError
from elrcn.files import replacing


@dataclass(frozen=True)
class Motion:
    """Time courses of one clip.

    Attributes
    ----------
    numbers : (n,) int64
        Frame numbers in the clip's folder, onset to offset and the frames around them.
    onset, apex, offset : int
        True frame numbers; the label sheet may leave the apex out.
    amounts : (n, k) float32
        Pixels of each action unit's field at each frame.
    head : (n, 4) float32
        Head shift x and y in pixels, turn in radians, log scale.
    blink : (n,) float32
        Lid closure, 0 open to 1 closed.
    """

    numbers: np.ndarray
    onset: int
    apex: int
    offset: int
    amounts: np.ndarray
    head: np.ndarray
    blink: np.ndarray


def head_matrix(head: np.ndarray, width: int, height: int) -> np.ndarray:
    """2x3 matrix of u = H(y): from a frame's pixels to the neutral picture's."""
    dx, dy, turn, log_scale = (float(v) for v in head)
    c, s = np.exp(-log_scale) * np.cos(turn), np.exp(-log_scale) * np.sin(turn)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    rotation = np.array(((c, s), (-s, c)))
    shift = np.array((cx, cy)) - rotation @ np.array((cx + dx, cy + dy))
    return np.column_stack([rotation, shift])


def expand(basis: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return stored fields ``(k, h, w, 2)`` as float32 fields at the frames' size."""
    fields = [
        cv2.resize(b.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for b in basis
    ]
    return np.stack(fields) if fields else np.zeros((0, height, width, 2), np.float32)


def mix(fields: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Sum of fields ``(k, h, w, 2)`` weighted by one frame's amounts ``(k,)``."""
    return np.tensordot(amounts.astype(np.float32), fields, axes=1)


class Warp:
    """Sampling maps of a clip's frames, computed only where something moves.

    The stored fields `basis` ``(k, h, w, 2)`` are a whole number of times smaller than the frames.
    """

    def __init__(self, basis: np.ndarray, width: int, height: int):
        self.width, self.height = width, height
        fields = basis.astype(np.float32)
        moved = np.abs(fields).max((0, 3)) > 0
        rows, columns = np.flatnonzero(moved.any(1)), np.flatnonzero(moved.any(0))
        # A margin keeps the enlarged window equal to a window of the enlarged field.
        top, left = max(0, rows[0] - 3), max(0, columns[0] - 3)
        bottom, right = rows[-1] + 4, columns[-1] + 4
        self.fields = np.ascontiguousarray(fields[:, top:bottom, left:right])
        scale = height // basis.shape[1]
        rows, columns = (scale * n for n in self.fields.shape[1:3])
        self.size = (columns, rows)
        self.cut = np.s_[scale * top : scale * top + rows, scale * left : scale * left + columns]
        self.x = np.arange(width, dtype=np.float32)
        self.y = np.arange(height, dtype=np.float32)[:, None]

    def sampling_map(self, amounts: np.ndarray, head: np.ndarray):
        """Where in the neutral picture each pixel comes from: x and y, ``(height, width)`` each."""
        matrix = head_matrix(head, self.width, self.height).astype(np.float32)
        maps = [(m[0] * self.x + m[2]) + m[1] * self.y for m in matrix]
        if np.any(amounts):
            field = mix(self.fields, amounts) @ matrix[:, :2].T
            for c in range(2):
                part = np.ascontiguousarray(field[..., c])
                maps[c][self.cut] += cv2.resize(part, self.size, interpolation=cv2.INTER_LINEAR)
        return maps


def displacement(fields, amounts_from, head_from, amounts_to, head_to):
    """Motion ``(h, w, 2)`` in pixels: the point at x is at ``x + d(x)`` in the other frame.

    `fields` ``(k, h, w, 2)`` are at the frames' size, see `expand`; amounts are ``(k,)``, heads
    ``(4,)``. The warp is solved for the points of the skin.
    """
    height, width = fields.shape[1:3]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    # v: where the points lie in the neutral picture.
    matrix = head_matrix(head_from, width, height).astype(np.float32)
    v = (grid + mix(fields, amounts_from)) @ matrix[:, :2].T + matrix[:, 2]
    matrix = head_matrix(head_to, width, height)
    inverse = np.linalg.inv(matrix[:, :2])
    w = (v - matrix[:, 2].astype(np.float32)) @ inverse.T.astype(np.float32)
    field = mix(fields, amounts_to)
    y = w
    for _ in range(8):  # y = w - field(y), solved by fixed-point iteration
        y = w - cv2.remap(
            field, y[..., 0], y[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return (y - grid).astype(np.float32)


@dataclass(frozen=True)
class Truth(Motion):
    """Truth of one clip.

    Attributes
    ----------
    clip_id : str
    width, height : int
        Size of the frames in pixels.
    units, sides : tuple
        Action unit of each field and its side ("", "L" or "R").
    basis : (k, h, w, 2) float16
        Inverse displacement field of each unit, on a coarser grid than the frames.
    frames_sha256 : str
        Digest of the frames this is the truth of, as `elrcn.databases.folders.scan_clip` gives it.
    corpus_key : str
        What the corpus is made of, see `elrcn.corpus.write.corpus_key`.
    """

    clip_id: str
    width: int
    height: int
    units: tuple[int, ...]
    sides: tuple[str, ...]
    basis: np.ndarray
    frames_sha256: str
    corpus_key: str

    @cached_property
    def fields(self) -> np.ndarray:
        """The basis at the frames' size, ``(k, height, width, 2)`` float32."""
        return expand(self.basis, self.width, self.height)

    def row(self, frame_number: int) -> int:
        """Index of a frame number among `numbers`.

        Raises
        ------
        ElrcnError
            If the clip has no such frame.
        """
        where = np.flatnonzero(self.numbers == frame_number)
        if not len(where):
            raise ElrcnError(
                f"Clip {self.clip_id} has no frame {frame_number}.",
                fix=f"choose one of {self.numbers[0]} to {self.numbers[-1]}",
            )
        return int(where[0])

    def displacement(self, frame_number: int, reference: int | None = None) -> np.ndarray:
        """Return the true displacement from `reference` (default: the onset) to a frame.

        Head motion is included; a blink is not.

        Returns
        -------
        (height, width, 2) float32
            Pixels, x to the right and y downwards: the point at x in the reference is at
            ``x + displacement(x)`` in the frame.
        """
        a = self.row(self.onset if reference is None else reference)
        b = self.row(frame_number)
        return displacement(
            self.fields, self.amounts[a], self.head[a], self.amounts[b], self.head[b]
        )

    @cached_property
    def masks(self) -> dict[int, np.ndarray]:
        """Where each action unit moves the skin: ``{number: (height, width) bool}``."""
        masks: dict[int, np.ndarray] = {}
        for number, field in zip(self.units, self.fields, strict=True):
            mask = field_mask(field)
            masks[number] = masks[number] | mask if number in masks else mask
        return masks


_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


def truth_path(root: Path, clip_id: str) -> Path:
    """File that holds the truth of a clip such as ``CASME2/sub01/EP02_01f``."""
    return Path(root) / "truth" / f"{clip_id}.npz"


def load_truth(root: str | Path, clip_id: str) -> Truth:
    """Read the truth of a clip, such as ``SAMM/006/006_1_2``, of the synthetic dataset at `root`.

    Raises
    ------
    ElrcnError
        If there is none: real databases have no truth.
    """
    path = truth_path(Path(root), clip_id)
    try:
        with np.load(path, allow_pickle=False) as data:
            values = {name: data[name] for name in data.files}
        shape_and_times = (int(v) for v in values.pop("shape_and_times"))
        values |= zip(("width", "height", "onset", "apex", "offset"), shape_and_times, strict=True)
        values["units"] = tuple(int(u) for u in values["units"])
        values["sides"] = tuple(str(s) for s in values["sides"])
        for name in ("frames_sha256", "corpus_key"):
            values[name] = str(values[name])
        return Truth(clip_id=clip_id, **values)
    except FileNotFoundError:
        what = f"No true motion is known for clip {clip_id}."
        fix = "only the embedded corpus has it: check the clip id and the corpus folder"
        raise ElrcnError(what, where=path, fix=fix) from None
    except _BROKEN as error:
        raise ElrcnError(f"The truth file is broken: {error}", where=path) from None


def save_truth(root: Path, truth: Truth) -> None:
    """Write the truth of one clip of the corpus at `root`. Same values, same bytes."""
    with replacing(truth_path(root, truth.clip_id)) as part, open(part, "wb") as file:
        np.savez_compressed(
            file,
            shape_and_times=np.array(
                (truth.width, truth.height, truth.onset, truth.apex, truth.offset)
            ),
            numbers=truth.numbers,
            units=np.array(truth.units, np.int64),
            sides=np.array(truth.sides, "U1"),
            basis=truth.basis.astype(np.float16),
            amounts=truth.amounts,
            head=truth.head,
            blink=truth.blink,
            frames_sha256=np.array(truth.frames_sha256),
            corpus_key=np.array(truth.corpus_key),
        )
