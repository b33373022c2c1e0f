"""Who trains in `training`: each a process of its own, as allocator settings act at its start.

``python -m tests.bench.competitors SPEC`` reads a job a line and answers a line of JSON each.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from elrcn.config import PROFILES, TemporalConfig, TrainConfig, VGGConfig

ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
_ROOT = Path(__file__).parents[2]
_CLASSES, _FRAMES = 5, 9

VGGS = {
    "small": VGGConfig(size=64, convs=(1, 1, 1, 1), widths=(16, 32, 64, 64), fc=128),
    "demo": PROFILES["demo"].vgg,
    "vgg16": VGGConfig(),
}
"""Networks: that of the first measurements, that of the demo profile, the paper's."""


@dataclass(frozen=True)
class Spec:
    """A competitor: who (plain, ours, keras, study), which network, on how much, how."""

    who: str
    network: str
    clips: int
    epochs: int = 1
    threads: int = 1
    allocator: bool = True


class Worker:
    """A process ``python -m module argument`` that does its job whenever asked.

    It answers each line with one of JSON: see `serve`. `answer` is the last one.
    """

    def __init__(self, module: str, argument: str, threads: int = 1, allocator: bool = True):
        env = {k: v for k, v in os.environ.items() if k not in ALLOCATOR}
        env |= {"OMP_NUM_THREADS": str(threads)} | (ALLOCATOR if allocator else {})
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, argument],
            cwd=_ROOT,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.answer: dict = {}

    def send(self, job: str = "") -> None:
        """Start a job."""
        self.process.stdin.write(job + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict:
        """Wait for the job's end."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the bench ended early")
        self.answer = json.loads(line)
        return self.answer

    def ask(self, job: str = "") -> dict:
        """Do a job."""
        self.send(job)
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def _peak_mb() -> float:
    """Give the greatest resident memory so far; not that of the process this one was started by."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def serve(run: Callable[[str], dict]) -> None:
    """Answer jobs until there are no more; adds megabytes at the peak, in all and since the start.

    The peak of the first job counts: later ones may find its memory.
    """
    before, first = _peak_mb(), None
    for line in sys.stdin:
        answer = run(line.strip())
        first = _peak_mb() if first is None else first
        print(json.dumps({**answer, "peak_mb": first, "grown_mb": first - before}), flush=True)


def competitor(spec: Spec) -> Worker:
    """Start the process of `spec`."""
    argument = json.dumps(asdict(spec))
    return Worker("tests.bench.competitors", argument, spec.threads, spec.allocator)


def _data(spec):
    """Random frames (n, size, size, 5) and their classes; the same for everyone."""
    size = VGGS[spec.network].size
    frames = spec.clips if spec.network == "vgg16" else spec.clips * _FRAMES
    x = np.random.default_rng(0).normal(size=(frames, size, size, 5)).astype(np.float32)
    return x, np.repeat(np.arange(spec.clips) % _CLASSES, frames // spec.clips)


def _plain_vgg(config):
    """VGG as a list of layers, in torch's usual order of things."""
    from torch import nn

    layers, inputs = [], 5
    for convs, width in zip(config.convs, config.widths, strict=True):
        for _ in range(convs):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    side = config.size // 2 ** len(config.convs)
    layers.append(nn.Flatten())
    for values in (inputs * side * side, config.fc):
        layers += [nn.Linear(values, config.fc), nn.ReLU(), nn.Dropout(config.dropout)]
    return nn.Sequential(*layers, nn.Linear(config.fc, _CLASSES))


def _plain(spec):
    """Give a fold as one would write it: NCHW, Adam as it comes, the loss read at every step."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    from elrcn.models.networks import VGG, TemporalHead

    config = VGGS[spec.network]
    x, y = _data(spec)
    x, y = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), torch.from_numpy(y)

    def train(module, x, y, batch, epochs):
        adam = torch.optim.Adam(module.parameters(), lr=1e-3)
        order, module = np.random.default_rng(0), module.train()
        for _ in range(epochs):
            total, index = 0.0, order.permutation(len(x))
            for i in range(0, len(index), batch):
                part = torch.from_numpy(index[i : i + batch])
                adam.zero_grad()
                loss = F.cross_entropy(module(x[part]), y[part])
                loss.backward()
                adam.step()
                total += loss.item() * len(part)
        module.train(False)
        return total / len(x)

    def fresh():
        torch.manual_seed(0)
        given, module = VGG(config, 5, _CLASSES), _plain_vgg(config)
        # The same first weights: then the losses must agree.
        with torch.no_grad():
            for p, q in zip(module.parameters(), given.parameters(), strict=True):
                p.copy_(q)
        return module

    if spec.network == "vgg16":
        module = fresh()

        def once(job):
            torch.manual_seed(0)
            return {"loss": train(module, x, y, spec.clips, 1)}

        return once

    def fold(job):
        module = fresh()
        torch.manual_seed(0)
        loss = train(module, x, y, 32, spec.epochs)
        with torch.no_grad():
            features = nn.Sequential(*list(module)[:-2])(x).reshape(spec.clips, _FRAMES, -1)
        torch.manual_seed(0)
        head = TemporalHead(TemporalConfig((64,)), config.fc, _CLASSES)
        return {"loss": loss, "temporal": train(head, features, y[::_FRAMES], 16, spec.epochs)}

    return fold


def _ours(spec):
    """Give the same fold by the library's own training."""
    import torch

    from elrcn.models.inputs import TensorSource
    from elrcn.models.networks import VGG, TemporalHead
    from elrcn.models.train import outputs, reproducible, train

    config, device = VGGS[spec.network], torch.device("cpu")
    x, y = _data(spec)
    source = TensorSource(torch.from_numpy(x), images=True)
    settings = TrainConfig(lr=1e-3, decay=0.0, max_epochs=spec.epochs, patience=spec.epochs)
    options = {"device": device, "seed": 0}

    def fresh():
        with reproducible(device, 0, spec.threads):
            return VGG(config, 5, _CLASSES)

    if spec.network == "vgg16":
        module, step = fresh(), replace(settings, batch_size=spec.clips)

        def once(job):
            with reproducible(device, 0, spec.threads):
                return {"loss": train(module, source, y, step, **options).losses[-1]}

        return once

    def fold(job):
        module = fresh()
        with reproducible(device, 0, spec.threads):
            loss = train(module, source, y, settings, **options).losses[-1]
            features = outputs(module.features, source, device=device)
        with reproducible(device, 0, spec.threads):
            head = TemporalHead(TemporalConfig((64,)), config.fc, _CLASSES)
            sequences = TensorSource(torch.from_numpy(features.reshape(spec.clips, _FRAMES, -1)))
            short = replace(settings, batch_size=16)
            temporal = train(head, sequences, y[::_FRAMES], short, **options).losses[-1]
        return {"loss": loss, "temporal": temporal}

    return fold


def _keras(spec):
    """Give a step of Keras' own VGG-16; asked for only where Keras is installed."""
    import keras

    x, y = _data(spec)
    shape = (224, 224, 5)
    module = keras.applications.VGG16(weights=None, input_shape=shape, classes=_CLASSES)
    module.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    return lambda job: {"loss": float(np.max(module.train_on_batch(x, y)))}


def _study(spec):
    """Give SE with another temporal stage: job "train" from nothing, "reuse" from the store."""
    from elrcn.models.estimators import ELRCN

    profile = PROFILES["demo"]
    x = _data(spec)[0].reshape(spec.clips, _FRAMES, *[profile.vgg.size] * 2, 5)
    x, y = np.ascontiguousarray(np.moveaxis(x, 4, 2)), np.arange(spec.clips) % _CLASSES
    spatial = replace(profile.spatial_train, max_epochs=spec.epochs, patience=spec.epochs)
    folder = tempfile.TemporaryDirectory()

    def fit(job):
        stored = folder if job == "reuse" else tempfile.TemporaryDirectory()
        model = ELRCN(
            vgg=profile.vgg,
            temporal=TemporalConfig((96,)),
            spatial_train=spatial,
            temporal_train=profile.temporal_train,
            scaling=profile.scaling,
            device="cpu",
            threads=spec.threads,
            feature_store=stored.name,
        )
        chances = model.fit(x, y).predict_proba(x)
        if stored is not folder:
            stored.cleanup()
        return {"chances": chances.astype(float).ravel().tolist()}

    return fit


def main(text: str) -> None:
    """Answer jobs until there are no more."""
    spec = Spec(**json.loads(text))
    if spec.who != "keras":
        import torch

        torch.set_num_threads(spec.threads)
    run = {"plain": _plain, "ours": _ours, "keras": _keras, "study": _study}[spec.who](spec)
    serve(run)


if __name__ == "__main__":
    main(sys.argv[1])
