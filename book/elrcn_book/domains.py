"""Two databases in one task: how they differ, and how methods do on the clips of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.statistics import score_table
from elrcn.manifest import Manifest


def by_database(
    results: Mapping[str, pd.DataFrame], methods: Sequence, classes: Sequence[str]
) -> pd.DataFrame:
    """UAR and WAR of every method on the clips of each database, when both were pooled (CDE).

    Returns
    -------
    DataFrame
        Index `method`; for each database columns ``<database> clips``, ``<database> UAR`` and
        ``<database> WAR``. UAR is over the classes that the database has.
    """
    table = {}
    for method in methods:
        if method.name not in results:
            continue
        scores = score_table(results[method.name], "database", ("uar", "war"), classes)
        table[method.label] = {
            f"{database} {title}": scores.loc[database, column]
            for database in sorted(scores.index)
            for title, column in (("clips", "clips"), ("UAR", "uar"), ("WAR", "war"))
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def database_table(manifest: Manifest, classes: Sequence[str]) -> pd.DataFrame:
    """List what differs between the databases of `manifest` before any method is applied.

    Parameters
    ----------
    manifest : Manifest
        The task's clips; the first frame of each database is read.
    classes : sequence of str
        Values of ``objective_class`` in table order.

    Returns
    -------
    DataFrame
        Index `database`; columns `clips`, `subjects`, `frame` (width x height and "colour" or
        "grey", of the first clip), ``median_frames`` (onset to offset) and, for each class, its
        share of the clips in [0, 1].
    """
    entries = {}
    for name, part in manifest.table.groupby("database", sort=True):
        shares = part["objective_class"].value_counts(normalize=True)
        entries[name] = {
            "clips": len(part),
            "subjects": part["subject"].nunique(),
            "frame": _frame_kind(str(manifest.frame_paths(int(part.index[0]))[0])),
            "median_frames": int(part["frames"].map(len).median()),
            **{f"class {c}": float(shares.get(c, 0.0)) for c in classes},
        }
    return pd.DataFrame.from_dict(entries, orient="index").rename_axis("database")


def _frame_kind(path: str) -> str:
    image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ElrcnError("The frame cannot be read.", where=path, fix="run `elrcn manifest check`")
    # Grey recordings are also seen saved with three equal channels.
    colour = image.ndim == 3 and bool((image[..., :1] != image[..., 1:3]).any())
    return f"{image.shape[1]} × {image.shape[0]}, {'colour' if colour else 'grey'}"
