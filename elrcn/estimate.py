"""What a run will take, before it starts: operations, hours, disk and memory at most."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.nn import functional as F

from elrcn.config import (
    PROFILES,
    CorpusConfig,
    Profile,
    TemporalConfig,
    TrainConfig,
    VGGConfig,
    config_hash,
)
from elrcn.corpus.plan import plan_corpus
from elrcn.evaluation.protocols import Fold
from elrcn.experiments import Method, Options, Plan, plan_manifest, stored_folds
from elrcn.experiments.methods import scaled_units, streams_of, units_text
from elrcn.experiments.starts import DEFAULT
from elrcn.manifest import Manifest
from elrcn.models import train as devices
from elrcn.models.inputs import RESIDENT_BYTES, STREAMS
from elrcn.models.networks import VGG, TemporalHead
from elrcn.models.spatial_stage import MOST_KEPT
from elrcn.models.train import KerasAdam, autocast
from elrcn.session import Session
from elrcn.workspace import Workspace

Network = VGGConfig | TemporalConfig
#: Bytes a parameter takes in training: weight, gradient and the two moments of Adam, float32.
TRAINING_BYTES = 16
#: Dense bf16 operations a second of one GPU (an A100's data sheet), and the share reached.
GPU_PEAK, GPU_SHARE = 312e12, 0.3
# Python with its libraries, without and with a GPU's, in bytes.
_PROCESS = {"cpu": 0.7e9, "cuda": 3.0e9, "mps": 1.0e9}
_STEP_FLOPS = 2e11  # of one timed step on a CPU: a few seconds


# --- one network ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one network for one sample (a frame, or a clip's sequence of features)."""

    shape: tuple[int, ...]  #: of a sample
    parameters: int  #: trainable values
    #: Multiply-accumulate operations of the forward pass; biases, activations and pooling, well
    #: under a hundredth, are left out.
    macs: int
    first_macs: int  #: of the first layer's product with the input, whose gradient nobody needs
    kept: int  #: values that the backward pass needs again
    pooled: int = 0  #: values after a pooling, whose places are kept as well

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of a forward pass; a multiply-accumulate is two."""
        return 2 * self.macs

    @property
    def training_flops(self) -> int:
        """Operations of forward and backward pass: each layer's product is needed thrice."""
        return 2 * (3 * self.macs - self.first_macs)

    def activation_bytes(self, value_bytes: int) -> int:
        """Memory a sample takes in training; torch keeps places of maxima as 8-byte integers."""
        return value_bytes * (self.kept + self.pooled) + 8 * self.pooled


