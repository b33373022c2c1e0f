"""From linear light to 8-bit pixels: exposure, tone curve, lens, grey."""

from __future__ import annotations

import cv2
import numpy as np


def develop(linear: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """Linear RGB as display values 0 to 255 (float32), highlights rolled off softly."""
    value = np.clip(linear * np.float32(exposure), 0, None)
    value = np.where(value > 0.7, 0.7 + 0.3 * np.tanh((value - 0.7) / 0.3), value)
    return (255 * value ** np.float32(1 / 2.2)).astype(np.float32)


def reduce(image: np.ndarray, width: int, height: int, softness: float) -> np.ndarray:
    """Area-average to ``(height, width)`` and blur by the lens (`softness` in output pixels)."""
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), softness) if softness > 0.05 else small


def grey(rgb: np.ndarray) -> np.ndarray:
    """Luma of display RGB, as cv2.cvtColor computes it."""
    return rgb @ np.array((0.299, 0.587, 0.114), np.float32)
