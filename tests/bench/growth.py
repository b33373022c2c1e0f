"""Growth: time and memory against clips, frames and pixels; nothing may grow faster than they do.

Each size is a process of its own, whose peak memory above its start is read after its first run.
The ratio is what linear growth from the smallest size would take over what was taken: 1 is linear,
more is better. The page fits exponents to the lines of the sizes.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from .clips import moving_face
from .competitors import Worker, serve
from .harness import Row, interleave

STAGE = "growth"
_GOAL = 0.9  # of linear growth: a tenth for the caches' sake

# Work, what grows, its sizes, and the rest of the work's arguments. Sizes of pixels are sides.
CASES = (
    ("preprocessing", "clips", (4, 8, 16), {"frames": 11, "side": 112}),
    ("preprocessing", "frames", (12, 24, 48), {"clips": 3, "side": 112}),
    ("preprocessing", "pixels", (80, 160, 320), {"clips": 2, "frames": 6}),
    ("training", "clips", (32, 64, 128), {"frames": 9, "side": 32}),
    ("training", "frames", (8, 16, 32), {"clips": 24, "side": 32}),
    ("training", "pixels", (32, 64, 128), {"clips": 12, "frames": 9}),
)


@dataclass(frozen=True)
class Clips:
    """As much of a manifest as preprocessing uses."""

    table: pd.DataFrame
    root: Path

    def __len__(self):
        return len(self.table)

    def frame_paths(self, i: int) -> list[Path]:
        """Paths of clip `i`'s frames."""
        return [self.root / name for name in self.table.iloc[i]["frames"]]


def _clips_on_disk(folder: Path, clips: int, frames: int, side: int) -> Clips:
    """JPEG frames; a clip's key must be its own, the pictures need not be."""
    names = tuple(f"{t:03d}.jpg" for t in range(frames))
    for name, image in zip(names, moving_face(frames, side, side), strict=True):
        cv2.imwrite(str(folder / name), image)
    rows = [
        {"clip_id": f"c{i}", "database": "CASME2", "frames": names, "sha256": f"{i:064x}"}
        for i in range(clips)
    ]
    return Clips(pd.DataFrame(rows), folder)


def _preprocessing(clips: int, frames: int, side: int):
    """Every frame's flow (no TIM), since with TIM a clip's cost hardly depends on its length."""
    from elrcn.config import PreprocessConfig
    from elrcn.preprocess.cache import build_clips

    config = PreprocessConfig(size=side, flow_size=side, tim_length=0, align="none")
    folder = tempfile.TemporaryDirectory()

    def prepare(clips, frames):
        place = Path(tempfile.mkdtemp(dir=folder.name))
        made = _clips_on_disk(place, clips, frames, side)

        def run():
            with tempfile.TemporaryDirectory(dir=place) as cache:
                build_clips(made, config, cache, workers=1, progress=False)

        return run

    prepare(1, 3)()  # compiled
    return prepare(clips, frames), folder


def _training(clips: int, frames: int, side: int):
    """One epoch of SE's spatial network and of its temporal stage, then its answers."""
    from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
    from elrcn.models.estimators import ELRCN

    once = TrainConfig(lr=1e-3, max_epochs=1)
    vgg = VGGConfig(side, (1, 1), (16, 32), 64)

    def prepare(clips):
        x = np.random.default_rng(0).normal(size=(clips, frames, 5, side, side))
        x, y = x.astype(np.float32), np.arange(clips) % 5
        model = ELRCN(
            vgg=vgg,
            temporal=TemporalConfig((32,)),
            spatial_train=once,
            temporal_train=once,
            scaling="standard",
            device="cpu",
            threads=1,
        )
        return lambda: model.fit(x, y).predict_proba(x)

    prepare(5)()
    return prepare(clips), None


def main(text: str) -> None:
    """Do one size's work whenever asked."""
    work, size = json.loads(text)
    run, _folder = {"preprocessing": _preprocessing, "training": _training}[work](**size)

    def job(line):
        run()
        return {}

    serve(job)


def _rows(work, axis, sizes, rest, rounds):
    """Rows of one case, a size each."""
    name = "side" if axis == "pixels" else axis
    with ExitStack() as stack:
        workers = {}
        for n in sizes:
            argument = json.dumps([work, {name: n, **rest}])
            # Without settings of the allocator: memory that is freed is given back.
            worker = Worker("tests.bench.growth", argument, allocator=False)
            workers[n * n if axis == "pixels" else n] = stack.enter_context(worker)
        seconds = interleave({n: worker.ask for n, worker in workers.items()}, rounds)
        peaks = {n: worker.answer["grown_mb"] for n, worker in workers.items()}
    other = ", ".join(f"{value} {key}" for key, value in rest.items())
    least, greatest = min(seconds), max(seconds)
    rows = []
    for n, taken in seconds.items():
        linear = np.percentile(n / least * seconds[least] / taken, [25, 50, 75])
        low, middle, high = map(float, linear)
        rows.append(
            Row(
                STAGE,
                f"{work} against {axis}",
                f"{n} {axis}",
                1,
                rounds,
                ms=1000 * float(np.median(taken)),
                ratio=middle,
                ratio_low=low,
                ratio_high=high,
                yardstick="linear growth",
                goal=_GOAL if n == greatest else None,
                peak_mb=peaks[n],
                note=f"all in all; {other}; memory above the process's own",
            )
        )
    return rows


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    rows = []
    for work, axis, sizes, rest in CASES:
        rows += _rows(work, axis, sizes, rest, 1 if quick else 3)
        if quick:
            break
    return rows


if __name__ == "__main__":
    main(sys.argv[1])
