"""Grad-CAM of a spatial network (Section V, Figure 9), and how much of it lies where it should."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch.nn import functional as F

from elrcn.config import VGGConfig
from elrcn.errors import ElrcnError
from elrcn.models.inputs import check_clips, frame_source, frames_at_once
from elrcn.models.networks import VGG
from elrcn.models.spatial_stage import SpatialNetwork
from elrcn.models.train import memory_format, reproducible, resolve_device
from elrcn.preprocess.clips import resize


def grad_cam(network: SpatialNetwork, X, targets) -> np.ndarray:
    """Grad-CAM of every frame on the network's last convolution (Selvaraju et al. 2017).

    The layer's activations after their ReLU, ``A_k``, are weighted by the mean gradient of the
    target's logit, added up and cut at zero, ``ReLU(sum_k mean(dy / dA_k) A_k)`` (equations 1
    and 2, doi 10.1109/ICCV.2017.74), then enlarged to the input by bilinear interpolation.

    Parameters
    ----------
    network : SpatialNetwork
        Of a fitted estimator (``estimator.networks_["all"]``), or
        `elrcn.models.spatial_stage.untrained_network` as a control.
    X : array (clips, frames, 5, H, W)
        Clips.
    targets : int or array of int, shape (clips,)
        Class index to explain, for all clips or for each.

    Returns
    -------
    ndarray (clips, frames, H, W)
        Not negative, float32; in the unit of the logit, so not comparable between networks.

    Raises
    ------
    ElrcnError
        If shapes or targets do not fit the network.
    """
    clips, frames, _, height, width = check_clips(X, network.spec.vgg.size)
    targets = np.broadcast_to(np.asarray(targets, np.int64), clips)
    if targets.min() < 0 or targets.max() >= network.module.classes:
        raise ElrcnError(
            f"The network has {network.module.classes} classes; class index "
            f"{int(targets.max())} or {int(targets.min())} is not among them."
        )
    device = resolve_device(network.device)
    targets = np.repeat(targets, frames)
    index = np.arange(clips * frames)
    size = max(4, frames_at_once(network.spec.vgg, device) // 2)
    batches = [index[i : i + size] for i in range(0, len(index), size)]
    parts = []
    with reproducible(device, 0, network.threads):
        module = network.module.to(device, memory_format=memory_format(device)).train(False)
        source = frame_source(X, network.encoder, device)
        for batch, images in zip(batches, source.batches(batches), strict=True):
            target = torch.from_numpy(targets[batch]).to(device)
            maps = _coarse_maps(module, images, target)
            maps = F.interpolate(maps, (height, width), mode="bilinear")
            parts.append(maps.float().cpu().numpy())
    return np.concatenate(parts).reshape(clips, frames, height, width)


def _coarse_maps(module: VGG, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Grad-CAM on the layer's own grid: (n, 1, side, side)."""
    with torch.no_grad():
        activations = module.activations(images)
    # Before the ReLU, a negative value times a negative weight would count as evidence.
    with torch.enable_grad():
        activations.requires_grad_()
        score = module.logits(activations).gather(1, target[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, activations)
    weights = gradient.mean((2, 3), keepdim=True)
    return F.relu((weights * activations.detach()).sum(1, keepdim=True))


def clip_map(maps: np.ndarray) -> np.ndarray:
    """Mean over the frames, each scaled to a maximum of 1: shape (clips, H, W).

    Frames without any positive evidence count as zero.
    """
    peak = maps.max((2, 3), keepdims=True)
    return (maps / np.where(peak > 0, peak, 1)).mean(1)


def pointing_game(cam: np.ndarray, mask: np.ndarray, tolerance: float = 0) -> float:
    """Whether the highest point of a map lies in the mask, or close to it (the pointing game).

    Zhang et al. 2016, doi 10.1007/978-3-319-46493-0_33, count a hit within 15 px of an image of
    224 (`pointing_tolerance`) and average the hits over categories, not over images.

    Parameters
    ----------
    cam : ndarray (H, W)
        Map.
    mask : ndarray of bool (H, W)
        Where the evidence should be, e.g. the union of the clip's action-unit masks.
    tolerance : float
        Largest distance in px between the centres of the highest pixel and of the mask's nearest
        one that counts as a hit. 0: strictly inside.

    Returns
    -------
    float
        1 or 0; where several pixels share the maximum, the share of them that hit. So a constant
        map scores the share of the picture that hits, which is what pointing blindly scores.

    Raises
    ------
    ElrcnError
        If the shapes differ or the tolerance is negative.
    """
    mask = _same_shape(cam, mask)
    if tolerance < 0:
        raise ElrcnError(f"A tolerance is a distance of 0 px or more, not {tolerance}.")
    if tolerance and mask.any():
        mask = distance_transform_edt(~mask) <= tolerance
    return float(mask[cam == cam.max()].mean())


def pointing_tolerance(size: int) -> int:
    """Tolerance of Zhang et al. 2016 (15 px of 224) for maps of another side, in whole px.

    ``15 size / 224``, rounded to the nearest, halves up: 2 px at 24, 15 at 224.
    """
    return (2 * 15 * size + 224) // (2 * 224)


def energy_inside(cam: np.ndarray, mask: np.ndarray) -> float:
    """Share of a map's total that lies in the mask, in 0..1.

    A map that is zero everywhere scores the mask's share of the picture, like any constant map.

    Parameters
    ----------
    cam : ndarray (H, W)
        Map, not negative.
    mask : ndarray of bool (H, W)
        Where the evidence should be.
    """
    mask = _same_shape(cam, mask)
    total = float(cam.sum(dtype=np.float64))
    return float(cam[mask].sum(dtype=np.float64)) / total if total > 0 else float(mask.mean())


def _same_shape(cam: np.ndarray, mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask, bool)
    if cam.shape != mask.shape or cam.ndim != 2:
        raise ElrcnError(f"A map of shape {cam.shape} and a mask of {mask.shape} do not fit.")
    return mask


def mask_to_input(mask: np.ndarray, size: int) -> np.ndarray:
    """Reduce a mask (H, W) to the network's input, as frames are: pixels covered at least by half.

    Values of `mask` between 0 and 1 count as partly covered.
    Where that leaves none of a mask that has any, the most covered pixels are taken.
    """
    covered = resize(np.asarray(mask, np.float32), size)
    if covered.max() <= 0:
        return np.zeros((size, size), bool)
    return covered >= min(0.5, covered.max())


def random_maps(count: int, grid: int, size: int, seed: int = 0) -> np.ndarray:
    """Draw maps that know nothing, as smooth as Grad-CAM's: (count, size, size), float32 in 0..1.

    Values are drawn on the grid of the last convolution (side `grid`, see `cam_grid`), then
    enlarged to the network's input (side `size`) as Grad-CAM is. Same seed, same maps.
    """
    values = np.random.default_rng(seed).random((count, 1, grid, grid), np.float32)
    maps = F.interpolate(torch.from_numpy(values), (size, size), mode="bilinear")
    return maps[:, 0].numpy()


def cam_grid(vgg: VGGConfig) -> int:
    """Side of the maps that Grad-CAM weights in a network of `vgg`, before they are enlarged."""
    return vgg.size // 2 ** (len(vgg.convs) - 1)
