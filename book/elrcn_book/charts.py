"""Charts that several pages share, drawn with seaborn: scores, differences, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elrcn_book.claims import NEITHER, Family, verdict
from elrcn_book.scores import MORE_SCORES, SCORES
from elrcn_book.style import GREY, PALETTE, WIDTH


def dots(
    ax: Axes, scores: pd.DataFrame, name: str = "uar", chance: float | None = None, **style
) -> Axes:
    """Draw one score of every method as a dot with its interval, the first method on top.

    Parameters
    ----------
    ax : Axes
    scores : DataFrame
        From `elrcn_book.scores.measured`, or any table with columns ``name``, ``name_low`` and
        ``name_high``; the index says what each row is.
    name : str
        The score.
    chance : float, optional
        Drawn as a dotted line.
    **style
        For `seaborn.pointplot`, such as ``color``.
    """
    names = [str(label) for label in scores.index]
    if chance is not None:
        ax.axvline(chance, color=GREY, linestyle=":", linewidth=1.2, zorder=0)
    if f"{name}_low" in scores:
        ax.hlines(names, scores[f"{name}_low"], scores[f"{name}_high"], linewidth=2.2,
                  color=style.get("color", PALETTE[0]))  # fmt: skip
    sns.pointplot(x=scores[name].to_numpy(), y=names, linestyle="none", errorbar=None, ax=ax,
                  order=names, **{"color": PALETTE[0], **style})  # fmt: skip
    ax.set(xlabel=(SCORES | MORE_SCORES).get(name, name), ylabel="")
    sns.despine(ax=ax)
    return ax


def grouped(scores: pd.DataFrame, groups: Sequence[str], chance: float | None = None) -> Figure:
    """Draw the UAR of many methods, a colour a group, groups in the order they come.

    Parameters
    ----------
    scores : DataFrame
        From `elrcn_book.scores.measured`.
    groups : sequence of str
        The group of each row.
    chance : float, optional
        Drawn as a dotted line.
    """
    fig, ax = plt.subplots(figsize=(WIDTH, 0.3 * len(scores) + 1.2), layout="constrained")
    names = dict.fromkeys(groups)
    for name, colour in zip(names, PALETTE * 3, strict=False):
        part = scores[[group == name for group in groups]]
        ax.hlines([str(label) for label in part.index], part["uar_low"], part["uar_high"],
                  color=colour, linewidth=2.2)  # fmt: skip
        ax.plot(part["uar"], [str(label) for label in part.index], "o", color=colour, label=name)
    if chance is not None:
        ax.axvline(chance, color=GREY, linestyle=":", linewidth=1.2, zorder=0)
    ax.invert_yaxis()
    ax.set(xlabel="UAR", xlim=(0, max(0.6, 1.05 * float(scores["uar_high"].max()))))
    ax.tick_params(axis="y", labelsize=9.5)
    ax.legend(loc="lower center", bbox_to_anchor=(0.3, 1), ncols=3)
    sns.despine(ax=ax)
    return fig


def differences(family: Family, ax: Axes | None = None) -> Figure:
    """Draw every difference with its interval; significant ones are filled, others hollow."""
    if ax is None:
        _, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(family) + 1.2))
    ax.axvline(0, color=GREY, linestyle=":", linewidth=1.2, zorder=0)
    labels = [f"{c.first} − {c.second}" for c in family]
    labels = [s if len(s) < 50 else s.replace(" − ", "\n− ") for s in labels]
    for y, claim in enumerate(family):
        told = verdict(claim) != NEITHER
        colour = PALETTE[0] if told else GREY
        ax.hlines(y, claim.low, claim.high, color=colour, linewidth=2.2)
        ax.plot(claim.difference, y, "o", color=colour, markersize=7,
                markerfacecolor=colour if told else "white")  # fmt: skip
    ax.set_yticks(range(len(family)), labels)
    ax.set(xlabel=f"Difference in {family[0].metric if len(family) else 'UAR'}, 95% interval",
           ylim=(len(family) - 0.5, -0.5))  # fmt: skip
    sns.despine(ax=ax)
    return ax.figure


def difference_alt(family: Family) -> str:
    """Alternative text of `differences`."""
    parts = [f"{c.first} − {c.second} {c.difference:+.3f} ({verdict(c)})" for c in family]
    return f"Differences about a line at zero: {'; '.join(parts)}."


def confusion_panel(
    matrices: Mapping[str, pd.DataFrame], labels: Sequence[str], columns: int = 2
) -> Figure:
    """Draw confusion matrices side by side on one colour scale: counts, coloured by row share.

    Parameters
    ----------
    matrices : mapping of str to DataFrame
        Title to matrix, from `elrcn_book.scores.confusion`; all of the same classes.
    labels : sequence of str
        What the rows are called, from `elrcn_book.scores.sized_classes`.
    columns : int
        Panels a row.
    """
    rows = -(-len(matrices) // columns)
    classes = next(iter(matrices.values())).columns
    side = WIDTH / columns
    fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, rows * (0.78 * side + 0.35)),
                             sharex=True, sharey=True, squeeze=False)  # fmt: skip
    for ax, (title, matrix) in zip(axes.flat, matrices.items(), strict=False):
        share = matrix.div(matrix.sum(axis=1).replace(0, np.nan), axis=0)
        sns.heatmap(share, annot=matrix, fmt="d", vmin=0, vmax=1, cmap="Blues", cbar=False,
                    linewidths=0.5, annot_kws={"fontsize": 10}, ax=ax)  # fmt: skip
        ax.set(title=title, xlabel="", ylabel="")
        ax.tick_params(length=0)
    for ax in axes.flat[len(matrices) :]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_yticks(np.arange(len(classes)) + 0.5, labels, rotation=0)
    for ax in axes[-1]:
        ax.set_xticks(np.arange(len(classes)) + 0.5, classes, rotation=35, ha="right")
    fig.supxlabel("Answer", fontsize=11)
    fig.supylabel("True class (clips)", fontsize=11)
    fig.colorbar(axes[0, 0].collections[0], ax=axes, shrink=0.5, label="Share of the true class")
    return fig


def confusion_alt(matrices: Mapping[str, pd.DataFrame]) -> str:
    """Alternative text of `confusion_panel`: clips classified correctly, by class."""
    told = []
    for title, matrix in matrices.items():
        counts = zip(matrix.index, np.diag(matrix), matrix.sum(axis=1), strict=True)
        told.append(f"{title}: " + ", ".join(f"{name} {hit} of {n}" for name, hit, n in counts))
    return f"Confusion matrices. Classified correctly: {'; '.join(told)}."
