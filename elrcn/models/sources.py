"""Where batches come from: held on the device when they fit, else streamed clip by clip."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from elrcn.config import VGGConfig

#: Encoded frames above this size are streamed to a CPU or MPS device rather than held.
RESIDENT_BYTES = 1 << 30


def frames_at_once(vgg: VGGConfig, device: torch.device) -> int:
    """Frames to pass through a network that is not trained: few where its maps are large."""
    values = vgg.size**2 * max(vgg.widths[0], 1)
    return int(np.clip((1 << (30 if device.type == "cuda" else 26)) // values, 8, 512))


class TensorSource:
    """Samples held on the device, shape (n, ...). Images are stored channels last."""

    def __init__(self, tensor: torch.Tensor, images: bool = False):
        self.tensor, self.images = tensor, images

    def __len__(self):
        return len(self.tensor)

    def batches(self, batches: list[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield the samples of each index array."""
        if not batches:
            return
        # The whole order goes to the device at once: a copy a batch would wait for the network.
        order = torch.from_numpy(np.concatenate(batches)).to(self.tensor.device)
        for index in order.split([len(index) for index in batches]):
            batch = self.tensor.index_select(0, index)
            yield batch.permute(0, 3, 1, 2) if self.images else batch


class StreamedFrames:
    """Frames encoded when needed, one batch ahead of the network, never all in memory."""

    images = True

    def __init__(self, X, encoder, device: torch.device):
        self.X, self.encoder, self.device = X, encoder, device
        self.frames = X.shape[1]

    def __len__(self):
        return len(self.X) * self.frames

    def _load(self, index: np.ndarray) -> torch.Tensor:
        frames = []
        for clip, frame in zip(*np.divmod(index, self.frames), strict=True):
            if hasattr(self.X, "frame"):
                image = self.X.frame(int(clip), int(frame))[None]
            else:
                image = self.X[int(clip)][frame : frame + 1]
            frames.append(self.encoder.encode(image))
        batch = torch.from_numpy(np.concatenate(frames))
        return batch.pin_memory() if self.device.type == "cuda" else batch

    def batches(self, batches: list[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield the frames of each index array; the next batch loads meanwhile."""
        with ThreadPoolExecutor(1) as pool:
            pending = [pool.submit(self._load, index) for index in batches[:2]]
            for i in range(len(batches)):
                batch = pending.pop(0).result().to(self.device, non_blocking=True)
                if i + 2 < len(batches):
                    pending.append(pool.submit(self._load, batches[i + 2]))
                yield batch.permute(0, 3, 1, 2)


def frame_source(X, encoder, device: torch.device, limit: int | None = None):
    """Frames of the clips `X` (clips, frames, 5, H, W) as one long list of samples.

    Parameters
    ----------
    X : array or lazy array
        Clips; sample ``i * frames + t`` is frame ``t`` of clip ``i``.
    encoder : InputEncoder
        Fitted encoder of the stream.
    device : torch.device
        Where the batches are needed.
    limit : int, optional
        Bytes that may be held on the device; default a quarter of the free memory on CUDA,
        else `RESIDENT_BYTES`.
    """
    clips, frames, _, height, width = X.shape
    shape = (clips * frames, height, width, len(encoder.channels))
    if limit is None:
        limit = RESIDENT_BYTES
        if device.type == "cuda":
            limit = torch.cuda.mem_get_info(device)[0] // 4
    if 4 * int(np.prod(shape, dtype=np.int64)) > limit:
        return StreamedFrames(X, encoder, device)
    held = torch.empty(shape, dtype=torch.float32, device=device)
    for i in range(clips):
        held[i * frames : (i + 1) * frames] = torch.from_numpy(encoder.encode(X[i]))
    return TensorSource(held, images=True)
