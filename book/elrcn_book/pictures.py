"""Pictures of clips that several pages share: frames, flow in colour, maps, animations."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from PIL import Image, ImageDraw, ImageFont

from elrcn.corpus.truth import load_truth
from elrcn.manifest import Manifest
from elrcn.picture import bare, colour_wheel, flow_colours, speed_limit
from elrcn.preprocess.clips import read_grey

__all__ = ["animation", "apex_index", "bare", "blinking", "colour_wheel", "examples",
           "flow_colours", "frame_numbers", "frames_of", "heat", "outline", "panel_row",
           "show_frame", "speed_limit", "spread", "strip"]  # fmt: skip

_NUMBER = re.compile(r"\d+$")


# --- which clips, which frames --------------------------------------------------------------------


def frame_numbers(row: pd.Series) -> np.ndarray:
    """Numbers of a manifest row's frames, read from the end of their names."""
    return np.array([int(_NUMBER.search(PurePosixPath(f).stem).group()) for f in row["frames"]])


def apex_index(row: pd.Series) -> int:
    """Position of the frame nearest the apex; the middle where the sheet has no apex."""
    if pd.isna(row["apex"]):
        return len(row["frames"]) // 2
    return int(np.argmin(np.abs(frame_numbers(row) - int(row["apex"]))))


def examples(manifest: Manifest, column: str, classes) -> list[int]:
    """Row numbers of one clip a class, each of another subject as far as possible.

    The choice depends on the manifest alone: the first clip of a class whose subject was not
    shown yet, with a known apex. Classes without clips are left out.
    """
    chosen, shown = [], set()
    table = manifest.table
    for name in classes:
        rows = np.flatnonzero((table[column] == name).to_numpy())
        if len(rows):
            order = sorted(
                rows, key=lambda i: (table["subject"][i] in shown, pd.isna(table["apex"][i]), i)
            )
            chosen.append(int(order[0]))
            shown.add(table["subject"][order[0]])
    return chosen


def spread(manifest: Manifest, count: int) -> list[int]:
    """Row numbers of `count` clips spread evenly over the manifest (all, if it has fewer)."""
    return sorted({int(i) for i in np.linspace(0, len(manifest) - 1, min(count, len(manifest)))})


def blinking(manifest: Manifest, corpus_root: Path | None) -> np.ndarray:
    """Whether the person blinks between onset and offset, a bool a clip.

    Only the synthetic dataset knows; without one (None) it is False for every clip.
    """
    blinks = np.zeros(len(manifest), bool)
    for i in range(len(manifest) if corpus_root else 0):
        row = manifest.table.iloc[i]
        truth = load_truth(corpus_root, row["clip_id"])
        blinks[i] = truth.blink[np.isin(truth.numbers, frame_numbers(row))].any()
    return blinks


def frames_of(manifest: Manifest, i: int) -> list[np.ndarray]:
    """Grey frames (H, W), uint8, of clip `i` from onset to offset, as they lie on disk."""
    return [read_grey(path) for path in manifest.frame_paths(i)]


# --- drawing them ---------------------------------------------------------------------------------


def show_frame(ax: Axes, frame: np.ndarray, title: str = "", height: int = 220) -> Axes:
    """Draw a grey frame (0..255), reduced to `height` pixels so that pages stay light."""
    width = round(frame.shape[1] * height / frame.shape[0])
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
    extent = (-0.5, frame.shape[1] - 0.5, frame.shape[0] - 0.5, -0.5)
    ax.imshow(small, cmap="gray", vmin=0, vmax=255, extent=extent)
    ax.set_title(title, fontsize=10)
    bare(ax)
    return ax


def strip(axes: Sequence[Axes], manifest: Manifest, i: int) -> None:
    """Draw onset, apex and offset of clip `i` into three axes, with their times."""
    row, frames = manifest.table.iloc[i], frames_of(manifest, i)
    numbers = frame_numbers(row)
    places = (0, apex_index(row), len(frames) - 1)
    names = ("onset", "middle" if pd.isna(row["apex"]) else "apex", "offset")
    for ax, name, k in zip(axes, names, places, strict=True):
        show_frame(ax, frames[k], f"{name}, {1000 * (numbers[k] - numbers[0]) / row['fps']:.0f} ms")


def outline(ax: Axes, mask: np.ndarray, extent: tuple | None = None) -> None:
    """Draw the border of a mask as a white line with a black one around it."""
    if mask.any() and not mask.all():
        values = np.asarray(mask, float)
        for colour, width in (("black", 2.6), ("white", 1.2)):
            ax.contour(values, levels=[0.5], colors=colour, linewidths=width,
                       extent=extent, origin="upper" if extent else None)  # fmt: skip


def heat(frame: np.ndarray, values: np.ndarray, share: float = 0.75) -> np.ndarray:
    """Lay a map (h, w), not negative, over a grey frame (H, W): sRGB (H, W, 3) in 0..1.

    The face stays as it is where the map is 0, and takes `share` of the map's colour at its
    maximum. Blended here and not by the file's transparency, which viewers draw differently.
    """
    height, width = frame.shape
    large = cv2.resize(np.asarray(values, np.float32), (width, height))
    scaled = np.clip(large / max(float(large.max()), 1e-9), 0, 1)
    colour = plt.get_cmap("inferno")(0.25 + 0.75 * scaled)[..., :3]
    weight = share * scaled[..., None]
    return weight * colour + (1 - weight) * (np.asarray(frame, float) / 255)[..., None]


def animation(frames: Sequence[np.ndarray], milliseconds: int = 120, height: int = 200) -> bytes:
    """Frames as a looping WebP, the last one held for a second.

    Parameters
    ----------
    frames : sequence of ndarray
        Grey (H, W) 0..255, or sRGB (H, W, 3) in 0..1.
    milliseconds : int
        How long each is shown.
    height : int
        Pixels of the animation.
    """
    pictures = []
    for frame in frames:
        values = frame * 255 if frame.ndim == 3 else frame
        picture = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
        width = round(picture.width * height / picture.height)
        pictures.append(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    times = [milliseconds] * (len(pictures) - 1) + [1000]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "WEBP", save_all=True, append_images=pictures[1:], duration=times,
                     loop=0, quality=70, method=4)  # fmt: skip
    return buffer.getvalue()


def panel_row(panels: Mapping[str, np.ndarray], height: int = 160, gap: int = 6) -> np.ndarray:
    """Pictures side by side under their titles, as one frame of an animation.

    Parameters
    ----------
    panels : mapping of str to ndarray
        Title to grey (H, W) 0..255 or sRGB (H, W, 3) in 0..1.
    height, gap : int
        Pixels of each picture, and between two.

    Returns
    -------
    ndarray, shape (height + 22, W, 3)
        sRGB in 0..1.
    """
    font = ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 13)
    parts = []
    for title, panel in panels.items():
        values = panel if panel.ndim == 3 else np.repeat(panel[..., None] / 255, 3, axis=2)
        width = round(panel.shape[1] * height / panel.shape[0])
        how = cv2.INTER_AREA if panel.shape[0] > height else cv2.INTER_NEAREST
        picture = cv2.resize(np.asarray(values, np.float32), (width, height), interpolation=how)
        head = Image.new("RGB", (width, 22), "white")
        ImageDraw.Draw(head).text((width / 2, 11), title, "black", font, anchor="mm")
        parts += [np.vstack([np.asarray(head, np.float32) / 255, picture]),
                  np.ones((height + 22, gap, 3), np.float32)]  # fmt: skip
    return np.hstack(parts[:-1])
