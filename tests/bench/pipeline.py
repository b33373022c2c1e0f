"""Frame files to stacks on disk: the library against the chain one would write first.

Clips are JPEG frames of 280 x 340 pixels in CASME II's layout, as many and about as long as its
own. The naive chain takes seconds a clip, so it is timed on clips drawn from them, interleaved with
ours on the same clips; ours runs over all of them besides, in a process of its own, whose time and
peak memory are the stage's last line.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import cycle, pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from elrcn.config import PreprocessConfig
from elrcn.files import write_array
from elrcn.manifest import Manifest
from elrcn.preprocess.cache import build_clips
from elrcn.preprocess.clips import in_time, read_clip
from elrcn.preprocess.flow import flow_image, flow_sequence, tvl1_flow
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import frames_needed

from .clips import moving_face
from .harness import Row, compare, interleave, use_threads
from .strain import strain_gradient
from .tim import LENGTH, interpolate_svd

CLIPS, HEIGHT, WIDTH = 246, 340, 280
SHORTEST, LONGEST = 24, 141
DRAWN, ROUNDS = 4, 3  # clips of a round, rounds
TOLERANCE = 0.05  # grey levels of 0..255, of the channel that both chains compute alike
NAIVE, OURS = "naive chain, one process", "elrcn"
STEPS = "elrcn, one thread: "


def clip_lengths(clips: int) -> np.ndarray:
    """Frames from onset to offset, distributed about as CASME II's: a third of a second."""
    lengths = np.random.default_rng(2).lognormal(np.log(64), 0.3, clips)
    return np.clip(np.rint(lengths), SHORTEST, LONGEST).astype(int)


def write_clips(folder: Path, clips: int, height: int = HEIGHT, width: int = WIDTH) -> Manifest:
    """Frames of `clips` clips on disk, and their manifest.

    A clip is a part of one film, and its files are links to the film's: other frames would take
    the same time. What tells clips apart for the cache is their hash.
    """
    frames = moving_face(LONGEST, height, width)
    film = folder / "film"
    film.mkdir()
    for t, frame in enumerate(frames):
        cv2.imwrite(str(film / f"{t}.jpg"), frame)
    rows = []
    starts = np.random.default_rng(3)
    for i, n in enumerate(clip_lengths(clips).tolist()):
        first = int(starts.integers(0, LONGEST - n + 1))
        place = Path("Cropped", f"sub{i % 26 + 1:02d}", f"EP{i:03d}")
        (folder / place).mkdir(parents=True)
        names = tuple(str(place / f"reg_img{t + 1}.jpg") for t in range(n))
        for t, name in enumerate(names):
            os.link(film / f"{first + t}.jpg", folder / name)
        rows.append(
            {
                "clip_id": f"CASME2/sub{i % 26 + 1:02d}/EP{i:03d}",
                "database": "CASME2",
                "subject": f"CASME2/sub{i % 26 + 1:02d}",
                "frames": names,
                "onset": 1,
                "apex": n // 2,
                "offset": n,
                "fps": 200,
                "action_units": "12",
                "emotion": "happiness",
                "objective_class": "I",
                "sha256": f"{i:064x}",
            }
        )
    return Manifest(pd.DataFrame(rows), {"CASME2": folder})


def naive_clip(paths, side: int, target: Path) -> np.ndarray:
    """One clip by OpenCV's decoder, the SVD program, OpenCV's default flow and numpy's strain."""
    frames = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    size = (side, side)
    frames = [cv2.resize(f.astype(np.float32), size, interpolation=cv2.INTER_AREA) for f in frames]
    frames = np.clip(interpolate_svd(np.stack(frames), LENGTH), 0, 255).astype(np.float32)
    stack = []
    for first, second in pairwise(frames):
        flow = tvl1_flow(first, second, "opencv")
        magnitude = np.sqrt((flow**2).sum(axis=-1))
        stack.append(np.stack([*np.moveaxis(flow, 2, 0), magnitude, strain_gradient(flow), first]))
    stack = np.stack(stack)
    np.save(target, stack)
    return stack


def _config(side):
    return PreprocessConfig(size=side, flow_size=side, tim_length=LENGTH)


