"""Motion summed from onset on, region by region: a simple rival of the networks.

It sees the flow stacks that the networks see. That onset and apex alone describe a clip well is
from Liong, See, Wong and Phan 2018, "Less is more: micro-expression recognition from video using
apex frame", arXiv 1606.01721.
"""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from elrcn.errors import ElrcnError
from elrcn.features.base import ClipDescriptor, LinearSVM, block_means

#: Channels of a stack that are summed: p, q and strain (`elrcn.preprocess.clips.CHANNELS`).
SUMMED = (0, 1, 3)


def apex_step(flow: np.ndarray) -> int:
    """Step (0..T - 1) after which the face is displaced most from onset.

    The flows (T, 2, H, W) of the steps, p and q, are added up pixel by pixel; the apex is where the
    mean length of the sums is greatest, the first such step if several are.
    """
    p, q = np.cumsum(flow, axis=0, dtype=np.float64).swapaxes(0, 1)
    return int(np.hypot(p, q).mean(axis=(1, 2)).argmax())


#: Where the sums of `FlowSums` may end.
ENDS = ("apex", "middle")


class FlowSums(ClipDescriptor):
    """Flow and strain summed from onset on and averaged over regions; 108 values by default.

    Parameters
    ----------
    until : {"apex", "middle"}
        Sum up to the apex of the summed motion (`apex_step`), or over the first half of the steps.
    blocks : tuple of int
        (rows, columns) into which the frame is divided.
    progress : bool
        Show a bar over the clips.

    Notes
    -----
    The apex is found in the flow itself, never read from a label sheet. Summed errors of the flow
    and motion of the head often exceed a micro-expression, so that the sums' greatest length tends
    to lie late in the clip; the middle needs no estimate (``data_manifest/demo_tuning.csv``), but
    counts all steps, also those that fill up a clip without TIM. Flow is added at each pixel, not
    followed along its path: a micro-expression moves skin by a pixel or so. Features are ordered
    p, q, strain, in it block by block (row, column).
    """

    channels = 4

    def __init__(self, until: str = "apex", blocks=(6, 6), progress: bool = False):
        self.until = until
        self.blocks = blocks
        self.progress = progress

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Describe one clip (T, channels, H, W): p, q, |v|, strain in channels 0 to 3.

        Returns
        -------
        numpy.ndarray of float64, shape (3 * blocks,)
            p and q in pixels, strain without a unit.

        Raises
        ------
        ElrcnError
            If a frame has fewer rows or columns than blocks, or there is no such end.
        """
        if len(self.blocks) != 2:
            raise ElrcnError("Flow sums take two numbers of blocks.")
        if self.until not in ENDS:
            raise ElrcnError(f"Flow is not summed until {self.until!r}.", fix=" or ".join(ENDS))
        steps = apex_step(clip[:, :2]) + 1 if self.until == "apex" else max(1, len(clip) // 2)
        sums = clip[:steps, SUMMED].sum(axis=0, dtype=np.float64)
        for axis, blocks, what in zip((1, 2), self.blocks, ("rows", "columns"), strict=True):
            sums = block_means(sums, axis, blocks, what)
        return sums.ravel()


def flow_sums_svm(C: float = 1.0, **options) -> Pipeline:
    """`FlowSums` with `options`, standardised over the training clips, and `LinearSVM`.

    The penalty `C` of 1 suits standardised values. Steps: ``features``, ``scale``, ``svm``.
    """
    features, scale, svm = FlowSums(**options), StandardScaler(), LinearSVM(C=C)
    return Pipeline([("features", features), ("scale", scale), ("svm", svm)])
