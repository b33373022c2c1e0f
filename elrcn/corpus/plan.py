"""Which clips a synthetic database has, and the sheets that label them."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from elrcn.config import CorpusConfig
from elrcn.corpus.person import (
    CASME2_TABLE,
    SAMM_TABLE,
    allocate,
    largest_remainder,
    row_class,
    unit_set,
)
from elrcn.errors import ElrcnError

_SIDED = {1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 20}
_LENGTHS = {"CASME2": (61, 24, 141, 0.36), "SAMM": (78, 30, 101, 0.28)}


@dataclass(frozen=True)
class ClipPlan:
    """One clip: who, what is played, where it is filed and what the label sheet says."""

    database: str  # "CASME2" or "SAMM"
    subject: str  # "01" or "006"
    name: str  # "EP02_01f" or "006_1_2"
    emotion: str
    objective_class: str
    units: tuple[tuple[int, str], ...]  # number and side ("", "L", "R", "A": more on the left)
    unit_text: str  # the label sheet's action-unit cell
    peaks: tuple[float, ...]  # pixels of each unit at the apex at 280x340
    length: int  # frames onset to offset
    before: int  # frames in the folder before the onset
    after: int  # and after the offset
    first: int  # number of the first frame
    digits: int  # zero padding of frame numbers (0: none)
    apex_known: bool = True  # False: the sheet says "/" (CASME II) or -1 (SAMM)

    @property
    def folder(self) -> str:
        """Clip folder below the database's frame root, POSIX."""
        subject = f"sub{self.subject}" if self.database == "CASME2" else self.subject
        return f"{subject}/{self.name}"

    @property
    def clip_id(self) -> str:
        """Identifier as in the manifest, such as ``CASME2/sub01/EP02_01f``."""
        return f"{self.database}/{self.folder}"

    def frame_name(self, number: int) -> str:
        """File name of one frame."""
        if self.database == "CASME2":
            return f"reg_img{number}.jpg"
        return f"{self.subject}_{number:0{self.digits}d}.jpg"


def stream(seed: int, *names) -> np.random.SeedSequence:
    """Seed of a named random stream: independent of the order in which work is done."""
    return np.random.SeedSequence([seed, *(zlib.crc32(str(n).encode()) for n in names)])


def generator(seed: int, *names) -> np.random.Generator:
    """Random generator of a named stream."""
    return np.random.default_rng(stream(seed, *names))


def plan_corpus(config: CorpusConfig) -> list[ClipPlan]:
    """Return every clip of both databases.

    Raises
    ------
    ElrcnError
        If a database has more subjects than clips, or fewer than one of either.
    """
    plans = []
    for database, subjects, clips, table in (
        ("CASME2", config.casme2_subjects, config.casme2_clips, CASME2_TABLE),
        ("SAMM", config.samm_subjects, config.samm_clips, SAMM_TABLE),
    ):
        limit = 32 if database == "SAMM" else 99
        if not 1 <= subjects <= min(clips, limit):
            raise ElrcnError(
                f"A corpus of {clips} {database} clips cannot have {subjects} subjects.",
                fix=f"ask for 1 to {limit} subjects and at least as many clips",
            )
        plans += _plan_database(config.seed, database, subjects, clips, table)
    return plans


