"""Padded images for the compiled loops of TV-L1, and what those loops may assume of them.

Pixel (i, j) of the paper is ``[i + 1, LEFT + j]`` of a `padded` array.
"""

from __future__ import annotations

import numpy as np
from numba.core.compiler import Compiler

# Columns before the first pixel: a cache line. Compiled functions of `tvl1`, `tvl1_pyramid` and
# `tvl1_warp` hold this number: a change here is seen only once those modules change too.
LEFT = 16


class Disjoint(Compiler):
    """Compile a function whose array arguments share no memory that it writes.

    Otherwise each loop begins with a test of every pair of arrays for overlap, which for rows of
    a hundred pixels takes as long as the loop.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.state.flags.noalias = True


def padded(images: int, height: int, width: int) -> np.ndarray:
    """Zeros for `images` padded images: shape (images, height + 2, width of a row in memory).

    Rows begin at cache lines and are an odd number of them long, so that the same column of
    neighbouring rows and images does not compete for one place in the cache.
    """
    line = (LEFT + width + 1 + 15) // 16 | 1
    shape = (images, height + 2, 16 * line)
    memory = np.zeros(int(np.prod(shape)) + 16, np.float32)
    first = -memory.ctypes.data % 64 // 4
    return memory[first : first + memory.size - 16].reshape(shape)
