"""Frames for the benchmarks: the reference pairs and a face that moves a little."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

REFERENCE = Path(__file__).parents[1] / "data" / "tvl1_reference"
PAIRS = ("face_smile", "photo_rotation", "photo_still_noise", "texture_bump")


@lru_cache
def reference_pairs(side: int | None = 224) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Give the four reference pairs as float32, or the middle `side` x `side` pixels of each."""
    pairs = []
    for name in PAIRS:
        images = [cv2.imread(str(REFERENCE / f"{name}_{k}.png"), 0) for k in (0, 1)]
        if side is not None:
            y, x = ((n - side) // 2 for n in images[0].shape)
            images = [image[y : y + side, x : x + side] for image in images]
        pairs.append(tuple(np.ascontiguousarray(image, np.float32) for image in images))
    return tuple(pairs)


@lru_cache
def moving_face(n: int, height: int, width: int, amplitude: float = 2.0) -> np.ndarray:
    """`n` frames of a face photograph that smiles and relaxes, with the noise of a camera.

    The motion is that of the reference pair ``face_smile``, scaled in time by a half sine of
    `amplitude` times its true motion; noise of one grey level.

    Returns
    -------
    ndarray, shape (n, height, width), uint8
    """
    face = cv2.imread(str(REFERENCE / "face_smile_0.png"), 0)
    motion = np.load(REFERENCE / "true_motion.npz")["face_smile"].astype(np.float32)
    rows, columns = face.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    rng = np.random.default_rng(2018)
    frames = np.empty((n, height, width), np.uint8)
    for t in range(n):
        part = np.float32(amplitude * np.sin(np.pi * t / max(n - 1, 1)))
        map_x, map_y = x - part * motion[..., 0], y - part * motion[..., 1]
        image = cv2.remap(face, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        noisy = image + rng.normal(0, 1, image.shape)
        frames[t] = np.clip(np.rint(noisy), 0, 255)
    return frames
