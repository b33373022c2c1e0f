"""What a network is given: channels encoded and scaled, batches of frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from elrcn.config import VGGConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess.flow import eight_bit

#: Channels of the stack (p, q, |v|, strain, grey) that each network of the paper sees.
STREAMS = {
    "all": (0, 1, 2, 3, 4),
    "flow": (0, 1, 2),
    "strain": (3, 3, 3),
    "grey": (4, 4, 4),
}
SCALINGS = ("raw", "standard", "motion")
#: What "motion" multiplies the standardised channels of the five-channel stack by.
MOTION_GAINS = (1.0, 1.0, 1.0, 0.5, 0.2)
CHANNELS = 5


@dataclass(frozen=True)
class Quirks:
    """Where the authors' published code departs from the paper's text; all off by default.

    Attributes
    ----------
    reshape_layout : bool
        A three-channel image stored H x W x C is reshaped, not transposed, to C x H x W: the
        picture is scrambled (flow, and in TE the tripled strain and grey).
    uint8_flow : bool
        Flow and strain are stored in eight bits: 16 c + 128 for each of p, q and |v| and 255 e,
        rounded and saturating at 0 and 255 as Octave's ``uint8()`` and ``imwrite`` do.
    sigmoid_head : bool
        The temporal stage ends in sigmoids under categorical cross-entropy, not in Eq 5.
    shared_optimizer : bool
        One Adam counts updates through all models and is never reset: later models start with a
        decayed rate and without bias correction.
    raw_scale : bool
        Inputs go in as 0..255 whatever `scaling` says.
    frozen_layers : bool
        All convolutions and fc6 keep the values they start with; fc7 and the classifier alone are
        trained. So does the code's run on one database, on weights of VGG-Face.
    reversed_channels : bool
        A flow picture's channels come as (|v|, q, p), the order in which OpenCV reads them.
    updates_before : int
        With `shared_optimizer`, updates made by the folds before this one.
    """

    reshape_layout: bool = False
    uint8_flow: bool = False
    sigmoid_head: bool = False
    shared_optimizer: bool = False
    raw_scale: bool = False
    frozen_layers: bool = False
    reversed_channels: bool = False
    updates_before: int = 0


#: All quirks together: "as the code ran".
AS_THE_CODE_RAN = Quirks(
    reshape_layout=True,
    uint8_flow=True,
    sigmoid_head=True,
    shared_optimizer=True,
    raw_scale=True,
    frozen_layers=True,
    reversed_channels=True,
)


class InputEncoder:
    """Turns clips of the stack into network input for one stream.

    ``"raw"`` follows the paper, where values go in as image levels: flow components and magnitude
    as 16 c + 128 (c in pixels per frame) and strain as 255 e, clipped to 0..255 and not rounded
    unless `uint8_flow`, grey 0..255. The encodings are those of the authors' code.
    ``"standard"`` subtracts the mean and divides by the standard deviation of each channel over
    the training clips, and over nothing else. ``"motion"`` is "standard" for one stream; in the
    stack of all five channels strain then enters at half and grey at a fifth of its weight
    (`MOTION_GAINS`): at equal weights a small network learns faces from grey, which says nothing
    of the class.

    Parameters
    ----------
    stream : {"all", "flow", "strain", "grey"}
        Which channels: see `STREAMS`.
    scaling : {"raw", "standard", "motion"}
        Scaling of the values.
    quirks : Quirks
        `uint8_flow`, `reversed_channels`, `reshape_layout` and `raw_scale` matter here.

    Raises
    ------
    ElrcnError
        If `stream` or `scaling` is unknown.
    """

    def __init__(self, stream: str, scaling: str = "raw", quirks: Quirks | None = None):
        if stream not in STREAMS:
            raise ElrcnError(
                f"There is no input stream {stream!r}.", fix=f"choose one of: {', '.join(STREAMS)}"
            )
        if scaling not in SCALINGS:
            raise ElrcnError(
                f"There is no input scaling {scaling!r}.", fix=f"choose one of: {SCALINGS}"
            )
        self.stream, self.quirks = stream, quirks or Quirks()
        self.scaling = "raw" if self.quirks.raw_scale else scaling
        self.channels = STREAMS[stream]
        self.mean = np.zeros(CHANNELS, np.float32)
        self.std = np.ones(CHANNELS, np.float32)

    def fit(self, X) -> InputEncoder:
        """Measure mean and standard deviation over the training clips `X`, clip by clip."""
        if self.scaling != "raw":
            count, total, squares = 0, np.zeros(CHANNELS), np.zeros(CHANNELS)
            wanted = sorted(set(self.channels))
            for i in range(len(X)):
                clip = self._levels(np.asarray(X[i], np.float32))[:, wanted]
                count += clip[:, 0].size
                total[wanted] += clip.sum((0, 2, 3), dtype=np.float64)
                squares[wanted] += np.square(clip, dtype=np.float64).sum((0, 2, 3))
            mean = total / max(count, 1)
            variance = np.maximum(squares / max(count, 1) - mean**2, 0)
            self.mean = mean.astype(np.float32)
            self.std = np.where(variance > 1e-12, np.sqrt(variance), 1).astype(np.float32)
            if self.scaling == "motion" and self.channels == STREAMS["all"]:
                self.std /= np.array(MOTION_GAINS, np.float32)
        return self

    def measured(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel, as they stand in a card."""
        return {"mean": self.mean.tolist(), "std": self.std.tolist()}

    def restore(self, card: dict) -> InputEncoder:
        """Take `mean` and `std` from a card instead of measuring them."""
        self.mean = np.array(card["mean"], np.float32)
        self.std = np.array(card["std"], np.float32)
        return self

    def encode(self, clip: np.ndarray) -> np.ndarray:
        """Network input (frames, H, W, channels) of one clip (frames, 5, H, W), float32."""
        levels = self._levels(np.asarray(clip, np.float32))
        if self.scaling != "raw":
            levels = (levels - self.mean[:, None, None]) / self.std[:, None, None]
        image = np.moveaxis(levels[:, self.channels], 1, -1)
        if self.quirks.reversed_channels and self.channels[:3] == STREAMS["flow"]:
            image = np.concatenate([image[..., 2::-1], image[..., 3:]], axis=-1)
        if self.quirks.reshape_layout:
            image = reshaped_layout(image)
        return np.ascontiguousarray(image, np.float32)

    def _levels(self, clip: np.ndarray) -> np.ndarray:
        """Give the five channels as image levels 0..255 ("raw") or in their own units."""
        if self.scaling != "raw" and not self.quirks.uint8_flow:
            return clip
        levels = clip.copy()
        levels[:, :3] = 16 * levels[:, :3] + 128
        levels[:, 3] *= 255
        levels[:, :4] = np.clip(levels[:, :4], 0, 255)
        if self.quirks.uint8_flow:
            levels[:, :4] = eight_bit(levels[:, :4])
        return levels


