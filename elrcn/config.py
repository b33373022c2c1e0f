"""Frozen configuration: one dataclass a stage, and the three profiles that combine them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from elrcn.errors import ElrcnError

#: Environment variable that names the user's file of VGG-Face weights.
VGGFACE_VARIABLE = "ELRCN_VGGFACE"


@dataclass(frozen=True)
class CorpusConfig:
    """Size of the synthetic dataset (`elrcn corpus make`).

    Subject and clip counts per database; class proportions follow the real databases.
    """

    casme2_subjects: int = 14
    casme2_clips: int = 120
    samm_subjects: int = 7
    samm_clips: int = 28
    seed: int = 2018


@dataclass(frozen=True)
class PreprocessConfig:
    """From aligned frames to network input (paper, Sections III-A and IV-B).

    Attributes
    ----------
    size : int
        Side in pixels of the square network input (paper: 224).
    flow_size : int
        Side in pixels at which TIM, flow and strain are computed; reduced to `size` by area
        averaging afterwards. Flow values stay in pixels per frame at `flow_size`.
    tim_length : int
        T of the Temporal Interpolation Model; 0 keeps the clip's own frames (no TIM).
    flow : {"ipol", "opencv"}
        TV-L1 implementation (Eq 1).
    align : {"none", "face", "face-follow"}
        "face" crops uncropped sources (SAMM) at the face's edge by one transform a clip;
        "face-follow" by one a frame, smoothed over time.
    variant : str
        Augmentation: one transform for all frames of a clip, before TIM and flow, such as
        "mirror" (see `elrcn.preprocess.clips`); "" for the clip as it is.
    max_frames : int
        Later frames of a clip are left out; 0 keeps all.
    """

    size: int = 64
    flow_size: int = 224
    tim_length: int = 10
    flow: str = "ipol"
    align: str = "face"
    variant: str = ""
    max_frames: int = 0


@dataclass(frozen=True)
class VGGConfig:
    """A VGG network: convolutions per block and their widths, and the two hidden FC layers.

    The defaults are VGG-16 (configuration D of Simonyan and Zisserman 2015, arXiv 1409.1556).
    """

    size: int = 224
    convs: tuple[int, ...] = (2, 2, 3, 3, 3)
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    fc: int = 4096
    dropout: float = 0.5


@dataclass(frozen=True)
class TemporalConfig:
    """LSTM layers after the spatial features (Section III-C), then one FC layer.

    `dense` > 0 inserts the Dense(dense, ReLU) of the authors' code between them. `biases` is the
    number of bias vectors that an LSTM layer learns: 2, torch's, whose sum Adam moves by two
    steps, or 1, Keras', the second being frozen at zero.
    """

    units: tuple[int, ...] = (3000,)
    dense: int = 0
    biases: int = 2


@dataclass(frozen=True)
class TrainConfig:
    """Adam with decay in Keras' meaning and early stopping on the loss (Section III-D).

    ``lr_t = lr / (1 + decay * t)``, t counting updates. Training ends after `max_epochs`, or when
    the training loss has not improved by `min_delta` for `patience` + 1 epochs. `epsilon` says
    where Adam adds its 1e-8: "torch" after the bias correction of the second moment, as in the
    paper of Adam; "keras" before it (see `elrcn.models.train.KerasAdam`).
    """

    lr: float = 1e-5
    decay: float = 1e-6
    batch_size: int = 32
    max_epochs: int = 100
    patience: int = 0
    min_delta: float = 0.0
    epsilon: str = "torch"


@dataclass(frozen=True)
class Profile:
    """Everything a run needs to know besides the data: see `PROFILES`."""

    name: str
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    vgg: VGGConfig = field(default_factory=VGGConfig)
    temporal: TemporalConfig = field(default_factory=TemporalConfig)
    spatial_train: TrainConfig = field(default_factory=TrainConfig)
    finetune_train: TrainConfig = field(default_factory=TrainConfig)
    temporal_train: TrainConfig = field(default_factory=TrainConfig)
    pretrain_train: TrainConfig = field(default_factory=TrainConfig)
    scaling: str = "raw"
    pretrain_faces: int = 40
    threads_per_fold: int = 1  # small networks: two threads were ten times slower on a busy machine
    ablation_groups: int = 0  # > 0: ablations leave out so many groups of subjects, else one
    seed: int = 0


# The demo's sizes and rates were chosen by `python -m tests.tune` on corpora that no page scores:
# 40 settings, data_manifest/demo_tuning.csv. Two blocks keep a 6 x 6 map of where something moved.
_DEMO_VGG = VGGConfig(size=24, convs=(1, 1), widths=(16, 32), fc=128, dropout=0.3)

# The authors trained with Keras. The small profiles keep torch's own ways.
_KERAS_TRAIN = TrainConfig(epsilon="keras")

PROFILES: dict[str, Profile] = {
    "smoke": Profile(
        name="smoke",
        corpus=CorpusConfig(casme2_subjects=3, casme2_clips=12, samm_subjects=2, samm_clips=6),
        preprocess=PreprocessConfig(size=24, flow_size=64),
        vgg=replace(_DEMO_VGG, widths=(8, 16), fc=16),
        temporal=TemporalConfig(units=(16,)),
        spatial_train=TrainConfig(lr=1e-3, max_epochs=2),
        finetune_train=TrainConfig(lr=1e-3, max_epochs=2),
        temporal_train=TrainConfig(lr=1e-3, max_epochs=3),
        pretrain_train=TrainConfig(lr=1e-3, max_epochs=2),
        scaling="motion",
        pretrain_faces=6,
        ablation_groups=2,
    ),
    "demo": Profile(
        name="demo",
        preprocess=PreprocessConfig(size=24, flow_size=168),
        vgg=_DEMO_VGG,
        temporal=TemporalConfig(units=(64,)),
        spatial_train=TrainConfig(lr=2e-3, max_epochs=20, patience=4),
        finetune_train=TrainConfig(lr=3e-3, max_epochs=12, patience=4),
        temporal_train=TrainConfig(lr=1e-3, batch_size=16, max_epochs=10, patience=5),
        pretrain_train=TrainConfig(lr=1e-3, max_epochs=30, patience=2),
        scaling="motion",
        ablation_groups=3,
    ),
    "paper": Profile(
        name="paper",
        corpus=CorpusConfig(casme2_subjects=26, casme2_clips=246, samm_subjects=21, samm_clips=68),
        preprocess=PreprocessConfig(size=224, flow_size=224),
        temporal=TemporalConfig(biases=1),
        spatial_train=_KERAS_TRAIN,
        finetune_train=_KERAS_TRAIN,
        temporal_train=_KERAS_TRAIN,
        pretrain_train=_KERAS_TRAIN,
    ),
}


def get_profile(name: str) -> Profile:
    """Return the profile called `name`; `ElrcnError` if there is none."""
    if name not in PROFILES:
        raise ElrcnError(
            f"There is no profile called {name!r}.", fix=f"choose one of: {', '.join(PROFILES)}"
        )
    return PROFILES[name]


def canonical(value: Any) -> Any:
    """Turn dataclasses, tuples and mappings into plain JSON values with a stable order."""
    if is_dataclass(value) and not isinstance(value, type):
        return canonical(asdict(value))
    if isinstance(value, dict):
        return {str(k): canonical(value[k]) for k in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [canonical(v) for v in value]
    return value


def config_hash(*values: Any, length: int = 16) -> str:
    """Hex SHA-256 (first `length` digits) of the canonical JSON of `values`."""
    text = json.dumps(canonical(values), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def override(config, **changes):
    """`dataclasses.replace` that refuses an unknown field by name."""
    known = {f.name for f in fields(config)}
    for name in changes:
        if name not in known:
            raise ElrcnError(
                f"{type(config).__name__} has no setting {name!r}.",
                fix=f"choose one of: {', '.join(sorted(known))}",
            )
    return replace(config, **changes)
