"""Figure 9 and its measurement: maps on faces, and how much of them lies where it should."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from elrcn.picture import bare
from elrcn_book.maps import KINDS, SCORE_NAMES, Overlay
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style, series

#: Share of the map's colour in a blended pixel; the rest is the face.
BLEND = 0.5
_MAP = "viridis"


def blend(frame: np.ndarray, cam: np.ndarray, share: float = BLEND) -> np.ndarray:
    """Lay a map over a frame, in colours that get lighter as the map gets higher.

    Parameters
    ----------
    frame : ndarray (h, w)
        Grey levels 0..255.
    cam : ndarray (H, W)
        Map, not negative; scaled to its maximum and enlarged to the frame.
    share : float
        Of the colour, 0..1.

    Returns
    -------
    ndarray (h, w, 3)
        sRGB in 0..1. Blended here and not by the file's transparency, which is drawn differently
        from one viewer to another.
    """
    height, width = frame.shape
    large = cv2.resize(np.asarray(cam, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    colour = mpl.colormaps[_MAP](large / max(float(large.max()), 1e-9))[..., :3]
    return share * colour + (1 - share) * (np.asarray(frame, float) / 255)[..., None]


def _outline(ax, mask) -> None:
    if mask is not None and mask.any() and not mask.all():
        ax.contour(mask, levels=[0.5], colors="black", linewidths=2.2)
        ax.contour(mask, levels=[0.5], colors="white", linewidths=1.0)


def overlay_figure(items: Sequence[Overlay], title: str) -> Figure:
    """Draw each clip in a row: its frame, and its maps under every protocol.

    Parameters
    ----------
    items : sequence of Overlay
        From `elrcn_book.maps.overlays`; masks are outlined in white on black.
    title : str
        Title of the figure.
    """
    protocols = list(items[0].maps)
    tall = max(item.frame.shape[0] / item.frame.shape[1] for item in items)
    with figure_style():
        fig, axes = plt.subplots(
            len(items),
            1 + len(protocols),
            figsize=(WIDTH, len(items) * (1.55 * tall + 0.62) + 0.9),
            squeeze=False,
        )
        for row, item in zip(axes, items, strict=True):
            row[0].imshow(item.frame, cmap="gray", vmin=0, vmax=255)
            row[0].set_title(f"{_short(item.clip_id)}\nAU {item.units}\napex frame", fontsize=8.5)
            for ax, protocol in zip(row[1:], protocols, strict=True):
                true, predicted = item.answers[protocol]
                ax.imshow(blend(item.frame, item.maps[protocol]))
                ax.set_title(f"{protocol}\ntrue: {true}\nanswer: {predicted}", fontsize=8.5)
            for ax in row:
                _outline(ax, item.mask)
                bare(ax)
        colours = BLEND * mpl.colormaps[_MAP](np.linspace(0, 1, 256))[:, :3] + (1 - BLEND) * 0.5
        scale = ScalarMappable(Normalize(0, 1), ListedColormap(colours))
        bar = fig.colorbar(scale, ax=axes, location="bottom", shrink=0.6, aspect=30, pad=0.01)
        bar.set_label("Grad-CAM as a share of its maximum (on mid grey)")
        bar.outline.set_visible(False)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def _short(clip_id: str) -> str:
    return clip_id.split("/", 1)[-1]


def overlay_alt(items: Sequence[Overlay]) -> str:
    """Alternative text of `overlay_figure`: clips, action units and answers."""
    parts = []
    for item in items:
        said = ", ".join(f"{p} {t} answered {a}" for p, (t, a) in item.answers.items())
        parts.append(f"{_short(item.clip_id)} with action units {item.units} ({said})")
    return (
        "Rows of faces: the apex frame, then the same frame under a Grad-CAM map for each "
        f"protocol, the skin that truly moves outlined where it is known. {'; '.join(parts)}."
    )


def score_figure(short: pd.DataFrame, title: str) -> Figure:
    """Hit rates and energy of each kind of maps with 95% intervals, and the masks' own share.

    Parameters
    ----------
    short : DataFrame
        From `elrcn.experiments.attention.summarise`; its differences are not drawn.
    title : str
        Title of the figure.
    """
    rows = short[short["maps"].isin(KINDS)].reset_index(drop=True)
    places, y = [], 0.0
    for i in range(len(rows)):
        if i and rows["protocol"][i] != rows["protocol"][i - 1]:
            y -= 0.8
        places.append(y)
        y -= 1
    places = np.array(places)
    panels = {
        "hit": "Highest point inside",
        "hit_tolerant": "… with tolerance",
        "hit_by_class": "… averaged by class",
        "energy": "Energy inside",
    }
    with figure_style():
        size = (WIDTH, 0.5 * len(rows) + 2.4)
        fig, axes = plt.subplots(2, 2, figsize=size, sharey=True)
        for ax, (name, heading) in zip(axes.flat, panels.items(), strict=True):
            for k, kind in enumerate(KINDS):
                of = (rows["maps"] == kind).to_numpy()
                colour, marker = series(k)
                ax.hlines(
                    places[of],
                    rows.loc[of, f"{name}_low"],
                    rows.loc[of, f"{name}_high"],
                    color=colour,
                    linewidth=2,
                )
                # A marker at zero would be cut in half at the axis.
                ax.plot(rows.loc[of, name], places[of], marker, color=colour, clip_on=False)
            for _, part in rows.groupby("protocol", sort=False):
                if name not in ("hit", "energy"):  # what blind maps score with a tolerance is more
                    continue
                at, share = places[part.index], part["mask_share"].iloc[0]
                ax.vlines(
                    share,
                    at.min() - 0.5,
                    at.max() + 0.5,
                    color="0.35",
                    linestyle=":",
                    label="share of the picture in the masks",
                )
            labels = [
                f"{protocol}: {KINDS[kind]}"
                for protocol, kind in zip(rows["protocol"], rows["maps"], strict=True)
            ]
            ax.set_yticks(places, labels)
            ax.set_ylim(places.min() - 0.6, places.max() + 0.6)
            ax.set_xlim(left=0)
            ax.xaxis.set_major_locator(MaxNLocator(3))
            ax.set_title(heading, fontsize=9)
            ax.set_xlabel("Share of the total" if name == "energy" else "Share of clips")
        for ax in axes[:, 0]:
            ax.set_ylabel("Maps")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        handles, names = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles[:1], names[:1], loc="outside lower center")
    return fig


def score_alt(short: pd.DataFrame) -> str:
    """Alternative text of `score_figure`: the means."""
    rows = short[short["maps"].isin(KINDS)]
    parts = [
        f"{r['protocol']} {KINDS[r['maps']]} " + ", ".join(f"{r[name]:.2f}" for name in SCORE_NAMES)
        for _, r in rows.iterrows()
    ]
    return f"Dots with intervals; {', '.join(SCORE_NAMES.values())}: {'; '.join(parts)}."


def map_unit_figure(units: pd.DataFrame, title: str) -> Figure:
    """Energy inside the masks by action unit: trained and untrained, beside the masks' share.

    Parameters
    ----------
    units : DataFrame
        From `elrcn_book.maps.map_units`.
    title : str
        Title of the figure.
    """
    protocols = units["protocol"].unique()
    tables = {p: units[units["protocol"] == p] for p in protocols}
    sizes = [part["unit"].nunique() for part in tables.values()]
    with figure_style():
        fig, axes = plt.subplots(
            len(protocols),
            1,
            figsize=(WIDTH, 0.36 * sum(sizes) + 2.0),
            sharex=True,
            squeeze=False,
            height_ratios=sizes,
        )
        for ax, (protocol, part) in zip(axes[:, 0], tables.items(), strict=True):
            numbers = sorted(part["unit"].unique())
            clips = part[part["maps"] == "trained"].set_index("unit")["clips"]
            y = {number: -i for i, number in enumerate(numbers)}
            for k, (kind, off) in enumerate((("trained", 0.13), ("untrained", -0.13))):
                rows = part[part["maps"] == kind]
                at = rows["unit"].map(y) + off
                colour, marker = series(2 * k)
                ax.hlines(at, rows["energy_low"], rows["energy_high"], color=colour, linewidth=2)
                ax.plot(rows["energy"], at, marker, color=colour, label=KINDS[kind], markersize=5)
            rows = part[part["maps"] == "trained"]
            ax.plot(
                rows["mask_share"],
                rows["unit"].map(y),
                "|",
                color=OKABE_ITO["black"],
                markersize=13,
                markeredgewidth=1.6,
                label="share of the picture in the masks",
            )
            ax.set_yticks(list(y.values()), [f"AU {n} ({clips[n]})" for n in numbers])
            ax.set_ylim(-len(numbers) + 0.4, 0.6)
            ax.set_title(protocol, fontsize=10)
            ax.set_ylabel("Action unit (clips)")
        axes[-1, 0].set_xlim(left=0)
        axes[-1, 0].xaxis.set_major_locator(MaxNLocator(5))
        axes[-1, 0].set_xlabel("Share of the map’s total inside the clip’s masks")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        handles, names = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, names, loc="outside lower center", ncols=2)
    return fig
