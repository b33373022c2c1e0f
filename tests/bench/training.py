"""Training: the library's loop against plain torch, folds side by side, work never repeated."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec

import numpy as np

from .competitors import Spec, competitor
from .harness import Row, compare, interleave

STAGE = "training"
PLAIN, OURS = "torch, plain (NCHW, Adam as it comes)", "elrcn"
_GB = 2**30


def _agreement(competitors, runs):
    """Greatest relative difference of the losses from the yardstick's, after the same work."""
    expected, found = competitors[PLAIN].answer, {}
    for name in runs:
        if name != PLAIN:
            answer = competitors[name].answer
            losses = [k for k in ("loss", "temporal") if k in expected]
            apart = max(abs(answer[k] / expected[k] - 1) for k in losses)
            found[name] = (apart, 0.01)
    return found


def _folds(size: str, network: str, clips: int, epochs: int, rounds: int, goal: float | None):
    """One fold by plain torch and by the library, each with and without allocator settings."""
    specs = {
        PLAIN: Spec("plain", network, clips, epochs, allocator=False),
        "torch, plain, allocator set": Spec("plain", network, clips, epochs),
        "elrcn, allocator not set": Spec("ours", network, clips, epochs, allocator=False),
        OURS: Spec("ours", network, clips, epochs),
    }
    with ExitStack() as stack:
        made = {name: stack.enter_context(competitor(spec)) for name, spec in specs.items()}
        seconds = interleave({name: one.ask for name, one in made.items()}, rounds)
        return compare(
            STAGE, size, seconds, PLAIN, 1,
            goals={OURS: goal},
            agreement=_agreement(made, seconds),
            peaks={name: one.answer["peak_mb"] for name, one in made.items()},
            notes={OURS: "apart: relative difference of the loss after the same updates"},
        )  # fmt: skip


def _side_by_side(clips: int, rounds: int):
    """Two folds on two cores: two processes with a thread each, or one with two threads."""
    one_process, two = "one process, two threads", "two processes, a thread each"
    with ExitStack() as stack:
        wide = stack.enter_context(competitor(Spec("ours", "demo", clips, threads=2)))
        pair = [stack.enter_context(competitor(Spec("ours", "demo", clips))) for _ in range(2)]

        def both():
            for one in pair:
                one.send()
            for one in pair:
                one.receive()

        runs = {one_process: lambda: (wide.ask(), wide.ask()), two: both}
        seconds = interleave(runs, rounds, units=dict.fromkeys(runs, 2))
    return compare(STAGE, f"fold of {clips} clips, 24 px, on two cores", seconds, one_process, 2)


def _reuse(clips: int, epochs: int, rounds: int):
    """SE with another temporal stage, when its spatial network was trained before."""
    train, reuse = "spatial and temporal stage trained", "temporal stage from stored features"
    with competitor(Spec("study", "demo", clips, epochs)) as one:
        runs = {train: lambda: one.ask("train"), reuse: lambda: one.ask("reuse")}
        seconds = interleave(runs, rounds)
        chances = [np.array(one.ask(job)["chances"]) for job in ("train", "reuse")]
    apart = float(np.abs(chances[0] - chances[1]).max())
    return compare(
        STAGE,
        f"fold of {clips} clips, 24 px, {epochs} spatial epochs",
        seconds,
        train,
        1,
        agreement={reuse: (apart, 0.0)},
        notes={reuse: "apart: greatest difference of a probability"},
    )


def _vgg16(batch: int, rounds: int):
    """One step of VGG-16; Keras too, where it is installed."""
    import psutil

    size = f"step of {batch} frames, 5 x 224 x 224, VGG-16"
    free = psutil.virtual_memory().available / _GB
    if free < 14:
        note = f"not measured: needs 14 GB of free memory, {free:.0f} found"
        return [Row(STAGE, OURS, size, 2, 0, float("nan"), note=note)]
    threads = 2
    specs = {
        PLAIN: Spec("plain", "vgg16", batch, threads=threads, allocator=False),
        OURS: Spec("ours", "vgg16", batch, threads=threads),
    }
    keras = find_spec("keras") is not None
    if keras:
        specs["Keras"] = Spec("keras", "vgg16", batch, threads=threads)
    with ExitStack() as stack:
        made = {name: stack.enter_context(competitor(spec)) for name, spec in specs.items()}
        seconds = interleave({name: one.ask for name, one in made.items()}, rounds)
        peaks = {name: one.answer["peak_mb"] for name, one in made.items()}
    told = "" if keras else "Keras is not installed here, so its step is not compared"
    rows = compare(STAGE, size, seconds, PLAIN, threads, peaks=peaks, notes={OURS: told})
    if keras:
        against = {name: seconds[name] for name in ("Keras", OURS)}
        rows += compare(STAGE, size, against, "Keras", threads, goals={OURS: 0.95})
    return rows


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    clips, rounds = (6, 1) if quick else (110, 7)
    rows = _folds(f"fold of {clips} clips, 64 px, 1 epoch", "small", clips, 1, rounds, 2.3)
    rows += _folds(f"fold of {clips} clips, 24 px, 3 epochs", "demo", clips, 3, rounds, None)
    rows += _side_by_side(clips, rounds)
    rows += _reuse(clips, 2 if quick else 40, 1 if quick else 3)
    if not quick:
        rows += _vgg16(8, 2)
    return rows
