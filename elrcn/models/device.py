"""Where a network runs, and the state of torch that its training depends on."""

from __future__ import annotations

from contextlib import contextmanager

import torch

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
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if kind == "auto":
        kind = "cuda" if has_cuda else "mps" if has_mps else "cpu"
        return torch.device(kind)
    if (kind == "cuda" and not has_cuda) or (kind == "mps" and not has_mps):
        raise ElrcnError(
            f"The device {name!r} is not available on this machine.",
            fix='use device "auto" or "cpu", or install the build of torch for that device',
        )
    if number and int(number) >= torch.cuda.device_count():
        raise ElrcnError(
            f"The device {name!r} is not available on this machine.",
            fix=f"number the {torch.cuda.device_count()} CUDA device(s) from 0",
        )
    return torch.device(name)


def memory_format(
    device: torch.device, module: torch.nn.Module | None = None
) -> torch.memory_format:
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
    if (
        module is not None
        and device.type == "cpu"
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
    ):
        layers = [m for m in module.modules() if isinstance(m, torch.nn.Conv2d)]
        if sum(m.in_channels >= _WIDE for m in layers) >= _MANY:
            return torch.contiguous_format
    return torch.channels_last


@contextmanager
def session(device: torch.device, seed: int, threads: int):
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
