"""The clips that the embedded corpus will have, before a frame of it is drawn."""

from __future__ import annotations

import pandas as pd

from elrcn.config import CorpusConfig
from elrcn.corpus.plan import plan_corpus
from elrcn.manifest import Manifest


def planned_manifest(config: CorpusConfig) -> Manifest:
    """Clips, subjects, labels and lengths of the corpus of `config`; apexes and hashes are unknown.

    For estimates and dry runs: folds and counts are those of the corpus once it is made, and no
    frame lies where the paths point.
    """
    rows = []
    for clip in plan_corpus(config):
        onset = clip.first + clip.before
        folder = f"Cropped/{clip.folder}" if clip.database == "CASME2" else clip.folder
        rows.append(
            {
                "clip_id": clip.clip_id,
                "database": clip.database,
                "subject": f"{clip.database}/{clip.subject}",
                "frames": tuple(
                    f"{folder}/{clip.frame_name(n)}" for n in range(onset, onset + clip.length)
                ),
                "onset": onset,
                "apex": pd.NA,
                "offset": onset + clip.length - 1,
                "fps": 200.0,
                "action_units": "",
                "emotion": {"other": "others"}.get(clip.emotion.lower(), clip.emotion.lower()),
                "objective_class": clip.objective_class,
                "sha256": "",
            }
        )
    return Manifest(pd.DataFrame(rows))
