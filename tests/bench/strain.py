"""Optical strain of one flow: ours, numpy in two ways, OpenCV's filters."""

from __future__ import annotations

import cv2
import numpy as np

from elrcn.preprocess.strain import optical_strain

from .harness import Row, compare, interleave, use_threads

TOLERANCE = 1e-5  # of a strain of order 1: float32 sums in another order


def strain_gradient(flow):
    """By np.gradient, as one would write it: central differences, not the authors' backward ones.

    Only for its time: its result is another strain.
    """
    u_y, u_x = np.gradient(flow[..., 0])
    v_y, v_x = np.gradient(flow[..., 1])
    shear = 0.5 * (u_y + v_x)
    return np.sqrt(u_x**2 + v_y**2 + 2 * shear**2)


def strain_in_place(flow):
    """Backward differences in numpy, without needless temporaries."""
    u, v = flow[..., 0], flow[..., 1]
    out = np.zeros(u.shape, np.float32)
    down, across = out[1:], out[:, 1:]
    np.subtract(u[1:], u[:-1], out=down)
    across += v[:, 1:]
    across -= v[:, :-1]
    np.square(out, out=out)
    out *= np.float32(0.5)
    part = u[:, 1:] - u[:, :-1]
    np.square(part, out=part)
    across += part
    part = v[1:] - v[:-1]
    np.square(part, out=part)
    down += part
    np.sqrt(out, out=out)
    return out


_ACROSS = np.float32([[-1, 1, 0]])


def strain_filters(flow):
    """Backward differences by cv2.filter2D."""
    # A border that repeats makes the difference across a missing neighbour zero.
    border = cv2.BORDER_REPLICATE
    u_x, v_x = cv2.split(cv2.filter2D(flow, -1, _ACROSS, borderType=border))
    u_y, v_y = cv2.split(cv2.filter2D(flow, -1, _ACROSS.T, borderType=border))
    shear = u_y + v_x
    return np.sqrt(u_x * u_x + v_y * v_y + np.float32(0.5) * shear * shear)


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    side = 32 if quick else 224
    rng = np.random.default_rng(0)
    flow = cv2.GaussianBlur(rng.normal(size=(side, side, 2)).astype(np.float32), (0, 0), 2)
    ours = "elrcn, one compiled pass"
    runs = {
        "numpy.gradient (central differences)": lambda: strain_gradient(flow),
        "numpy, in place": lambda: strain_in_place(flow),
        "OpenCV filter2D": lambda: strain_filters(flow),
        ours: lambda: optical_strain(flow),
    }
    central, _, yardstick, _ = runs
    expected = strain_in_place(flow)
    apart = {
        name: (float(np.abs(runs[name]() - expected).max()), TOLERANCE)
        for name in (yardstick, ours)
    }
    with use_threads(1):
        seconds = interleave(runs, 2 if quick else 40, repeats={name: 20 for name in runs})
    return compare(
        "strain",
        f"frame of {side} x {side}",
        seconds,
        yardstick,
        threads=1,
        goals={ours: 8},
        agreement=apart,
        notes={central: "another strain, for its time only", yardstick: "the fastest alternative"},
    )
