"""What was run: the clips and their classes beside those published, as tables."""

from __future__ import annotations

import pandas as pd

from elrcn.databases.synthetic import data_origin
from elrcn.manifest import Manifest
from elrcn.published.numbers import published_counts


def data_table(manifest: Manifest) -> pd.DataFrame:
    """Clips and subjects at hand beside those published, a row a database.

    Returns
    -------
    DataFrame
        Index `database`; columns `origin`, `clips`, `clips_published`, `subjects`,
        `subjects_published`, `frames`, `apex_known`.
    """
    origin, counts, rows = data_origin(manifest), published_counts(), {}
    for name, part in manifest.table.groupby("database", sort=False):
        clips, subjects = counts.get((name, "all", "all"), (pd.NA, pd.NA))
        rows[name] = {
            "origin": "synthetic dataset" if origin.synthetic[name] else "licensed copy",
            "clips": len(part),
            "clips_published": clips,
            "subjects": part["subject"].nunique(),
            "subjects_published": subjects,
            "frames": int(part["frames"].map(len).sum()),
            "apex_known": int(part["apex"].notna().sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("database")


def published_class_counts(group: str, classes, databases) -> pd.DataFrame:
    """Read published clips per class: index `class`, a column a database (those that have any).

    Parameters
    ----------
    group : str
        ``"emotion"`` or ``"objective"``, as in ``data_manifest/published_counts.csv``.
    classes, databases : sequence of str
        Rows and columns wanted.
    """
    counts = published_counts()
    columns = {
        name: [counts.get((name, group, label), (pd.NA, None))[0] for label in classes]
        for name in databases
    }
    table = pd.DataFrame(columns, index=pd.Index(list(classes), name="class"), dtype="Int64")
    return table.dropna(axis=1, how="all").astype(float)


def clip_list(manifest: Manifest) -> pd.DataFrame:
    """Clips as a reader wants to look them up: index `clip_id`."""
    table = manifest.table
    return pd.DataFrame(
        {
            "subject": table["subject"],
            "frames": table["frames"].map(len),
            "onset": table["onset"],
            "apex": table["apex"],
            "offset": table["offset"],
            "action_units": table["action_units"],
            "emotion": table["emotion"],
            "objective_class": table["objective_class"],
        }
    ).set_index(table["clip_id"])