def _plan_database(seed, database, count, clips, table) -> list[ClipPlan]:
    rng = generator(seed, database, "plan")
    if database == "CASME2":
        names = [f"{i + 1:02d}" for i in range(count)]
    else:
        chosen = generator(seed, "SAMM subjects").choice(np.arange(6, 38), count, replace=False)
        names = [f"{i:03d}" for i in sorted(chosen)]
    rows = allocate(table, clips)
    # Real subjects gave between two and thirty-six clips: skewed shares, at least one each.
    share = np.sort(rng.gamma(1.6, 1.0, count) + 0.12)
    rng.shuffle(share)
    sizes = 1 + largest_remainder(share, clips - count)
    owners = _spread(rng, rows, np.repeat(np.arange(count), sizes))
    plans = []
    for index in np.argsort(owners, kind="stable"):
        emotion, text = rows[index]
        plans.append(_plan_clip(seed, database, names[owners[index]], emotion, text, len(plans)))
    # Names in the databases' fashion, unique within a subject; of one clip no apex is known.
    counters: Counter[tuple[str, int]] = Counter()
    named = []
    for plan in plans:
        video = int(rng.integers(1, 20 if database == "CASME2" else 8))
        counters[plan.subject, video] += 1
        number = counters[plan.subject, video]
        if database == "CASME2":
            name = f"EP{video:02d}_{number:02d}{'f' if rng.random() < 0.4 else ''}"
        else:
            name = f"{plan.subject}_{video}_{number}"
        named.append(replace(plan, name=name))
    named.sort(key=lambda plan: (plan.subject, plan.name))
    hidden = int(rng.integers(len(named)))
    named[hidden] = replace(named[hidden], apex_known=False)
    return named


def _spread(rng, rows, owners) -> np.ndarray:
    """Deal clips to subjects so that every class is seen in several (else LOSO cannot learn it)."""
    labels = [[emotion for emotion, _ in rows], [row_class(text) for _, text in rows]]
    best, best_lack = owners, np.inf
    for _ in range(400):
        dealt = rng.permutation(owners)
        lack = 0
        for values in labels:
            for value in dict.fromkeys(values):
                mine = dealt[[v == value for v in values]]
                want = min(3, len(mine), len(set(owners.tolist())))
                lack += max(0, want - len(set(mine.tolist())))
        if lack < best_lack:
            best, best_lack = dealt, lack
        if lack == 0:
            break
    return best


def _plan_clip(seed, database, subject, emotion, text, index) -> ClipPlan:
    rng = generator(seed, database, "clip", index)
    numbers = unit_set(text)
    side = ""
    if text != "?" and all(n in _SIDED for n in numbers) and rng.random() < 0.18:
        side = str(rng.choice(("L", "R")))
    elif database == "SAMM" and numbers in ((12,), (14,)) and rng.random() < 0.3:
        side = "A"
    only_last = len(numbers) > 1 and side and rng.random() < 0.4
    units = tuple((n, side if not only_last or n == numbers[-1] else "") for n in numbers)
    top = float(rng.uniform(0.55, 0.95)) if rng.random() < 0.14 else 1.4 + 1.6 * rng.beta(1.8, 1.5)
    if text == "?":
        top = float(rng.uniform(0.5, 0.7))
    peaks = tuple(
        round(float(top * (1.0 if k == 0 else rng.uniform(0.65, 1.0))), 3)
        for k in range(len(numbers))
    )
    middle, low, high, spread = _LENGTHS[database]
    length = int(np.clip(round(middle * np.exp(rng.normal(0, spread))), low, high))
    extra = rng.random() < 0.35
    before, after = (int(rng.integers(2, 13)) for _ in range(2)) if extra else (0, 0)
    if database == "CASME2":
        first, digits = int(rng.integers(1, 460)), 0
        shown = text if text == "?" else "+".join(f"{s}{n}" for n, s in units)
    else:
        short = rng.random() < 0.2
        first, digits = int(rng.integers(250, 6800)), 4 if short else 5
        letters, chances = ("A", "B", "C", "D", ""), (0.25, 0.3, 0.12, 0.03, 0.3)
        shown = "+".join(f"{side}{n}{rng.choice(letters, p=chances)}" for n, side in units)
        shown += " " if rng.random() < 0.12 else ""
    return ClipPlan(
        database=database,
        subject=subject,
        name="",
        emotion=emotion,
        objective_class=row_class(text),
        units=units,
        unit_text=shown,
        peaks=peaks,
        length=length,
        before=before,
        after=after,
        first=first,
        digits=digits,
    )
