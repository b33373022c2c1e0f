"""Clips together with their augmented variants, divided into folds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from elrcn.config import PreprocessConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess.augment import VARIANTS
from elrcn.preprocess.stack import MOTION, build_each, make_stack
from elrcn.preprocess.stackarray import StackArray


class AugmentedArray:
    """Plain clips that carry their variants along, so that both go to the same side of a fold.

    Length, shape and ``x[i]`` are those of the plain clips; ``x[indices]`` keeps the variants of
    the clips chosen, and of no others.

    Parameters
    ----------
    plain : StackArray, shape (clips, T, channels, H, W)
    variants : mapping of str to StackArray
        By name, each with the same clips in the same order.

    Attributes
    ----------
    findings : tuple of Finding
        What preprocessing had to remark on.

    Raises
    ------
    ElrcnError
        If a variant does not have a clip for every plain one.
    """

    def __init__(self, plain: StackArray, variants: Mapping[str, StackArray]):
        for name, array in variants.items():
            if array.shape != plain.shape:
                raise ElrcnError(
                    f"The variant {name!r} has the shape {array.shape}, the clips {plain.shape}."
                )
        self.plain, self.variants, self.findings = plain, dict(variants), plain.findings

    @property
    def shape(self) -> tuple[int, ...]:
        """``(clips, T, channels, H, W)`` of the plain clips."""
        return self.plain.shape

    @property
    def ndim(self) -> int:
        """Number of axes, 5."""
        return self.plain.ndim

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return self.plain.dtype

    def __len__(self):
        return len(self.plain)

    def __repr__(self):
        return f"AugmentedArray(shape={self.shape}, variants={tuple(self.variants)})"

    def __iter__(self):
        return iter(self.plain)

    def __getitem__(self, key):
        if isinstance(key, (int, np.integer)):
            return self.plain[key]
        return AugmentedArray(
            self.plain[key], {n: array[key] for n, array in self.variants.items()}
        )

    def __array__(self, dtype=None, copy=None):
        return self.plain.__array__(dtype, copy)

    def everything(self, names: Sequence[str] | None = None) -> StackArray:
        """Plain clips, then those of each variant in `names` (default: all), as one array.

        Returns
        -------
        StackArray, shape ((1 + variants) * clips, T, channels, H, W)

        Raises
        ------
        ElrcnError
            If there is no variant of that name.
        """
        names = tuple(self.variants) if names is None else tuple(names)
        unknown = [name for name in names if name not in self.variants]
        if unknown:
            raise ElrcnError(
                f"These clips have no variant {unknown[0]!r}.",
                fix=f"choose among: {', '.join(self.variants)}",
            )
        parts = [self.plain, *(self.variants[name] for name in names)]
        paths = [path for part in parts for path in part.paths]
        return StackArray(paths, self.shape[1], self.plain.motion)


def build_augmented(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    variants: Sequence[str] = VARIANTS,
    workers: int | None = None,
    progress: bool = True,
    no_face: str = "whole",
) -> AugmentedArray:
    """Stacks of all clips of a manifest and of their variants, each computed once.

    The plain clips are those of `elrcn.preprocess.stack.build_stacks`, from the same files of the
    cache. A clip that lacks several variants is read once for all of them.

    Parameters
    ----------
    manifest, cache, workers, progress, no_face
        As for `build_stacks`.
    config : PreprocessConfig
        Its own `variant` must be empty.
    variants : sequence of str
        See `elrcn.preprocess.augment.transform`.

    Raises
    ------
    ElrcnError
        If a variant is unknown or named twice, or as `build_stacks`.
    """
    names = ("", *variants)
    if config.variant or len(set(names)) < len(names):
        raise ElrcnError(
            f"Clips of variant {config.variant!r} cannot be augmented by {tuple(variants)}.",
            fix="start from plain clips and name each variant once",
        )
    configs = [replace(config, variant=name) for name in names]
    targets, findings = build_each(
        make_stack, "stack", (), manifest, configs, cache, workers, progress, no_face
    )
    plain = StackArray(targets[0], motion=MOTION)
    plain.findings = tuple(findings)
    arrays = (StackArray(paths, motion=MOTION) for paths in targets[1:])
    return AugmentedArray(plain, dict(zip(variants, arrays, strict=True)))
