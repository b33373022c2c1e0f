"""Drawing on arrays: layers and their masks, and what a camera makes of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np


@dataclass(frozen=True)
class Canvas:
    """Where a face lies in a picture."""

    width: int  # pixels, of the picture
    height: int
    unit: float  # pixels per face unit
    cx: float  # pixel of the point midway between the eyes
    cy: float

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Face coordinates of the pixel centres, two float32 arrays ``(height, width)``."""
        x = (np.arange(self.width, dtype=np.float32) - self.cx) / self.unit
        y = (np.arange(self.height, dtype=np.float32) - self.cy) / self.unit
        return np.meshgrid(x.astype(np.float32), y.astype(np.float32))

    def oversampled(self, factor: int) -> Canvas:
        """Return the same view with `factor` times the pixels along each side."""
        return replace(
            self,
            width=self.width * factor,
            height=self.height * factor,
            unit=self.unit * factor,
            cx=(self.cx + 0.5) * factor - 0.5,
            cy=(self.cy + 0.5) * factor - 0.5,
        )

    def window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[Canvas, tuple]:
        """Return the part of this view between face coordinates, and the slices that cut it out."""
        left, right = (round(v * self.unit + self.cx) for v in (x0, x1))
        top, bottom = (round(v * self.unit + self.cy) for v in (y0, y1))
        left, top = max(0, left), max(0, top)
        right, bottom = min(self.width, right), min(self.height, bottom)
        part = replace(
            self, width=right - left, height=bottom - top, cx=self.cx - left, cy=self.cy - top
        )
        return part, np.s_[top:bottom, left:right]

    def blur(self, image: np.ndarray, sigma: float) -> np.ndarray:
        """Gaussian blur with `sigma` in face units; wide blurs are done on a reduced image."""
        pixels = sigma * self.unit
        shrink = int(pixels // 6)
        if shrink > 1:
            size = (max(1, self.width // shrink), max(1, self.height // shrink))
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            small = cv2.GaussianBlur(small, (0, 0), pixels / shrink)
            return cv2.resize(small, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        return cv2.GaussianBlur(image, (0, 0), max(pixels, 0.05))

    def noise(self, rng: np.random.Generator, sigma: float) -> np.ndarray:
        """Smooth noise of unit variance whose grains are about `sigma` face units wide."""
        pixels = sigma * self.unit
        shrink = max(1, int(pixels // 3))
        shape = (self.height // shrink + 2, self.width // shrink + 2)
        field = rng.standard_normal(shape, dtype=np.float32)
        field = cv2.GaussianBlur(field, (0, 0), max(pixels / shrink, 0.05))
        field /= max(float(field.std()), 1e-6)
        if shrink > 1:
            size = (shape[1] * shrink, shape[0] * shrink)
            field = cv2.resize(field, size, interpolation=cv2.INTER_CUBIC)
        return np.ascontiguousarray(field[: self.height, : self.width])


def bump(x, y, cx, cy, sx, sy, angle=0.0):
    """Gaussian of height 1 at (cx, cy) with standard deviations sx and sy, turned by `angle`."""
    dx, dy = x - np.float32(cx), y - np.float32(cy)
    if angle:
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        dx, dy = c * dx + s * dy, c * dy - s * dx
    return np.exp(-0.5 * ((dx / np.float32(sx)) ** 2 + (dy / np.float32(sy)) ** 2))


def smoothstep(value, low, high):
    """0 below `low`, 1 above `high`, a smooth cubic between (`low` may exceed `high`)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def spline(value, knots, heights):
    """Smooth curve through few points: piecewise linear, then eased by `numpy.interp` on a grid."""
    fine = np.linspace(knots[0], knots[-1], 257)
    line = np.interp(fine, knots, heights)
    width = max(3, int(257 / (3 * len(knots))) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(line, width // 2, mode="reflect", reflect_type="odd")
    smooth = np.convolve(padded, kernel, mode="valid")
    return np.interp(value, fine, smooth).astype(np.float32)


def over(base: np.ndarray, layer: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Composite `layer` with coverage `alpha` ``(h, w)`` over `base` ``(h, w, 3)``."""
    a = alpha[..., None]
    return base + (layer - base) * a


def develop(linear: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """Linear RGB as display values 0 to 255 (float32), highlights rolled off softly."""
    value = np.clip(linear * np.float32(exposure), 0, None)
    value = np.where(value > 0.7, 0.7 + 0.3 * np.tanh((value - 0.7) / 0.3), value)
    return (255 * value ** np.float32(1 / 2.2)).astype(np.float32)


def grey(rgb: np.ndarray) -> np.ndarray:
    """Luma of display RGB, as cv2.cvtColor computes it."""
    return rgb @ np.array((0.299, 0.587, 0.114), np.float32)
