"""Experiments met with data, before they start: hours, disk and memory at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elrcn.config import VGGConfig, config_hash
from elrcn.estimate.costs import vgg_cost
from elrcn.estimate.probe import Speed
from elrcn.estimate.sharing import Store
from elrcn.estimate.stages import Stage, stages
from elrcn.experiments import Method, Options, Plan, stored_folds
from elrcn.session import Session

#: Dense bf16 operations a second of one GPU (an A100's data sheet), and the share reached.
GPU_PEAK, GPU_SHARE = 312e12, 0.3
#: Python with its libraries, without and with a GPU's, in bytes.
_PROCESS = {"cpu": 0.7e9, "cuda": 3.0e9, "mps": 1.0e9}


@dataclass(frozen=True)
class MethodEstimate:
    """What one method of one experiment takes.

    Attributes
    ----------
    experiment, method, label : str
        Names.
    folds, stored : int
        Folds in all, and those whose rows are there already.
    shape : tuple of int
        Shape of the method's input (clips, steps, channels, height, width).
    stages : tuple of Stage
        Networks of the folds that remain; empty for handcrafted features.
    networks_bytes : int
        Disk for the networks and features that the method adds, 0 if they are not kept.
    """

    experiment: str
    method: str
    label: str
    folds: int
    stored: int
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    networks_bytes: int
    copies: int = 1

    @property
    def flops(self) -> float:
        """Floating-point operations at most."""
        return sum(stage.flops for stage in self.stages)

    @property
    def resident(self) -> float:
        """Bytes of encoded frames beside the networks: a fold's, or what streaming keeps."""
        from elrcn.models.sources import RESIDENT_BYTES

        frames = [
            max(s.samples, default=0) * s.inputs * s.config.size**2 * 4
            for s in self.stages
            if isinstance(s.config, VGGConfig)
        ]
        return min(max(frames, default=0), RESIDENT_BYTES)

    def memory(self, value_bytes: int) -> float:
        """Bytes at the peak of one fold: the trained networks are held beside the one trained."""
        held = peak = 0.0
        for stage in self.stages:
            peak = max(peak, held + stage.memory(value_bytes))
            held += 4 * stage.cost.parameters
        return peak


@dataclass(frozen=True)
class Estimate:
    """What several experiments take together.

    Attributes
    ----------
    methods : tuple of MethodEstimate
    disk : dict of str to int
        Bytes at most, by what they are for.
    host, device : float
        Bytes of memory at the peak: of this machine with all folds that run at once, and of one
        GPU, if there is or were one, in bf16.
    at_once : int
        Folds trained at once.
    """

    methods: tuple[MethodEstimate, ...]
    disk: Mapping[str, int]
    host: float
    device: float
    at_once: int

    @property
    def stages(self) -> list[Stage]:
        """Trainings of all methods."""
        return [stage for method in self.methods for stage in method.stages]

    def gpu_hours(self, peak: float = GPU_PEAK, share: float = GPU_SHARE) -> float:
        """Hours at most on one GPU that reaches `share` of `peak` operations a second."""
        return sum(m.flops for m in self.methods) / (peak * share) / 3600

    def measured_hours(self, speeds: Mapping[str, Speed]) -> float:
        """Hours at most at measured speeds, if folds at once do not slow one another."""
        total = 0.0
        for method in self.methods:
            seconds = sum(speeds[s.key].seconds(s) for s in method.stages)
            total += seconds / max(1, min(self.at_once, method.folds - method.stored))
        return total / 3600


def estimate(
    plans: Sequence[Plan],
    session: Session,
    methods: Sequence[str] = (),
    options: Options = Options(),  # noqa: B008 - frozen
    stored: bool = True,
) -> Estimate:
    """Count what running `plans` would take; nothing is trained and no frame is read.

    Parameters
    ----------
    plans : sequence of Plan
        From `elrcn.experiments.plan` or `plan_manifest`.
    session : Session
        Profile, device, workers, workspace.
    methods : sequence of str
        Only these; those that an experiment lacks are passed over if another has them.
    options : Options
        What fine-tuned networks start from.
    stored : bool
        Look for folds that earlier runs have stored.
    """
    parts, stacks, grey, weights, store = [], {}, {}, 0, Store()
    for p in plans:
        names = [m.name for m in p.methods]
        wanted = [name for name in methods if name in names or len(plans) == 1]
        if methods and not wanted:
            continue
        for method in (one for chosen in p.chosen(wanted) for one in p.seeded(chosen)):
            # Networks of another seed are others: each counts by itself.
            done = {f.name for f in stored_folds(p, method, session, options)} if stored else set()
            part = _method_estimate(p, method, session, done, store)
            parts.append(part)
            frames = _frames(p, method, session)
            held = grey if method.input == "grey" else stacks
            config = config_hash(method.preprocess(session.profile.preprocess))
            size = int(np.prod(part.shape[2:])) * (1 if method.input == "grey" else 4)
            clips = p.manifest.table["clip_id"]
            for copy in range(part.copies):
                held |= {
                    (config, copy, clip): n * size for clip, n in zip(clips, frames, strict=True)
                }
            if method.starts_from_weights and options.pretrained != "none":
                weights = 4 * vgg_cost(session.profile.vgg, 3, 1).parameters
    disk = {
        "flow stacks": sum(stacks.values()),
        "grey sequences": sum(grey.values()),
        "weights to start from": weights,
        "networks and features of all folds": sum(p.networks_bytes for p in parts),
    }
    missing = max((m.folds - m.stored for m in parts), default=0)
    at_once = max(1, min(session.fold_workers, missing))
    here = max((m.memory(4) + m.resident for m in parts), default=0.0)
    on_gpu = max((m.memory(2) + m.resident for m in parts if m.stages), default=0.0)
    largest = max((4 * s.cost.parameters for m in parts for s in m.stages), default=0)
    kind = session.device.partition(":")[0]
    process = _PROCESS.get(kind, 1e9)
    host = at_once * (process + here) if kind == "cpu" else process + 2 * largest
    return Estimate(tuple(parts), disk, host, on_gpu, at_once)


def _frames(p: Plan, method: Method, session: Session) -> list[int]:
    config = method.preprocess(session.profile.preprocess)
    own = [config.tim_length or len(frames) for frames in p.manifest.table["frames"]]
    if config.max_frames:
        own = [min(n, config.max_frames) for n in own]
    return [n - (method.input != "grey") for n in own]


def _named(p: Plan, method: Method) -> str:
    """Name of a method, with its seed where the experiment has several."""
    many = method.random and len(p.experiment.seeds) > 1
    return f"{method.name} (seed {method.seed})" if many else method.name


def _method_estimate(
    p: Plan, method: Method, session: Session, done: set, store: Store
) -> MethodEstimate:
    config = method.preprocess(session.profile.preprocess)
    frames = max(_frames(p, method, session))
    if method.input == "grey":
        shape = (len(p.manifest), frames, 1, config.flow_size, config.flow_size)
    else:
        shape = (len(p.manifest), frames, 5, config.size, config.size)
    folds = [fold for fold in p.folds if fold.name not in done]
    estimator = method.build(session, Options("none"))
    parts = stages(estimator, folds, frames, len(p.classes))
    inner = getattr(estimator, "estimator", estimator)
    copies = getattr(estimator, "clips_factor", 1)
    kept = 0
    if getattr(inner, "feature_store", None):
        parts, kept = store.add(parts, inner, p, method, config, folds, copies)
    return MethodEstimate(
        p.experiment.name, _named(p, method), method.label, len(p.folds), len(done), shape, parts,
        kept, copies,
    )  # fmt: skip