def reshaped_layout(image: np.ndarray) -> np.ndarray:
    """Scramble images as the authors' code does: H x W x 3 reshaped, not transposed, to 3 x H x W.

    Of images (frames, H, W, channels), channels after the third are left alone. Channel k of the
    result is the plane k that the network sees: the k-th third of the picture's rows, each row
    broken into three, the three channels of a pixel side by side.
    """
    frames, height, width, _ = image.shape
    three = np.ascontiguousarray(image[..., :3]).reshape(frames, 3, height, width)
    scrambled = image.copy()
    scrambled[..., :3] = np.moveaxis(three, 1, -1)
    return scrambled


def check_clips(X, size: int | None = None) -> tuple[int, int, int, int, int]:
    """Return the shape of the clips `X` or say what is wrong with it.

    Raises
    ------
    ElrcnError
        If `X` is not (clips, frames, 5, H, W), is empty, or H and W are not `size`.
    """
    shape = tuple(X.shape)
    if len(shape) != 5 or shape[2] != CHANNELS:
        raise ElrcnError(
            f"Clips must have the shape (clips, frames, {CHANNELS}, H, W), not {shape}.",
            fix="pass the stacks that elrcn.preprocess builds",
        )
    if min(shape) < 1:
        raise ElrcnError(f"There is nothing to learn from in an array of shape {shape}.")
    if size is not None and shape[3:] != (size, size):
        raise ElrcnError(
            f"The clips are {shape[4]} x {shape[3]} px but the network takes {size} x {size}.",
            fix="give PreprocessConfig.size and VGGConfig.size the same value",
        )
    return shape


def content_hash(X) -> str:
    """SHA-256 (hex, 16 digits) of the values of the clips `X`, read one by one."""
    digest = hashlib.sha256(repr(tuple(X.shape)).encode())
    for i in range(len(X)):
        digest.update(np.ascontiguousarray(X[i], np.float32))
    return digest.hexdigest()[:16]


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

    Sample ``i * frames + t`` is frame ``t`` of clip ``i``, encoded by the fitted `encoder`.
    `limit` is how many bytes may be held on `device`: a quarter of the free memory on CUDA, else
    `RESIDENT_BYTES`, if it is not given. More is streamed.
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
