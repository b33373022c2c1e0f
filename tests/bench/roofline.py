"""How near the machine's limits the kernels run: counted operations and bytes over measured time.

The roofline model (Williams, Waterman and Patterson 2009, doi 10.1145/1498765.1498785) bounds a
kernel's rate by the least of the arithmetic peak and intensity (operations a byte) times bandwidth.
All on one thread.

Counting. An addition, multiplication, comparison, square root or division of floats is one
operation, a fused multiply-add two. Bytes are those of the arrays that a kernel must read and write
once a pass, whatever cache they come from: a pass that finds its arrays in a cache may lie above
the roof of the memory. `note` holds both counts of a unit, and the page divides.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from elrcn.config import PROFILES, TrainConfig
from elrcn.estimate import temporal_cost, vgg_cost
from elrcn.models.networks import VGG, TemporalHead
from elrcn.models.train import KerasAdam
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import interpolate
from elrcn.preprocess.tvl1 import LEFT, centred_gradient, iterate, linearise, padded

from .clips import moving_face
from .competitors import VGGS
from .harness import Row, interleave, use_threads

STAGE = "roofline"
#: Operations a pixel and iteration of `elrcn.preprocess.tvl1.iterate`: primal step 4 (rho), 5
#: (clamp), 6 (divergences), 8 (update), 6 (change and its sum); dual step twice 17 (differences 2,
#: norm 4, scale 3, update 6, and 2 more for the negation and clamp's sign).
SWEEP_OPERATIONS = 4 + 5 + 6 + 8 + 6 + 2 * 17
#: float32 values a pixel and iteration: flow read and written (4), the linearised problem read (4),
#: dual variables read and written (8).
SWEEP_VALUES = 4 + 4 + 8
#: Operations a pixel of `linearise`: place 8, ten weights from eight cubic polynomials 40, three
#: images of 25 samples (5 x 9 + 9), constants 12. Of the 25 samples 16 have a weight: the rest is
#: the price of gathering nothing, and counts as done.
WARP_OPERATIONS = 8 + 40 + 3 * (5 * 9 + 9) + 12
#: Values: three images and I0 and the flow read, four written.
WARP_VALUES = 3 + 1 + 2 + 4
#: Four differences, their sum 1, squares and sum 6, root 1; two values read, one written.
STRAIN_OPERATIONS, STRAIN_VALUES = 12, 3


def _roofs(quick):
    """Bandwidth of the memory and of the second cache (triad), and the arithmetic peak (GEMM)."""
    rounds = 3 if quick else 15

    def triad(values):
        a, b, c = (torch.rand(values) for _ in range(3))
        times = max(1, (1 << 22) // values)

        def run():
            for _ in range(times):
                torch.add(b, c, alpha=3.0, out=a)

        return run, times * values

    found = []
    for name, values in (("roof: memory", 1 << 24), ("roof: second cache", 40_000)):
        run, done = triad(values)
        size = f"triad of 3 x {4 * values / 1e6:.3g} MB"
        found.append((name, size, run, 2 * done, 12 * done, rounds))
    n = 256 if quick else 1024
    a, b, c = (torch.rand(n, n) for _ in range(3))
    flops, traffic = 2 * n**3, 4 * 3 * n**2
    name = "roof: arithmetic"
    size = f"matrix product of {n} x {n}, float32"
    return [*found, (name, size, lambda: torch.mm(a, b, out=c), flops, traffic, rounds)]


def _flow(quick):
    """The two kernels of TV-L1's finest scale, from the flow zero, and strain and TIM."""
    side = 64 if quick else 224
    rounds = 3 if quick else 15
    clip = moving_face(20, side, side)
    pixels = side * side
    work, flow, u = padded(13, side, side), padded(2, side, side), padded(2, side, side)
    inner = (slice(1, side + 1), slice(LEFT, LEFT + side))
    i0, images, warped, dual, change = work[0], work[1:4], work[4:8], work[8:12], work[12]
    i0[inner], images[0][inner] = clip[0], clip[5]
    centred_gradient(*images, side)
    flow += np.random.default_rng(0).normal(0, 0.2, flow.shape).astype(np.float32)
    linearise(i0, images, flow[0], flow[1], warped, side)
    iterations = 0

    def sweep():
        # The same start each time, hence the same number of iterations.
        nonlocal iterations
        u[:] = flow
        dual[:] = 0
        iterations = iterate(u[0], u[1], warped, dual, change, side)

    sweep()
    size = f"{side} x {side}"
    each = iterations * pixels
    motion = flow[:, *inner].transpose(1, 2, 0).copy()
    n, length = len(clip), 10
    return [
        ("TV-L1 inner sweep", f"{size}, {iterations} iterations", sweep,
         SWEEP_OPERATIONS * each, 4 * SWEEP_VALUES * each, rounds),
        ("TV-L1 warp", size, lambda: linearise(i0, images, flow[0], flow[1], warped, side),
         WARP_OPERATIONS * pixels, 4 * WARP_VALUES * pixels, rounds),
        ("strain", size, lambda: optical_strain(motion),
         STRAIN_OPERATIONS * pixels, 4 * STRAIN_VALUES * pixels, rounds),
        # A multiply-add a weight, frame and pixel; 8-bit frames read, float32 frames written.
        ("TIM", f"{n} frames to {length}, {size}", lambda: interpolate(clip, length),
         2 * n * (length - 2) * pixels, (n + 4 * length) * pixels, rounds),
    ]  # fmt: skip


