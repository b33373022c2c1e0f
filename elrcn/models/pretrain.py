"""Face-identity weights in miniature: what VGG-Face is to the paper, for small networks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from elrcn.config import Profile, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, write_json
from elrcn.models.inputs import TensorSource
from elrcn.models.networks import VGG
from elrcn.models.train import outputs, reproducible, resolve_device, train
from elrcn.models.weights import is_kept, write_tensors

IMAGES_EACH = 24


def train_identities(
    profile: Profile, images: np.ndarray, labels: np.ndarray, progress: bool = True
) -> tuple[VGG, dict]:
    """Train the profile's VGG to tell the identities of grey faces.

    Parameters
    ----------
    profile : Profile
        Network (`vgg`), training (`pretrain_train`), `scaling`, `seed`, `threads_per_fold`.
    images : ndarray of uint8, shape (n, size, size)
        Grey faces, fed to all three input channels.
    labels : ndarray of int, shape (n,)
        Identities.
    progress : bool
        Show a bar.

    Returns
    -------
    module : VGG
        The trained network.
    card : dict
        Identities, images, losses, accuracy on the sixth of each identity's images held out.
    """
    size = profile.vgg.size
    if images.shape[1:] != (size, size):
        raise ElrcnError(f"The faces are {images.shape[1:]} px but the network takes {size} px.")
    identities, index = np.unique(labels, return_inverse=True)
    rng = np.random.default_rng(profile.seed)
    held_out = np.zeros(len(index), bool)
    for identity in range(len(identities)):
        own = rng.permutation(np.flatnonzero(index == identity))
        held_out[own[: max(1, len(own) // 6)]] = True
    values = images.astype(np.float32)
    mean = std = None
    if profile.scaling != "raw":
        mean, std = float(values[~held_out].mean()), float(values[~held_out].std())
        values = (values - mean) / (std or 1.0)
    frames = np.repeat(values[..., None], 3, axis=3)
    device = resolve_device("auto")
    with reproducible(device, profile.seed, profile.threads_per_fold):
        module = VGG(profile.vgg, 3, len(identities))
        source = TensorSource(torch.from_numpy(frames[~held_out]).to(device), images=True)
        history = train(
            module,
            source,
            index[~held_out],
            profile.pretrain_train,
            device=device,
            seed=profile.seed,
            progress=progress,
            label="face identities",
        )
        test = TensorSource(torch.from_numpy(frames[held_out]).to(device), images=True)
        answers = outputs(module, test, device=device).argmax(1)
    card = {
        "task": "tell the identities of synthetic faces that appear in no database",
        "identities": len(identities),
        "images": len(images),
        "held_out_images": int(held_out.sum()),
        "held_out_accuracy": float(np.mean(answers == index[held_out])),
        "chance": 1 / len(identities),
        "mean": mean,
        "std": std,
        "history": asdict(history),
        "vgg": canonical(profile.vgg),
        "train": canonical(profile.pretrain_train),
    }
    return module, card


def face_identity_weights(profile: Profile, cache: Path, progress: bool = True) -> Path:
    """Return face-identity weights for the profile's VGG, trained once and kept in `cache`.

    Stands where the paper has VGG-Face (Parkhi et al. 2015, doi 10.5244/C.29.41): transfer
    learning for real, in miniature. The faces are synthetic and belong to neither database.

    Parameters
    ----------
    profile : Profile
        `vgg`, `pretrain_train`, `pretrain_faces` (identities), `scaling`, `seed`.
    cache : Path
        Folder for the weights (safetensors) and their JSON card of the same name.
    progress : bool
        Show a bar.
    """
    from elrcn.corpus.face import identity_faces

    key = config_hash(
        "identities", code_hash("models/pretrain.py"), profile.vgg, profile.pretrain_train,
        profile.pretrain_faces, IMAGES_EACH, profile.scaling, profile.seed,
        profile.threads_per_fold,
    )  # fmt: skip
    path = Path(cache) / f"face-identity-{key}.safetensors"
    if is_kept(path):
        return path
    images, labels = identity_faces(
        profile.pretrain_faces, IMAGES_EACH, profile.vgg.size, profile.seed
    )
    module, card = train_identities(profile, np.asarray(images), np.asarray(labels), progress)
    # The weights come last: they are what the next call looks for.
    write_json(path.with_suffix(".json"), {**card, "config": key}, of=path.stem)
    write_tensors(module.state_dict(), path, of=path.stem)
    return path