def _parts(manifest, side, rounds):
    """Rows of what our chain does with a clip of middle length, each part by itself."""
    i = int(np.argsort(clip_lengths(len(manifest)))[len(manifest) // 2])
    paths, config = manifest.frame_paths(i), _config(side)
    clip = read_clip(paths, side)
    frames = in_time(clip, config)
    flows = flow_sequence(frames)
    stack = np.zeros((LENGTH - 1, 5, side, side), np.float32)

    def channels():
        for t, flow in enumerate(flows):
            flow_image(flow)
            optical_strain(flow)
            stack[t, 4] = frames[t]

    with tempfile.TemporaryDirectory() as place, use_threads(1):
        runs = {
            f"decode and resize {len(paths)} frames": lambda: read_clip(paths, side),
            "TIM": lambda: in_time(clip, config),
            "flow": lambda: flow_sequence(frames),
            "magnitude and strain": channels,
            "write": lambda: write_array(Path(place, "stack.npy"), stack),
        }
        seconds = interleave(runs, rounds)
    return [
        Row(
            "pipeline",
            STEPS + name,
            "clip of middle length",
            1,
            rounds,
            1000 * float(np.median(taken)),
        )
        for name, taken in seconds.items()
    ]


def _whole(folder, manifest_file, side):
    """Time and peak memory of our chain over all clips, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.pipeline", str(folder), manifest_file, str(side)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main(folder: str, manifest_file: str, side: str) -> None:
    """Build all stacks once and print time and peak memory; compiled code is loaded before."""
    table = pd.read_json(manifest_file, dtype={"sha256": str, "action_units": str})
    manifest = Manifest(table.assign(frames=table["frames"].map(tuple)), {"CASME2": Path(folder)})
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        build_clips(manifest.subset([0]), _config(int(side)), cache, progress=False)
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        start = time.perf_counter()
        build_clips(manifest, _config(int(side)), cache, progress=False)
        seconds = time.perf_counter() - start
    # Linux counts kilobytes, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / (1024**2 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    clips, side = (3, 32) if quick else (CLIPS, 224)
    rounds, drawn = (1, 1) if quick else (ROUNDS, DRAWN)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        height, width = (68, 56) if quick else (HEIGHT, WIDTH)
        manifest = write_clips(folder, clips, height, width)
        lengths = clip_lengths(clips)
        # Every round's clips spread over the lengths, so that rounds are alike.
        order = np.argsort(lengths)
        draws = [
            [int(order[(2 * k + 1) * clips // (2 * drawn) - r]) for k in range(drawn)]
            for r in range(rounds)
        ]
        turns = {name: cycle(draws) for name in (NAIVE, OURS)}
        config = _config(side)

        def naive():
            for i in next(turns[NAIVE]):
                naive_clip(manifest.frame_paths(i), side, folder / "naive.npy")

        def ours():
            chosen = manifest.subset(next(turns[OURS]))
            with tempfile.TemporaryDirectory(dir=folder) as cache:
                build_clips(chosen, config, cache, progress=False)

        one = manifest.subset([int(order[0])])
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            mine = build_clips(one, config, cache, progress=False)[0]
        grey = naive_clip(one.frame_paths(0), side, folder / "naive.npy")[:, 4]
        apart = float(np.abs(mine[:, 4] - grey).max())
        with use_threads(cores):
            seconds = interleave(
                {NAIVE: naive, OURS: ours}, rounds, dict.fromkeys(turns, drawn), warm=False
            )
        need = sum(len(frames_needed(int(n), LENGTH)) for n in lengths) / lengths.sum()
        rows = compare(
            "pipeline",
            f"clip of {height} x {width} frames to {side} px, {rounds} x {drawn} clips drawn",
            seconds,
            NAIVE,
            cores,
            goals={OURS: 20},
            agreement={OURS: (apart, TOLERANCE)},
            notes={
                NAIVE: "OpenCV decode, SVD TIM, OpenCV default flow, numpy strain; libraries "
                "with all threads",
                OURS: "apart: grey channel, in levels of 0..255 (the flows are two algorithms)",
            },
        )
        rows += _parts(manifest, side, 2 if quick else 7)
        table = folder / "clips.json"
        manifest.table.to_json(table)
        whole = _whole(folder, str(table), side)
    rows.append(
        Row(
            "pipeline",
            "elrcn, all clips",
            f"clip, {clips} clips with {lengths.sum()} frames",
            cores,
            1,
            1000 * whole["seconds"] / clips,
            peak_mb=whole["peak_mb"],
            note=f"{whole['seconds']:.1f} s in all; TIM's weights are dense: it needs "
            f"{100 * need:.0f}% of the frames; goal for memory: under 1500 MB",
        )
    )
    return rows


if __name__ == "__main__":
    main(*sys.argv[1:])
