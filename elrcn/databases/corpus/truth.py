"""What only a synthetic corpus knows: the true motion, action-unit masks and apex of a clip.

Nothing of the pipeline reads this; pages and tests compare against it.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from elrcn.databases.corpus.motion import displacement, expand
from elrcn.databases.corpus.units import field_mask
from elrcn.errors import ElrcnError
from elrcn.files import replacing


@dataclass(frozen=True)
class Truth:
    """Truth of one clip.

    Attributes
    ----------
    clip_id : str
    width, height : int
        Size of the frames in pixels.
    numbers : (n,) int
        Frame numbers in the folder.
    onset, apex, offset : int
        True frame numbers; the label sheet may leave the apex out.
    units, sides : tuple
        Action unit of each field and its side ("", "L" or "R").
    basis : (k, h, w, 2) float16
        Inverse displacement field of each unit, on a coarser grid than the frames.
    amounts : (n, k) float32
        Pixels of each field at each frame.
    head : (n, 4) float32
        Head shift x, y (pixels), turn (radians) and log scale.
    blink : (n,) float32
        Lid closure, 0 open to 1 closed.
    frames_sha256 : str
        Digest of the frames this is the truth of, as `elrcn.databases.frames.scan_clip` gives it.
    corpus_key : str
        What the corpus is made of, see `elrcn.databases.corpus.receipt.corpus_key`.
    """

    clip_id: str
    width: int
    height: int
    numbers: np.ndarray
    onset: int
    apex: int
    offset: int
    units: tuple[int, ...]
    sides: tuple[str, ...]
    basis: np.ndarray
    amounts: np.ndarray
    head: np.ndarray
    blink: np.ndarray
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


def truth_path(root: Path, clip_id: str) -> Path:
    """File that holds the truth of a clip such as ``CASME2/sub01/EP02_01f``."""
    return Path(root) / "truth" / f"{clip_id}.npz"


def load_truth(root: str | Path, clip_id: str) -> Truth:
    """Read the truth of one clip of the embedded corpus.

    Parameters
    ----------
    root : path
        Folder given to `make_corpus`.
    clip_id : str
        ``CASME2/sub01/EP02_01f`` or ``SAMM/006/006_1_2``.

    Raises
    ------
    ElrcnError
        If there is none: real databases have no truth.
    """
    path = truth_path(Path(root), clip_id)
    try:
        with np.load(path, allow_pickle=False) as data:
            values = {name: data[name] for name in data.files}
        width, height, onset, apex, offset = (int(v) for v in values["shape_and_times"])
        return Truth(
            clip_id=clip_id,
            width=width,
            height=height,
            numbers=values["numbers"],
            onset=onset,
            apex=apex,
            offset=offset,
            units=tuple(int(u) for u in values["units"]),
            sides=tuple(str(s) for s in values["sides"]),
            basis=values["basis"],
            amounts=values["amounts"],
            head=values["head"],
            blink=values["blink"],
            frames_sha256=str(values["frames_sha256"]),
            corpus_key=str(values["corpus_key"]),
        )
    except FileNotFoundError:
        raise ElrcnError(
            f"No true motion is known for clip {clip_id}.",
            where=path,
            fix="only the embedded corpus has it: check the clip id and the corpus folder",
        ) from None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ElrcnError(f"The truth file is broken: {error}", where=path) from None


def save_truth(path: Path, width: int, height: int, motion, units, sides, basis, **made) -> None:
    """Write the truth of one clip, with `made` (``frames_sha256``, ``corpus_key``) as text.

    Same values, same bytes.
    """
    with replacing(path) as part, open(part, "wb") as file:
        np.savez_compressed(
            file,
            shape_and_times=np.array((width, height, motion.onset, motion.apex, motion.offset)),
            numbers=motion.numbers,
            units=np.array(units, np.int64),
            sides=np.array(sides, "U1"),
            basis=basis.astype(np.float16),
            amounts=motion.amounts,
            head=motion.head,
            blink=motion.blink,
            **{name: np.array(value) for name, value in made.items()},
        )
