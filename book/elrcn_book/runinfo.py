"""What was run: data, settings beside the paper's, machine and versions, as tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import fields

import pandas as pd

from elrcn.config import PROFILES, Profile, TrainConfig, canonical
from elrcn.databases.synthetic import data_origin
from elrcn.files import library_versions
from elrcn.manifest import Finding, Manifest
from elrcn.published.numbers import published_counts

_SETTINGS = {
    "Network input (px)": lambda p: f"{p.vgg.size} × {p.vgg.size}",
    "Flow computed at (px)": lambda p: f"{p.preprocess.flow_size} × {p.preprocess.flow_size}",
    "Frames after TIM": lambda p: str(p.preprocess.tim_length or "as recorded"),
    "TV-L1 flow": lambda p: p.preprocess.flow,
    "Convolutions per block": lambda p: " ".join(map(str, p.vgg.convs)),
    "Widths of the blocks": lambda p: " ".join(map(str, p.vgg.widths)),
    "Units of fc6 and fc7": lambda p: f"{p.vgg.fc:,}",
    "LSTM units": lambda p: ", ".join(f"{u:,}" for u in p.temporal.units),
    "Scaling of the input": lambda p: p.scaling,
    "Learning rate: SE from scratch": lambda p: f"{p.spatial_train.lr:g}",
    "Learning rate: TE fine-tuned": lambda p: f"{p.finetune_train.lr:g}",
    "Learning rate: LSTM": lambda p: f"{p.temporal_train.lr:g}",
    "Most epochs: SE, TE, LSTM": lambda p: ", ".join(
        str(t.max_epochs) for t in (p.spatial_train, p.finetune_train, p.temporal_train)
    ),
    "Batch size": lambda p: str(p.spatial_train.batch_size),
}


def settings_table(profile: Profile) -> pd.DataFrame:
    """Set the settings of this run beside those at the paper's scale.

    Returns
    -------
    DataFrame
        Columns `Setting`, the profile's name and ``paper`` (once, if that is the profile).
    """
    columns = {p.name: p for p in (profile, PROFILES["paper"])}
    return pd.DataFrame(
        {
            "Setting": list(_SETTINGS),
            **{name: [read(p) for read in _SETTINGS.values()] for name, p in columns.items()},
        }
    )


def machine_table(session) -> pd.DataFrame:
    """List what the page ran on: columns `What` and `Value`.

    Parameters
    ----------
    session : elrcn.session.Session
        Its profile, device and seed are read.
    """
    rows = {
        "Profile": session.profile.name,
        "Device": session.device,
        "Processor": f"{platform.machine()}, {os.cpu_count()} cores",
        "System": platform.system(),
        "Seed": str(session.seed),
        **{f"Version of {name}": value for name, value in library_versions().items()},
    }
    return pd.DataFrame({"What": list(rows), "Value": list(rows.values())})


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


def finding_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """List what the readers remarked on, a row a finding."""
    rows = [(f.level, f.clip, f.what, f.where) for f in findings]
    return pd.DataFrame(rows, columns=["level", "clip", "what", "where"])


def training_table(profile: Profile) -> pd.DataFrame:
    """Training settings of every stage, here and at the paper's scale.

    Returns
    -------
    DataFrame
        Columns `profile`, `stage` and fields of `TrainConfig`.
    """
    stages = {
        "SE, VGG from scratch": "spatial_train",
        "TE, VGG fine-tuned": "finetune_train",
        "LSTM": "temporal_train",
        "face identities (before TE)": "pretrain_train",
    }
    rows = []
    for p in {q.name: q for q in (profile, PROFILES["paper"])}.values():
        for stage, name in stages.items():
            rows.append({"profile": p.name, "stage": stage, **canonical(getattr(p, name))})
    order = ["profile", "stage", *(f.name for f in fields(TrainConfig))]
    # As text: 1e-05 must not be shown as 0.000.
    return pd.DataFrame(rows)[order].astype({"lr": str, "decay": str, "min_delta": str})
