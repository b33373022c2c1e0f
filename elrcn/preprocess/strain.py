"""Optical strain: how much a flow field deforms what it moves (Eqs 2 to 4)."""

from __future__ import annotations

import numba
import numpy as np

from elrcn.errors import ElrcnError


@numba.njit(cache=True, nogil=True)
def _magnitude(flow, out):
    height, width = out.shape
    out[0, :] = 0
    for i in range(1, height):
        out[i, 0] = 0
        for j in range(1, width):
            u_x = flow[i, j, 0] - flow[i, j - 1, 0]
            v_x = flow[i, j, 1] - flow[i, j - 1, 1]
            u_y = flow[i, j, 0] - flow[i - 1, j, 0]
            v_y = flow[i, j, 1] - flow[i - 1, j, 1]
            shear = u_y + v_x
            out[i, j] = np.sqrt(u_x * u_x + v_y * v_y + np.float32(0.5) * shear * shear)


def optical_strain(flow: np.ndarray) -> np.ndarray:
    """Magnitude of the strain tensor of a flow field, Eq 4 of the paper.

    ``|e| = sqrt(e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2)`` with ``e_xx = du/dx``, ``e_yy = dv/dy`` and
    ``e_xy = e_yx = (du/dy + dv/dx) / 2`` (Eqs 2 and 3). The derivatives are backward differences
    with the first row and column set to zero, as in the authors' code. A translation has no
    strain; ``u = a x, v = b y`` has ``sqrt(a^2 + b^2)`` everywhere.

    Parameters
    ----------
    flow : array_like, shape (H, W, 2)
        Horizontal and vertical motion in pixels per frame.

    Returns
    -------
    ndarray, shape (H, W), float32
        Dimensionless, at least 0.

    Raises
    ------
    ElrcnError
        If `flow` is of another shape.

    References
    ----------
    Shreve et al., "Macro- and micro-expression spotting in long videos using spatio-temporal
    strain", FG 2011, doi:10.1109/FG.2011.5771451.
    """
    flow = np.ascontiguousarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ElrcnError(
            f"Optical strain needs a flow of shape (H, W, 2), not {flow.shape}.",
            fix="pass one flow field",
        )
    out = np.empty(flow.shape[:2], np.float32)
    if out.size:
        _magnitude(flow, out)
    return out
