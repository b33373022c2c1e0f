"""Where the embedded corpus moves the skin of a clip, on the grid of the network's input.

Only the measure of Figure 9 reads this truth, once the networks are trained; no network sees it.
"""

from __future__ import annotations

import numpy as np

from elrcn.config import PreprocessConfig
from elrcn.corpus.truth import Truth, load_truth
from elrcn.experiments.methods import SE
from elrcn.explain import mask_to_input
from elrcn.manifest import Manifest
from elrcn.preprocess.clips import resize
from elrcn.preprocess.faces import Crop, find_crops
from elrcn.session import Session


def frame_mask(truth: Truth, crops: list[Crop] | None = None) -> np.ndarray:
    """Where any action unit of a clip moves the skin, cropped as its frames are.

    Parameters
    ----------
    truth : Truth
        Of the clip.
    crops : list of Crop, optional
        Of the clip (`elrcn.preprocess.faces.find_crops`). Where there is one a frame, the onset's
        serves: the others keep the face where it was.

    Returns
    -------
    ndarray of float32 (height, width)
        0 outside, 1 inside, at the size of the frames or of the crop.
    """
    whole = np.zeros((truth.height, truth.width), np.float32)
    for mask in truth.masks.values():
        whole[mask] = 1
    return crops[0].apply(whole) if crops else whole


def input_mask(truth: Truth, crops: list[Crop] | None, config: PreprocessConfig) -> np.ndarray:
    """`frame_mask` on the grid of the network's input, by the steps that frames go through.

    Returns
    -------
    ndarray of bool (size, size)
    """
    return mask_to_input(resize(frame_mask(truth, crops), config.flow_size), config.size)


def input_masks(manifest: Manifest, session: Session) -> list[np.ndarray | None]:
    """`input_mask` of every clip; None for all where the data are not the embedded corpus."""
    root = session.corpus_root
    if root is None:
        return [None] * len(manifest)
    config = SE.preprocess(session.profile.preprocess)
    crops = clip_crops(manifest, session)
    clips = manifest.table["clip_id"]
    return [input_mask(load_truth(root, c), k, config) for c, k in zip(clips, crops, strict=True)]


def clip_crops(manifest: Manifest, session: Session) -> list[list[Crop] | None]:
    """Crops that preprocessing has applied to the clips of `manifest`."""
    config = SE.preprocess(session.profile.preprocess)
    cache = session.workspace.cache / "stacks"
    workers = session.preprocess_workers
    return find_crops(manifest, config.align, cache, workers, session.progress)[0]