@cache
def vgg_cost(config: VGGConfig, channels: int, classes: int) -> NetworkCost:
    """Cost of `elrcn.models.networks.VGG` for one frame.

    With the defaults, 3 channels and 1000 classes: 138,357,544 parameters, 15.47e9 MACs.
    """
    vgg = VGG(config, channels, classes, init="skip").to("meta")
    # Places of a map before the first pooling, and after each.
    maps = [(config.size // 2**block) ** 2 for block in range(len(config.convs) + 1)]
    macs = sum(_weights(layer) for layer in (vgg.fc6, vgg.fc7, vgg.fc8))
    for names, places in zip(vgg.blocks, maps, strict=False):
        macs += places * sum(_weights(vgg.get_submodule(name)) for name in names)
    first = maps[0] * _weights(vgg.layers()[0])
    kept = sum(n * w * m for n, w, m in zip(config.convs, config.widths, maps, strict=False))
    kept += 2 * (2 * config.fc + classes)  # before and after dropout
    pooled = sum(w * m for w, m in zip(config.widths, maps[1:], strict=True))
    shape = (channels, config.size, config.size)
    return NetworkCost(shape, _trainable(vgg), macs, first, kept, pooled)


@cache
def temporal_cost(config: TemporalConfig, inputs: int, frames: int, classes: int) -> NetworkCost:
    """Cost of `elrcn.models.networks.TemporalHead` for one clip of `frames` feature vectors."""
    with torch.device("meta"):
        head = TemporalHead(config, inputs, classes, init="torch")
    # The LSTM's weights are applied to every frame, those of the layers after it once.
    macs = _weights(head) + (frames - 1) * _weights(head.lstm)
    first = frames * head.lstm[0].weight_ih_l0.numel()
    # Four gates, the cell and the output of every unit and frame; then the layers after them.
    kept = 6 * sum(config.units) * frames + config.dense + classes
    return NetworkCost((frames, inputs), _trainable(head), macs, first, kept)


def _weights(module: nn.Module) -> int:
    """Values by which inputs are multiplied: all parameters but biases."""
    return sum(p.numel() for p in module.parameters() if p.dim() > 1)


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def lstm_table(
    methods: Sequence[Method], profile: Profile, inputs: int, paper_inputs: int, classes: int
) -> pd.DataFrame:
    """Units and parameters of the LSTM of every method that has its own, here and in the paper.

    Parameters
    ----------
    methods : sequence of Method
        Those without `Method.units` are left out.
    profile : Profile
        What "here" is.
    inputs, paper_inputs : int
        Values of a frame that the LSTM is given, here and in the paper.
    classes : int
        Classes of the last layer.

    Returns
    -------
    DataFrame
        By `method` (its label): `units_here`, `parameters_here`, `paper_units`,
        `paper_parameters`, and `paper_gflop` (forward pass of a clip, in 1e9 operations).
    """
    paper, rows = PROFILES["paper"], {}
    frames = paper.preprocess.tim_length - 1
    for method in methods:
        if method.units:
            units = scaled_units(profile, method.units)
            temporal = replace(profile.temporal, units=units)
            here = temporal_cost(temporal, inputs, frames, classes)
            temporal = replace(paper.temporal, units=method.units)
            there = temporal_cost(temporal, paper_inputs, frames, classes)
            rows[method.label] = {
                "units_here": units_text(units),
                "parameters_here": here.parameters,
                "paper_units": units_text(method.units),
                "paper_parameters": there.parameters,
                "paper_gflop": there.forward_flops / 1e9,
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


# --- the networks of an estimator, over all folds ------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """One network of a method, over all folds that are to be run."""

    name: str  #: such as "spatial (flow)"
    config: Network
    inputs: int  #: channels of a VGG, values a step of an LSTM
    cost: NetworkCost  #: for one sample
    train: TrainConfig  #: epochs at most; no epoch for a network that is only applied
    samples: tuple[int, ...]  #: training samples of each fold whose network is trained
    applied: int  #: samples that the networks are applied to, all folds together
    shared: int = 0  #: folds whose network another method trains and a feature store keeps

    @property
    def trains(self) -> bool:
        """Whether a network is trained at all."""
        return self.train.max_epochs > 0

    @property
    def updates(self) -> int:
        """Updates of the weights at most."""
        size = max(1, self.train.batch_size)
        return self.train.max_epochs * sum(-(-n // size) for n in self.samples)

    @property
    def trained(self) -> int:
        """Samples trained on at most, each counted once an epoch."""
        return self.train.max_epochs * sum(self.samples)

    @property
    def flops(self) -> float:
        """Floating-point operations at most."""
        applied = self.applied * self.cost.forward_flops
        return float(self.trained) * self.cost.training_flops + applied

    def memory(self, value_bytes: int) -> float:
        """Bytes of one training step: weights, gradients, moments, activations of a batch."""
        batch = min(self.train.batch_size, max(self.samples, default=0))
        held = batch * self.cost.activation_bytes(value_bytes)
        if not self.trains:
            return 4 * self.cost.parameters + held
        # Half as much again for the gradients that pass through.
        return TRAINING_BYTES * self.cost.parameters + 1.5 * held


def stages(estimator, folds: Sequence[Fold], frames: int, classes: int) -> tuple[Stage, ...]:
    """Networks of `estimator`, unfitted, on `folds`; none for an estimator without networks.

    `frames` are the steps of a clip, `classes` those of the task.
    """
    inner, copies = _unwrapped(estimator)
    has = inner.get_params(deep=False)
    clips = tuple(copies * len(fold.train) for fold in folds)
    tested = sum(len(fold.test) for fold in folds)
    made, values = [], 0
    if has.get("vgg") is not None:
        # Without a training of its own the network only gives features (`FrozenFeatureSVM`).
        train = has.get("spatial_train") or TrainConfig(max_epochs=0)
        kind = "spatial" if train.max_epochs else "frozen"
        samples = tuple(n * frames for n in clips)
        applied = sum(samples) + tested * frames
        for stream in streams_of(inner):
            name, channels = f"{kind} ({stream})", len(STREAMS[stream])
            cost = vgg_cost(has["vgg"], channels, classes)
            made.append(Stage(name, has["vgg"], channels, cost, train, samples, applied))
            values += has["vgg"].fc
    elif has.get("pixels"):
        values = len(set(STREAMS[has["stream"]])) * has["pixels"] ** 2
    if has.get("temporal") is not None:
        cost = temporal_cost(has["temporal"], values, frames, classes)
        train = has["temporal_train"]
        made.append(Stage("temporal", has["temporal"], values, cost, train, clips, tested))
    return tuple(made)


def _unwrapped(estimator) -> tuple[BaseEstimator, int]:
    """Estimator whose networks are meant, and clips it is trained on for each clip given."""
    return getattr(estimator, "estimator", estimator), getattr(estimator, "clips_factor", 1)


# --- methods and experiments ---------------------------------------------------------------------


@dataclass(frozen=True)
class MethodEstimate:
    """What one method of one experiment takes."""

    experiment: str
    method: str
    folds: int
    stored: int  #: folds whose rows are there already
    shape: tuple[int, ...]  #: of the input (clips, steps, channels, height, width)
    stages: tuple[Stage, ...]  #: of the folds that remain; none for handcrafted features
    networks_bytes: int  #: disk for the networks and features that it adds, 0 if they are not kept
    copies: int  #: variants that each training clip is trained on as, itself counted

    def memory(self, value_bytes: int) -> float:
        """Bytes at the peak of one fold: networks, and encoded frames or what streaming keeps."""
        held = peak = frames = 0.0
        for stage in self.stages:  # the trained networks are held beside the one that is trained
            peak = max(peak, held + stage.memory(value_bytes))
            held += 4 * stage.cost.parameters
            if isinstance(stage.config, VGGConfig):
                values = stage.inputs * stage.config.size**2
                frames = max(frames, 4 * values * max(stage.samples, default=0))
        return peak + min(frames, RESIDENT_BYTES)


@dataclass(frozen=True)
class Estimate:
    """What several experiments take together, at most."""

    methods: tuple[MethodEstimate, ...]
    disk: Mapping[str, int]  #: bytes by what they are for
    host: float  #: bytes of this machine's memory at the peak, with all folds that run at once
    device: float  #: the same of one GPU, if there is or were one, in bf16
    at_once: int  #: folds trained at once

    @property
    def stages(self) -> list[Stage]:
        """Networks of all methods."""
        return [stage for method in self.methods for stage in method.stages]

    @property
    def flops(self) -> float:
        """Floating-point operations at most."""
        return sum(stage.flops for stage in self.stages)

    def gpu_hours(self, peak: float = GPU_PEAK, share: float = GPU_SHARE) -> float:
        """Hours at most on one GPU that reaches `share` of `peak` operations a second."""
        return self.flops / (peak * share) / 3600

    def measured_hours(self, speeds: Mapping[Network, Speed]) -> float:
        """Hours at most at measured speeds, if folds at once do not slow one another."""
        total = 0.0
        for method in self.methods:
            seconds = sum(speeds[s.config].seconds(s) for s in method.stages)
            total += seconds / max(1, min(self.at_once, method.folds - method.stored))
        return total / 3600


def estimate(
    plans: Sequence[Plan],
    session: Session,
    methods: Sequence[str] = (),
    options: Options = DEFAULT,
) -> Estimate:
    """Count what running `plans` would take; nothing is trained and no frame is read.

    Parameters
    ----------
    plans : sequence of Plan
        From `elrcn.experiments.plans.plan` or `plan_manifest`.
    session : Session
        Profile, device, workers, workspace.
    methods : sequence of str
        Only these; those that an experiment lacks are passed over if another has them.
    options : Options
        What fine-tuned networks start from.
    """
    parts, weights = [], 0
    clips: dict[str, dict] = {"flow stacks": {}, "grey sequences": {}}
    networks: set[str] = set()
    for plan in plans:
        names = [m.name for m in plan.methods]
        wanted = [name for name in methods if name in names or len(plans) == 1]
        if methods and not wanted:
            continue
        # Networks of another seed are others: each counts by itself.
        for method in (one for chosen in plan.chosen(wanted) for one in plan.seeded(chosen)):
            done = {fold.name for fold in stored_folds(plan, method, session, options)}
            part, cached = _method_estimate(plan, method, session, done, networks)
            parts.append(part)
            clips["grey sequences" if method.input == "grey" else "flow stacks"] |= cached
            if method.starts_from_weights and options.pretrained != "none":
                weights = 4 * vgg_cost(session.profile.vgg, 3, 1).parameters
    disk = {name: sum(cached.values()) for name, cached in clips.items()} | {
        "weights to start from": weights,
        "networks and features of all folds": sum(p.networks_bytes for p in parts),
    }
    missing = max((m.folds - m.stored for m in parts), default=0)
    at_once = max(1, min(session.fold_workers, missing))
    here = max((m.memory(4) for m in parts), default=0.0)
    on_gpu = max((m.memory(2) for m in parts if m.stages), default=0.0)
    largest = max((4 * s.cost.parameters for m in parts for s in m.stages), default=0)
    kind = session.device.partition(":")[0]
    process = _PROCESS.get(kind, 1e9)
    host = at_once * (process + here) if kind == "cpu" else process + 2 * largest
    return Estimate(tuple(parts), disk, host, on_gpu, at_once)


def _method_estimate(
    plan: Plan, method: Method, session: Session, done: set[str], networks: set[str]
) -> tuple[MethodEstimate, dict[tuple, int]]:
    """Estimate of one method, and the bytes of each clip that it reads, by what the clip is.

    `networks` are those that a feature store holds already; the method's are added.
    """
    config, grey = method.preprocess(session.profile.preprocess), method.input == "grey"
    steps = [config.tim_length or len(frames) for frames in plan.manifest.table["frames"]]
    steps = [min(n, config.max_frames or n) - (not grey) for n in steps]
    shape = (1, config.flow_size, config.flow_size) if grey else (5, config.size, config.size)
    folds = [fold for fold in plan.folds if fold.name not in done]
    estimator = method.build(session, Options("none"))
    inner, copies = _unwrapped(estimator)
    parts, kept = stages(estimator, folds, max(steps), len(plan.classes)), 0
    clips, labels = plan.manifest.table["clip_id"].to_numpy(), plan.labels_of(method)
    if getattr(inner, "feature_store", None):
        # A network is known by what decides it, and by the fold's training clips and their labels.
        asked = inner.scaling, inner.quirks, config, method.starts_from_weights, method.seed, copies
        trained = [(f.name, clips[f.train].tolist(), labels[f.train].tolist()) for f in folds]
        counted = [_without_known(stage, asked, trained, networks) for stage in parts]
        parts, kept = tuple(stage for stage, _ in counted), sum(size for _, size in counted)
    many = method.random and len(plan.experiment.seeds) > 1
    part = MethodEstimate(
        experiment=plan.experiment.name,
        method=f"{method.name} (seed {method.seed})" if many else method.name,
        folds=len(plan.folds),
        stored=len(done),
        shape=(len(steps), max(steps), *shape),
        stages=parts,
        networks_bytes=kept,
        copies=copies,
    )
    key, frame = config_hash(config), math.prod(shape) * (1 if grey else 4)
    each = list(zip(clips, steps, strict=True))
    return part, {(key, copy, clip): n * frame for clip, n in each for copy in range(copies)}


def _without_known(stage: Stage, asked: tuple, trained: list, known: set[str]) -> tuple[Stage, int]:
    """Leave out the networks that a feature store holds; give the bytes it grows by, too."""
    if not isinstance(stage.config, VGGConfig):
        return stage, 0
    keys = [config_hash(stage.name, stage.config, stage.train, *asked, fold) for fold in trained]
    new = [n for n, key in zip(stage.samples, keys, strict=True) if key not in known]
    known.update(keys)
    weights = 4 * stage.cost.parameters
    kept = weights * len(new) if weights <= MOST_KEPT else 0
    # fc6, fc7 and a few probabilities of every frame it is applied to.
    kept += 8 * stage.config.fc * stage.applied * len(new) // max(1, len(keys))
    return replace(stage, samples=tuple(new), shared=len(keys) - len(new)), kept


def planned_manifest(config: CorpusConfig) -> Manifest:
    """Clips, subjects, labels and lengths of the corpus of `config`, before a frame is drawn.

    Folds and counts are those of the corpus once it is made; apexes and hashes are unknown, and no
    frame lies where the paths point.
    """
    rows = []
    for clip in plan_corpus(config):
        folder = f"Cropped/{clip.folder}" if clip.database == "CASME2" else clip.folder
        numbers = range(clip.first + clip.before, clip.first + clip.before + clip.length)
        emotion = clip.emotion.lower()
        rows.append(
            {
                "clip_id": clip.clip_id,
                "database": clip.database,
                "subject": f"{clip.database}/{clip.subject}",
                "frames": tuple(f"{folder}/{clip.frame_name(n)}" for n in numbers),
                "onset": numbers[0],
                "apex": pd.NA,
                "offset": numbers[-1],
                "fps": 200.0,
                "action_units": "",
                "emotion": "others" if emotion == "other" else emotion,
                "objective_class": clip.objective_class,
                "sha256": "",
            }
        )
    return Manifest(pd.DataFrame(rows))


def full_size(experiments: Sequence[str] = ("table1", "table2", "table3")) -> Estimate:
    """Count what experiments take at the paper's size, whatever is stored or given here.

    The clips are as many, of as many subjects, as the licensed databases have. Where no fold is
    stored, ``elrcn run tables --profile paper --pretrained none --dry-run`` counts the same.
    """
    with tempfile.TemporaryDirectory() as empty:
        session = Session("paper", device="cpu", workspace=Workspace(Path(empty)), progress=False)
        clips = planned_manifest(session.profile.corpus)
        plans = [plan_manifest(name, clips, session.profile) for name in experiments]
        return estimate(plans, session, options=Options("none"))


# --- this machine --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Speed:
    """Measured speed of one network's training on a device."""

    flops_per_s: float  #: of forward and backward pass
    update_s: float  #: seconds of an update of the weights, per parameter

    def seconds(self, stage: Stage) -> float:
        """Seconds of all trainings of `stage`, one after another."""
        updates = stage.updates * self.update_s * stage.cost.parameters
        return stage.flops / self.flops_per_s + updates


def time_training(
    stages: Iterable[Stage], session: Session, steps: int = 2
) -> dict[Network, Speed]:
    """Time training on the session's device: of each kind of network in `stages`, the costliest.

    The fastest of `steps` steps counts, after one that does not. Frames are random; on a CPU a
    batch is cut to some seconds a step.
    """
    largest = {s.config: s for s in sorted(stages, key=lambda stage: stage.cost.macs)}
    return {config: _measure(stage, session, steps) for config, stage in largest.items()}


def _measure(stage: Stage, session: Session, steps: int) -> Speed:
    device = devices.resolve_device(session.device)
    batch, flops = stage.train.batch_size, stage.cost.training_flops
    if device.type == "cpu":
        batch = int(np.clip(_STEP_FLOPS // flops, 1, batch))
    network = VGG if isinstance(stage.config, VGGConfig) else TemporalHead
    layout = devices.memory_format(device) if network is VGG else torch.contiguous_format
    taken = []
    with devices.reproducible(device, 0, session.profile.threads_per_fold):
        module = network(stage.config, stage.inputs, 5, init="torch")
        module.to(device, memory_format=layout if network is VGG else None).train(True)
        adam = KerasAdam(module, stage.train)
        x = torch.randn(batch, *stage.cost.shape).to(device, memory_format=layout)
        y = torch.zeros(batch, dtype=torch.int64, device=device)
        for _ in range(1 + steps):
            clock = [_now(device)]
            with autocast(device):
                logits = module(x)
            F.cross_entropy(logits.float(), y).backward()
            clock.append(_now(device))
            adam.step()
            clock.append(_now(device))
            taken.append(np.diff(clock))
    passes, update = np.min(taken[1:], axis=0)
    return Speed(batch * flops / max(passes, 1e-9), update / stage.cost.parameters)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


# --- as text -------------------------------------------------------------------------------------


def duration(hours: float) -> str:
    """Hours as a person says them: "40 s", "12 min", "5.2 h", "31 days"."""
    if hours * 3600 < 90:
        return f"{max(1, round(hours * 3600))} s"
    if hours < 1.5:
        return f"{hours * 60:.0f} min"
    if hours < 72:
        return f"{hours:.1f} h"
    return f"{hours / 24:,.0f} days"


def size(count: float) -> str:
    """Bytes in decimal units, such as "0.55 GB"."""
    if count >= 1e8:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def render_text(
    value: Estimate,
    device: str,
    speeds: Mapping[Network, Speed] | None,
    peak: float,
    share: float,
) -> str:
    """Estimate as lines of text: methods with their networks, then hours, disk and memory.

    `device` is where the run would be; without `speeds`, from `time_training`, the hours there are
    left out. The hours on a GPU are at the `share` of `peak` operations a second.
    """
    lines = [line for method in value.methods for line in _method_lines(method)]
    many = f"{value.at_once} fold{'s' if value.at_once > 1 else ''} at once"
    if value.stages:
        lines.append(
            f"time on one GPU: at most {duration(value.gpu_hours(peak, share))}, every training "
            f"with all its epochs; {value.flops:.2g} operations at {share:.0%} of "
            f"{peak / 1e12:g} TFLOP/s (bf16)"
        )
        if speeds:
            lines.append(
                f"time here ({device}): at most {duration(value.measured_hours(speeds))}, from a "
                f"few training steps timed just now, {many} as if alone"
            )
        lines.append(
            "  not counted: flow, handcrafted features and support vector machines, minutes; early "
            "stopping, less"
        )
    else:
        lines.append("time: no network remains to be trained")
    used = {name: count for name, count in value.disk.items() if count}
    lines.append(f"disk: at most {size(sum(used.values()))}")
    lines += [f"  {name}: {size(count)}" for name, count in used.items()]
    lines.append(
        f"memory at the peak: about {size(value.host)} here"
        + (f" with {many}" if value.at_once > 1 and device == "cpu" else "")
        + (f", about {size(value.device)} of a GPU's own" if value.device else "")
        + "; clips are read one by one, a database is never held whole"
    )
    return "\n".join(lines)


def _method_lines(method: MethodEstimate) -> list[str]:
    clips, *rest = method.shape
    lines = [
        f"{method.experiment} {method.method}: {method.folds} folds, {method.stored} of them "
        f"stored; input {clips} clips x {' x '.join(map(str, rest))}"
    ]
    alike: dict[tuple, list[Stage]] = {}
    for stage in method.stages:
        alike.setdefault((stage.config, stage.cost, stage.shared), []).append(stage)
    for stage, *others in alike.values():
        names = ", ".join(s.name for s in (stage, *others)) + (", each" if others else "")
        shape = " x ".join(map(str, stage.cost.shape))
        text = f"  {names}: {shape}, {stage.cost.parameters:,} parameters"
        if not stage.trains:
            lines.append(f"{text}, applied to {stage.applied:,} samples and not trained")
            continue
        if stage.samples:
            text += (
                f", {stage.cost.training_flops / 1e9:,.3g} GFLOP a sample in training; at most "
                f"{stage.train.max_epochs} epochs of {max(stage.samples):,} samples, batches of "
                f"{stage.train.batch_size}, lr {stage.train.lr:g}"
            )
        if stage.shared:
            text += f"; {stage.shared} folds' networks are those of a method above"
        lines.append(text)
    return lines
