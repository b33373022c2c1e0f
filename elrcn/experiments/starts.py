"""What a network that is fine-tuned starts from: VGG-Face, faces in miniature, or nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from elrcn.config import VGGFACE_VARIABLE, VGGConfig, canonical
from elrcn.errors import ElrcnError
from elrcn.files import read_json
from elrcn.models.weights import convert_vggface, file_hash
from elrcn.session import Session

SOURCES = ("auto", "vggface", "synthetic", "none")


@dataclass(frozen=True)
class Options:
    """What the user decides about a run besides its session.

    Attributes
    ----------
    pretrained : {"auto", "vggface", "synthetic", "none"}
        What ELRCN-TE starts from. "vggface": the file `vggface`; "synthetic": weights learned
        here by telling synthetic faces apart; "none": random weights. "auto": VGG-Face where the
        profile's network is the full VGG-16, else synthetic.
    vggface : str
        Weights file in any format of `elrcn.models.weights.read_vggface`; empty: the variable
        ``ELRCN_VGGFACE``.
    channel_order : {"auto", "rgb", "bgr"}
        See `read_vggface`.
    """

    pretrained: str = "auto"
    vggface: str = ""
    channel_order: str = "auto"


DEFAULT = Options()


def weights_source(session: Session, options: Options) -> str:
    """Decide where the weights come from, before anything long begins.

    Returns "vggface", "synthetic" or "none"; raises `ElrcnError` if the choice is unknown,
    contradicts a file given, or needs a file that is not there.
    """
    choice, full = options.pretrained, session.profile.vgg == VGGConfig()
    if choice not in SOURCES:
        raise ElrcnError(
            f"There are no pretrained weights called {choice!r}.",
            fix=f"choose one of: {', '.join(SOURCES)}",
        )
    if options.vggface and choice in ("synthetic", "none"):
        raise ElrcnError(
            f"A VGG-Face file is given, and pretrained weights {choice!r} as well.",
            fix="give --vggface or --pretrained, not both",
        )
    if choice == "auto":
        choice = "vggface" if full or options.vggface else "synthetic"
    if choice == "vggface":
        if not full:
            raise ElrcnError(
                f"VGG-Face weights fit the full VGG-16 only; the profile "
                f"{session.profile.name!r} has a smaller network.",
                fix="use --profile paper, or leave the VGG-Face weights out",
            )
        _vggface_file(options)
    return choice


def _vggface_file(options: Options) -> Path:
    """Weights file of the option, else of ``ELRCN_VGGFACE``; `ElrcnError` if there is none."""
    named = options.vggface or os.environ.get(VGGFACE_VARIABLE, "").strip()
    if not named:
        raise ElrcnError(
            "ELRCN-TE of the paper starts from the VGG-Face weights, and no file was given. "
            "They are not part of this edition.",
            fix="get vgg_face.mat or VGG_FACE.t7 from the Visual Geometry Group of the University "
            f"of Oxford (its page 'VGG Face Descriptor'); give --vggface FILE or set "
            f"{VGGFACE_VARIABLE}, or choose --pretrained synthetic (learn from synthetic faces "
            "first) or --pretrained none (random weights), neither of which is the paper's TE",
        )
    path = Path(named).expanduser()
    if not path.is_file():
        raise ElrcnError(
            "There is no VGG-Face weights file here.",
            where=path,
            fix=f"give the file itself with --vggface FILE or in {VGGFACE_VARIABLE}",
        )
    return path


def initial_weights(session: Session, options: Options) -> Path | None:
    """Make, convert or find the weights that TE starts from; None for random ones.

    The safetensors file lies in the workspace's cache; its name carries a hash of what it was made
    from. Raises `ElrcnError` as `weights_source`, or if a file cannot be converted.
    """
    source = weights_source(session, options)
    if source == "none":
        return None
    if source == "synthetic":
        return session.pretrained()
    profile, folder = session.profile, session.workspace.cache / "pretrained"
    return convert_vggface(_vggface_file(options), folder, profile.vgg, options.channel_order)


def known_weights(session: Session, options: Options) -> list[Path | None]:
    """Weights of this choice that an earlier run left in the cache; nothing is computed."""
    source, profile = weights_source(session, options), session.profile
    if source == "none":
        return [None]
    if source == "vggface":
        wanted = {
            "sha256_start": file_hash(_vggface_file(options)),
            "channel_order": options.channel_order,
        }
    else:
        wanted = {"train": canonical(profile.pretrain_train), "identities": profile.pretrain_faces}
    wanted["vgg"] = canonical(profile.vgg)
    prefix = "vggface" if source == "vggface" else "face-identity"
    found = []
    for path in sorted((session.workspace.cache / "pretrained").glob(f"{prefix}-*.safetensors")):
        card = read_json(path.with_suffix(".json"), of=path.stem) or {}
        if all(card.get(key) == value for key, value in wanted.items()):
            found.append(path)
    return found
