"""Where a network runs, and the one training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from elrcn.config import TrainConfig
from elrcn.errors import ElrcnError

DEVICES = ("auto", "cpu", "cuda", "mps")
_WIDE, _MANY = 64, 8  # input channels, and convolutions that have them: see `memory_format`


def resolve_device(name: str = "auto") -> torch.device:
    """Return the torch device called `name`.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda", "cuda:N", "mps"}
        "auto" takes CUDA if there is one, else Apple's MPS, else the CPU.

    Raises
    ------
    ElrcnError
        If the name is unknown or this machine has no such device.
    """
    name = str(name)
    kind, _, number = name.partition(":")
    if kind not in DEVICES or (number and (kind != "cuda" or not number.isdigit())):
        raise ElrcnError(
            f"There is no device called {name!r}.", fix=f"choose one of: {', '.join(DEVICES)}"
        )
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = {"cuda": cuda, "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if kind == "auto":
        return torch.device(next(device for device, count in devices.items() if count))
    if int(number or 0) >= devices[kind]:
        fix = 'use device "auto" or "cpu", or install the build of torch for that device'
        if devices[kind]:
            fix = f"number the {devices[kind]} CUDA device(s) from 0"
        raise ElrcnError(f"The device {name!r} is not available on this machine.", fix=fix)
    return torch.device(name)


def memory_format(device: torch.device, module: nn.Module | None = None) -> torch.memory_format:
    """Layout of images and filters that convolutions are fastest with on `device`.

    Channels last, but not on Apple's MPS, and not for training VGG-16 on processors that have AVX2
    and no AVX-512: there the backward pass of wide convolutions took twice as long so, and a whole
    step a quarter longer. Narrow networks, whose time is in pooling too, are faster so everywhere.

    Parameters
    ----------
    device : torch.device
        Where it computes.
    module : nn.Module, optional
        What is trained; left out for the forward pass alone.
    """
    if device.type == "mps":
        return torch.contiguous_format
    on_avx2 = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"
    if module is not None and on_avx2:
        layers = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
        if sum(m.in_channels >= _WIDE for m in layers) >= _MANY:
            return torch.contiguous_format
    return torch.channels_last


@contextmanager
def reproducible(device: torch.device, seed: int, threads: int):
    """Run a block whose result depends on `seed`, `threads` and the machine, on nothing else.

    Random state, thread count and convolution settings of the process are as before afterwards.
    On a CPU, numbers below 1.2e-38 count as zero meanwhile: moments of Adam that fade out there
    (units without gradient) would take a hundred cycles an operation, and move no weight.
    On a CPU the block is bit-reproducible for a fixed number of threads; on CUDA deterministic
    convolution algorithms are asked for, which makes it so in practice.

    Parameters
    ----------
    device : torch.device
        Where the block computes.
    seed : int
        Seed of torch's generators inside the block.
    threads : int
        CPU threads of torch inside the block (never taken from the number of workers).
    """
    before = torch.get_num_threads()
    cuda = [device.index or 0] if device.type == "cuda" else []
    flush = device.type == "cpu" and torch.set_flush_denormal(True)
    try:
        torch.set_num_threads(max(1, int(threads)))
        with (
            torch.random.fork_rng(devices=cuda),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            torch.manual_seed(seed % 2**63)
            yield
    finally:
        torch.set_num_threads(before)
        if flush:
            torch.set_flush_denormal(False)


@dataclass
class History:
    """What a training did: mean loss of each epoch, updates made in all, where it stopped."""

    losses: list[float] = field(default_factory=list)
    updates: int = 0
    stopped_early: bool = False


#: Where Adam's epsilon stands, see `KerasAdam`.
EPSILONS = ("torch", "keras")


class KerasAdam:
    """Adam (Kingma and Ba, arXiv 1412.6980) under Keras' schedule lr_t = lr / (1 + decay t).

    t counts the updates made so far; each is a step of torch's fused Adam.

    With m and v the running means of the gradient and of its square, update t + 1 is

    - ``epsilon="torch"`` (Algorithm 1 of the paper):
      p -= lr_t m / (1 - .9^(t+1)) / (sqrt(v / (1 - .999^(t+1))) + 1e-8);
    - ``epsilon="keras"`` (the form at the end of its Section 2, "epsilon hat", which Keras 2 has):
      p -= lr_t sqrt(1 - .999^(t+1)) / (1 - .9^(t+1)) m / (sqrt(v) + 1e-8),
      which is torch's with 1e-8 / sqrt(1 - .999^(t+1)) in place of 1e-8: 3.2e-7 at first.

    Parameters
    ----------
    module : nn.Module
        What is trained.
    config : TrainConfig
        Rate, decay and place of epsilon; betas 0.9 and 0.999, epsilon 1e-8 as in the authors' code.
    updates_before : int
        Updates an optimizer shared with earlier models has counted already (quirk
        `shared_optimizer`): the schedule and the bias correction continue from there, while the
        moments of these new weights start at zero, as in Keras.

    Raises
    ------
    ElrcnError
        If ``config.epsilon`` is neither.
    """

    def __init__(self, module: nn.Module, config: TrainConfig, updates_before: int = 0):
        if config.epsilon not in EPSILONS:
            raise ElrcnError(
                f"There is no epsilon of Adam called {config.epsilon!r}.", fix="torch or keras"
            )
        self.config, self.updates = config, int(updates_before)
        parameters = [p for p in module.parameters() if p.requires_grad]
        self.adam = torch.optim.Adam(parameters, betas=(0.9, 0.999), fused=True)
        if updates_before:
            for p in parameters:
                # On the device, so that the kernel's bias correction waits for nothing.
                step = torch.tensor(float(updates_before), device=p.device)
                means = torch.zeros_like(p, memory_format=torch.preserve_format)
                self.adam.state[p] = {
                    "step": step, "exp_avg": means, "exp_avg_sq": means.clone(),
                }  # fmt: skip

    def step(self) -> None:
        """One update; the gradients are dropped. Parameters without a gradient stay."""
        epsilon = 1e-8
        if self.config.epsilon == "keras":
            epsilon /= math.sqrt(1 - 0.999 ** (self.updates + 1))
        for group in self.adam.param_groups:
            group["lr"] = self.config.lr / (1 + self.config.decay * self.updates)
            group["eps"] = epsilon
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        self.updates += 1


@contextmanager
def frozen(layers: Iterable[nn.Module]):
    """Keep the weights of `layers` as they are while the context lasts.

    Gradients are asked for again afterwards: Grad-CAM needs them of a trained network.
    """
    parameters = [p for layer in layers for p in layer.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def autocast(device: torch.device):
    """bf16 autocast on CUDA that has it; elsewhere nothing. It was measured not to pay on CPUs."""
    pays = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=pays)


def train(
    module: nn.Module,
    source,
    targets: np.ndarray,
    config: TrainConfig,
    *,
    device: torch.device,
    seed: int,
    scores: Callable[[torch.Tensor], torch.Tensor] | None = None,
    updates_before: int = 0,
    progress: bool = False,
    label: str = "training",
) -> History:
    """Train `module` in place by cross-entropy on `source`.

    To be called inside `reproducible`, which fixes dropout and threads.

    Parameters
    ----------
    module : nn.Module
        Gives logits (n, classes).
    source : TensorSource or StreamedFrames
        Samples.
    targets : ndarray of int, shape (samples,)
        Class index of every sample.
    config : TrainConfig
        Rate, decay, batch size, epochs, patience (Section III-D).
    device : torch.device
        Where to train.
    seed : int
        Of the order of samples.
    scores : callable, optional
        Turns logits into the scores whose softmax are the probabilities.
    updates_before : int
        See `KerasAdam`.
    progress, label
        Whether to show a bar over the epochs; its name, and that of the training in errors.

    Raises
    ------
    ElrcnError
        If the loss stops being finite.
    """
    layout = memory_format(device, module) if source.images else None
    module.to(device, memory_format=layout)
    module.train(True)
    adam = KerasAdam(module, config, updates_before)
    labels = torch.as_tensor(np.asarray(targets, np.int64), device=device)
    order, size = np.random.default_rng(seed), max(1, config.batch_size)
    history, best, waited = History(), np.inf, 0
    bar = tqdm(range(config.max_epochs), desc=label, unit="epoch", disable=not progress)
    for _ in bar:
        index = order.permutation(len(source))
        batches = [index[i : i + size] for i in range(0, len(index), size)]
        shuffled = labels[torch.from_numpy(index).to(device)].split(size)
        # Losses are added up on the device: reading one back would wait for it at every step.
        total = torch.zeros((), device=device)
        for batch, truth in zip(source.batches(batches), shuffled, strict=True):
            if layout is not None:
                batch = batch.contiguous(memory_format=layout)
            with autocast(device):
                logits = module(batch)
            logits = logits.float()
            loss = F.cross_entropy(scores(logits) if scores else logits, truth)
            loss.backward()
            adam.step()
            total += loss.detach() * len(truth)
        mean = float(total) / len(source)
        history.losses.append(mean)
        history.updates = adam.updates
        bar.set_postfix(loss=f"{mean:.4f}")
        if not np.isfinite(mean):
            raise ElrcnError(
                f"The {label} diverged: its loss is {mean} in epoch {len(history.losses)}.",
                fix="lower TrainConfig.lr",
            )
        if mean < best - config.min_delta:
            best, waited = mean, 0
        else:
            waited += 1
            if waited > config.patience:
                history.stopped_early = True
                break
    bar.close()
    module.train(False)
    return history


@torch.no_grad()
def outputs(
    function: Callable[[torch.Tensor], torch.Tensor],
    source,
    *,
    device: torch.device,
    batch_size: int = 128,
) -> np.ndarray:
    """Apply `function` to all samples of `source` in order; float32, shape (samples, ...)."""
    index = np.arange(len(source))
    batches = [index[i : i + batch_size] for i in range(0, len(index), batch_size)]
    parts = []
    for batch in source.batches(batches):
        with autocast(device):
            parts.append(function(batch).float())
    return torch.cat(parts).cpu().numpy()