def _step(module, x, y):
    adam = KerasAdam(module.train(), TrainConfig(lr=1e-3))

    def run():
        F.cross_entropy(module(x), y).backward()
        adam.step()

    return run


def _training(quick):
    """A step of each network: products of forward and backward pass, arrays once a layer and way.

    Bytes: every kept value is written and read forward, and it and its gradient are read or
    written backward (4 each); a parameter is read twice, and its update reads weight, gradient and
    two moments, and writes three and the gradient (10).
    """
    rounds, batch = 3 if quick else 15, 32
    found = []
    for name, config in (("24 px", PROFILES["demo"].vgg), ("64 px", VGGS["small"])):
        module = VGG(config, 5, 5).to(memory_format=torch.channels_last)
        cost = vgg_cost(config, 5, 5)
        x = torch.rand(batch, 5, config.size, config.size)
        run = _step(module, x.to(memory_format=torch.channels_last), torch.zeros(batch).long())
        found.append(("convolutional network, step", f"{name}, batch {batch}", run, cost, batch))
    temporal, inputs, frames = PROFILES["demo"].temporal, PROFILES["demo"].vgg.fc, 9
    head, cost = TemporalHead(temporal, inputs, 5), temporal_cost(temporal, inputs, frames, 5)
    run = _step(head, torch.rand(16, frames, inputs), torch.zeros(16).long())
    units = temporal.units[0]
    found.append(("LSTM, step", f"{units} units, {frames} x {inputs}, batch 16", run, cost, 16))
    return [
        (name, size, run, n * cost.training_flops,
         4 * (4 * n * (cost.kept + cost.pooled) + 10 * cost.parameters), rounds)
        for name, size, run, cost, n in found
    ]  # fmt: skip


def measure(quick: bool) -> list[Row]:
    """Rows of this stage: the roofs first."""
    rows = []
    with use_threads(1):
        for kernels in (_roofs(quick), _flow(quick), _training(quick)):
            runs = {(k[0], k[1]): k[2] for k in kernels}
            seconds = interleave(runs, kernels[0][5])
            for name, size, _, operations, traffic, rounds in kernels:
                taken = 1000 * float(np.median(seconds[name, size]))
                note = f"{operations:.6g} operations, {traffic:.6g} bytes"
                rows.append(Row(STAGE, name, size, 1, rounds, taken, note=note))
    return rows
