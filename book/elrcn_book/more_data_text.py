"""Sentences about more data, made of the settings and of what came out."""

from __future__ import annotations

import pandas as pd

from elrcn.experiments.more_data import MOST_FRAMES, PAPER_LENGTH, SHARE, is_reduced, tim_settings
from elrcn.manifest import Manifest
from elrcn.session import Session
from elrcn_book.html import SCORES


def length_note(session: Session, manifest: Manifest) -> str:
    """Say what the comparison of lengths changes besides T under the session's profile.

    Parameters
    ----------
    session : Session
    manifest : Manifest
        Clips compared.

    Returns
    -------
    str
        Markdown.
    """
    config, name = session.profile.preprocess, session.profile.name
    frames = manifest.table["frames"].map(len)
    if not is_reduced(config):
        return (
            f"In the profile `{name}` nothing but T changes: every network has the same epochs at "
            f"most. Without TIM all clips are as long as the longest ({frames.max()} frames); "
            "shorter ones end in their last picture at rest, which the networks see too."
        )
    width = tim_settings(session)["width of the flow (px)"].iloc[0]
    longer = int((frames > MOST_FRAMES).sum())
    return (
        f"In the profile `{name}` this series is made smaller, at every T alike. Flow is computed "
        f"on pictures {width} pixels wide, not {config.flow_size}. In place of ELRCN-TE "
        "stands its flow stream alone. Epochs are divided so that every spatial network sees about "
        f"as many frames as in {SHARE:.0%} of the profile's epochs at T = {PAPER_LENGTH}: what is "
        "compared is how a given amount of training is spent, not more training. Without TIM a "
        f"clip keeps its first {MOST_FRAMES} frames ({longer} of {len(manifest)} clips are longer) "
        "and a shorter one ends in its last picture at rest. So the row of the paper's T is not "
        "that of Table I."
    )


def augmentation_note(session: Session, variants: int) -> str:
    """Say how much training augmented networks get under the session's profile.

    Parameters
    ----------
    session : Session
    variants : int
        Variants of a clip, itself not counted.
    """
    clips, name = 1 + variants, session.profile.name
    if is_reduced(session.profile.preprocess):
        return (
            f"In the profile `{name}` an augmented network is trained on {clips} times as many "
            f"clips for a {_PARTS.get(clips, f'1/{clips}')} of the epochs: as many updates as "
            "without, on more varied clips. So no difference is due to longer training; but the "
            "network also meets each clip as it is that much less often."
        )
    return (
        f"In the profile `{name}` an augmented network has the same epochs at most, each of them "
        f"{clips} times as long."
    )


_PARTS = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}


def length_summary(table: pd.DataFrame, paper: int, score: str = "uar") -> str:
    """Say in Markdown at which T each network did best and worst, and at the paper's.

    Parameters
    ----------
    table : DataFrame
        From `length_table`.
    paper : int
        The paper's T.
    score : str
        Name of the score.
    """
    lines = []
    for network, part in table.groupby("network", sort=False):
        by = part.set_index("T")["score"]
        best, worst = by.idxmax(), by.idxmin()
        text = f"- **{network}**: highest {SCORES[score]} {_at(best)} ({by[best]:.3f}), "
        text += f"lowest {_at(worst)} ({by[worst]:.3f})"
        if str(paper) in by and str(paper) not in (best, worst):
            text += f"; {by[str(paper)]:.3f} at the paper's T = {paper}"
        lines.append(f"{text}.")
    return "\n".join(lines)


def _at(name: str) -> str:
    return "without TIM" if name == "none" else f"at T = {name}"
