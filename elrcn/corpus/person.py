"""Who a synthetic person is, and how action units move a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from elrcn.corpus.canvas import Canvas, bump, smoothstep
from elrcn.facs import objective_class

#: A person's numbers: mean, standard deviation, lowest, highest. First the geometry, with lengths
#: in face units, then the surface.
_NUMBERS = {
    "skull_width": (0.985, 0.02, 0.94, 1.03),
    "skull_top": (-1.62, 0.06, -1.75, -1.5),
    "jaw_width": (0.925, 0.035, 0.84, 0.99),
    "jaw_square": (2.25, 0.25, 1.9, 2.9),
    "taper": (0.10, 0.05, 0.0, 0.22),
    "chin_y": (1.62, 0.06, 1.47, 1.76),
    "chin_size": (0.085, 0.03, 0.03, 0.15),
    "cheek": (0.075, 0.03, 0.01, 0.14),
    "cheek_y": (0.42, 0.05, 0.32, 0.54),
    "eye_x": (0.455, 0.02, 0.41, 0.50),
    "eye_half": (0.212, 0.013, 0.18, 0.24),
    "eye_up": (0.083, 0.012, 0.055, 0.11),
    "eye_low": (0.055, 0.009, 0.035, 0.075),
    "eye_tilt": (-0.06, 0.05, -0.18, 0.05),
    "eye_depth": (0.13, 0.035, 0.05, 0.2),
    "lid_crease": (0.058, 0.022, 0.015, 0.1),
    "lid_fold": (0.5, 0.3, 0.05, 1.0),
    "bag": (0.4, 0.25, 0.0, 1.0),
    "brow_y": (-0.335, 0.03, -0.41, -0.27),
    "brow_arch": (0.07, 0.035, 0.0, 0.14),
    "brow_slope": (0.01, 0.035, -0.06, 0.08),
    "brow_inner": (0.19, 0.03, 0.12, 0.25),
    "brow_outer": (0.76, 0.035, 0.68, 0.84),
    "brow_thick": (0.048, 0.014, 0.022, 0.08),
    "brow_dense": (0.8, 0.18, 0.35, 1.0),
    "brow_ridge": (0.05, 0.025, 0.0, 0.11),
    "nose_tip": (0.55, 0.045, 0.45, 0.66),
    "nose_width": (0.185, 0.025, 0.14, 0.25),
    "nose_height": (0.27, 0.04, 0.18, 0.36),
    "nose_bridge": (0.10, 0.022, 0.06, 0.15),
    "nose_round": (0.105, 0.014, 0.08, 0.14),
    "mouth_y": (0.99, 0.04, 0.9, 1.08),
    "mouth_half": (0.355, 0.03, 0.29, 0.43),
    "lip_upper": (0.085, 0.02, 0.045, 0.135),
    "lip_lower": (0.118, 0.022, 0.07, 0.17),
    "lip_bow": (0.3, 0.12, 0.05, 0.55),
    "lip_curve": (0.0, 0.014, -0.03, 0.03),
    "fold": (0.35, 0.2, 0.05, 0.9),
    "ear_size": (1.0, 0.08, 0.85, 1.18),
    "hairline": (-0.93, 0.08, -1.15, -0.74),
    "hair_volume": (0.09, 0.035, 0.03, 0.18),
    "asymmetry": (0.0, 0.012, -0.025, 0.025),
    "neck_width": (0.60, 0.05, 0.48, 0.72),
    "melanin": (0.3, 0.1, 0.0, 1.0),
    "redness": (0.5, 0.2, 0.1, 1.0),
    "mottling": (0.5, 0.15, 0.2, 1.0),
    "pores": (0.6, 0.15, 0.3, 1.0),
    "freckles": (0.35, 0.25, 0.0, 1.0),
    "moles": (4.0, 2.5, 0.0, 10.0),
    "wrinkles": (0.3, 0.15, 0.05, 0.8),
    "stubble": (0.0, 0.0, 0.0, 1.0),
    "gloss": (0.35, 0.15, 0.1, 0.8),
    "hair_melanin": (0.85, 0.1, 0.2, 1.0),
    "hair_red": (0.2, 0.1, 0.0, 1.0),
    "iris_melanin": (0.85, 0.1, 0.0, 1.0),
    "lash": (0.6, 0.2, 0.25, 1.0),
    "parting": (0.0, 0.3, -0.55, 0.55),
}
#: What each population changes: mean and deviation of some numbers.
POPULATIONS = {
    # young East Asian adults in a well lit laboratory
    "casme2": {
        "melanin": (0.24, 0.08),
        "hair_melanin": (0.96, 0.03),
        "iris_melanin": (0.92, 0.05),
        "lid_fold": (0.35, 0.25),
        "eye_depth": (0.09, 0.025),
        "eye_up": (0.076, 0.012),
        "nose_height": (0.25, 0.035),
        "nose_bridge": (0.115, 0.02),
        "freckles": (0.3, 0.15),
    },
    # thirteen ethnicities, ages 19 to 57
    "samm": {
        "melanin": (0.45, 0.28),
        "hair_melanin": (0.8, 0.22),
        "iris_melanin": (0.65, 0.35),
        "wrinkles": (0.42, 0.2),
        "freckles": (0.35, 0.3),
    },
    "other": {"melanin": (0.38, 0.24), "hair_melanin": (0.85, 0.2), "iris_melanin": (0.75, 0.3)},
}
STYLES = {"f": ("long", "tied", "fringe", "bob"), "m": ("short", "crop", "receding", "swept")}


@dataclass(frozen=True)
class Identity:
    """Geometry, surface and hair of one synthetic person (see the tables above for ranges)."""

    numbers: dict[str, float]
    sex: str
    style: str
    seed: int

    def __getattr__(self, name: str) -> float:
        """Read any number as an attribute."""
        if name not in _NUMBERS:
            raise AttributeError(name)
        return self.numbers[name]

    def rng(self, *purpose: int) -> np.random.Generator:
        """Return a generator of this person's own detail, one stream for each `purpose`."""
        return np.random.default_rng([self.seed, *purpose])


def draw_identity(seed: int, population: str = "other") -> Identity:
    """Draw a person.

    Parameters
    ----------
    seed : int
        Non-negative; the same seed and population give the same person.
    population : {"casme2", "samm", "other"}
        Whose distribution of geometry, skin and hair to draw from.
    """
    rng = np.random.default_rng([seed, 77])
    changed = POPULATIONS[population]
    sex = "f" if rng.random() < 0.55 else "m"
    numbers = {}
    for name, (mean, deviation, low, high) in _NUMBERS.items():
        mean, deviation = changed.get(name, (mean, deviation))
        numbers[name] = float(np.clip(rng.normal(mean, deviation), low, high))
    if sex == "f":
        numbers["jaw_width"] -= 0.02
        numbers["brow_thick"] *= 0.75
        numbers["brow_ridge"] *= 0.4
        numbers["lip_upper"] *= 1.12
        numbers["lip_lower"] *= 1.08
        numbers["lash"] = min(1.0, numbers["lash"] + 0.25)
        numbers["neck_width"] -= 0.06
    else:
        numbers["jaw_square"] += 0.15
        numbers["brow_thick"] *= 1.15
        numbers["stubble"] = float(np.clip(rng.normal(0.35, 0.3), 0, 1))
    # Dark skin goes with dark hair and eyes, and hides freckles.
    melanin = numbers["melanin"]
    numbers["hair_melanin"] = max(numbers["hair_melanin"], min(1.0, 1.4 * melanin))
    numbers["iris_melanin"] = max(numbers["iris_melanin"], min(1.0, 1.4 * melanin))
    numbers["freckles"] *= 1.0 - 0.6 * melanin
    style = str(rng.choice(STYLES[sex]))
    return Identity(numbers, sex, style, int(rng.integers(2**62)))


#: How an action unit pulls the skin: its number, a landmark (see `landmarks`; those off the middle
#: exist on both sides), place of the pull from there, standard deviations, and pull. Lengths in
#: face units, x away from the middle, y downwards.
PULLS = (
    (1, "brow_inner", (0.02, -0.05), (0.13, 0.16), (0, -1)),
    (2, "brow_outer", (-0.04, -0.04), (0.15, 0.15), (0.15, -1)),
    (4, "brow_inner", (0.06, 0.0), (0.17, 0.11), (-0.62, 0.8)),
    (5, "upper_lid", (0.0, -0.015), (0.17, 0.055), (0, -1)),
    (6, "cheek", (0.02, -0.06), (0.2, 0.13), (0.1, -1)),
    (6, "outer_eye", (0.1, 0.04), (0.08, 0.11), (-0.75, -0.2)),
    (7, "lower_lid", (0.0, 0.02), (0.16, 0.05), (-0.1, -1)),
    (7, "upper_lid", (0.0, -0.01), (0.16, 0.045), (0, 0.45)),
    (9, "nose_side", (0.02, 0.0), (0.1, 0.16), (0, -1)),
    (9, "brow_inner", (-0.04, 0.03), (0.1, 0.08), (-0.25, 0.55)),
    (10, "upper_lip", (0.05, -0.03), (0.12, 0.085), (0.05, -1)),
    (10, "wing", (0.08, 0.03), (0.09, 0.1), (0.1, -0.7)),
    (12, "corner", (0.02, -0.01), (0.12, 0.1), (0.75, -0.75)),
    (12, "corner", (0.17, -0.28), (0.16, 0.14), (0.3, -0.55)),
    (14, "corner", (0.1, 0.02), (0.09, 0.11), (-1, 0.0)),
    (15, "corner", (-0.01, 0.05), (0.1, 0.11), (0.12, 1)),
    (17, "chin", (0.0, -0.02), (0.2, 0.13), (0, -1)),
    (17, "lower_lip", (0.0, 0.03), (0.18, 0.07), (0, -0.6)),
    (20, "corner", (0.03, 0.05), (0.15, 0.12), (1, 0.12)),
    (23, "corner", (-0.06, 0.0), (0.1, 0.075), (-0.8, 0)),
    (23, "upper_lip", (-0.1, 0.01), (0.16, 0.05), (0, 0.45)),
    (23, "lower_lip", (0.0, 0.02), (0.16, 0.055), (0, -0.45)),
    (24, "upper_lip", (-0.1, 0.0), (0.22, 0.065), (0, 0.9)),
    (24, "lower_lip", (0.0, 0.04), (0.22, 0.07), (0, -1)),
    (25, "upper_lip", (-0.1, 0.03), (0.2, 0.045), (0, -0.55)),
    (25, "lower_lip", (0.0, 0.0), (0.2, 0.07), (0, 1)),
    (26, "chin", (0.0, 0.0), (0.36, 0.22), (0, 1)),
    (26, "lower_lip", (0.0, 0.02), (0.22, 0.09), (0, 0.75)),
)
#: Grooves (depth > 0) and bulges (depth < 0) that deepen with the pull: number, landmark, place,
#: standard deviations, angle, depth.
CREASES = (
    (1, "brow_inner", (-0.1, -0.2), (0.16, 0.012), 0.1, 1.0),
    (1, "brow_inner", (-0.1, -0.3), (0.16, 0.012), 0.1, 0.8),
    (2, "brow_outer", (-0.08, -0.16), (0.14, 0.012), -0.2, 1.0),
    (4, "glabella", (0.065, 0.0), (0.011, 0.085), 0.0, 1.3),
    (4, "glabella", (0.0, 0.1), (0.1, 0.012), 0.0, 0.5),
    (5, "upper_lid", (0.0, -0.06), (0.15, 0.011), 0.0, 0.7),
    (6, "outer_eye", (0.1, 0.0), (0.07, 0.009), 0.25, 0.9),
    (6, "outer_eye", (0.09, 0.06), (0.07, 0.009), 0.5, 0.7),
    (7, "lower_lid", (-0.02, 0.05), (0.13, 0.012), 0.05, 0.8),
    (9, "nose_root", (0.06, 0.08), (0.06, 0.01), 0.35, 1.1),
    (9, "nose_root", (0.07, 0.15), (0.06, 0.01), 0.45, 0.9),
    (10, "wing", (0.1, 0.08), (0.011, 0.09), -0.5, 1.0),
    (12, "corner", (0.1, -0.12), (0.012, 0.11), -0.45, 1.1),
    (12, "cheek", (0, 0.08), (0.16, 0.1), 0, -0.8),
    (14, "corner", (0.07, 0.0), (0.012, 0.055), 0.0, 1.5),
    (15, "corner", (0.04, 0.12), (0.012, 0.08), -0.5, 1.0),
    (17, "chin", (0.07, -0.02), (0.025, 0.02), 0.0, 0.9),
    (17, "chin", (0.0, -0.15), (0.16, 0.016), 0.0, 0.8),
    (20, "corner", (0.08, 0.06), (0.012, 0.09), -0.15, 0.7),
    (23, "upper_lip", (-0.08, -0.03), (0.15, 0.01), 0.0, 0.7),
    (24, "lower_lip", (0.0, 0.07), (0.2, 0.012), 0.0, 1.0),
)
UNITS = tuple(sorted({number for number, *_ in PULLS}))


def landmarks(who: Identity) -> dict[str, tuple[float, float]]:
    """Places on a face that the pulls refer to, ``name: (|x|, y)`` in face units."""
    return {
        "brow_inner": (who.brow_inner + 0.06, who.brow_y - 0.02),
        "brow_outer": (who.brow_outer - 0.08, who.brow_y - 0.03),
        "glabella": (0.0, who.brow_y + 0.02),
        "upper_lid": (who.eye_x, -who.eye_up),
        "lower_lid": (who.eye_x, who.eye_low),
        "outer_eye": (who.eye_x + who.eye_half, who.eye_tilt * who.eye_half),
        "cheek": (0.55, who.cheek_y - 0.1),
        "nose_root": (0.0, 0.02),
        "nose_side": (0.75 * who.nose_width, 0.32),
        "wing": (who.nose_width, who.nose_tip + 0.06),
        "upper_lip": (0.1, who.mouth_y - 0.6 * who.lip_upper),
        "lower_lip": (0.0, who.mouth_y + 0.6 * who.lip_lower),
        "corner": (who.mouth_half, who.mouth_y),
        "chin": (0.0, who.chin_y - 0.24),
    }


def _weights(x, side: str):
    """How much each half of the face takes part; person's left is the image's right."""
    if side == "L":
        return smoothstep(x, -0.06, 0.06)
    if side == "R":
        return smoothstep(x, 0.06, -0.06)
    if side == "A":
        return 0.45 + 0.55 * smoothstep(x, -0.06, 0.06)
    return np.ones_like(x)


def _sites(rows, who: Identity, number: int):
    """Yield each place of a unit's rows: sign of its side (-1 once, if midway), x, y, the rest."""
    places = landmarks(who)
    for unit, anchor, (dx, dy), *rest in rows:
        if unit == number:
            x, y = places[anchor][0] + dx, places[anchor][1] + dy
            for sign in (-1, 1) if x else (-1,):
                yield sign, x, y, rest


def displacement_field(canvas: Canvas, who: Identity, number: int, side: str = "") -> np.ndarray:
    """Displacement of the skin by one action unit at a peak of one pixel.

    Parameters
    ----------
    canvas : Canvas
        View on which to evaluate.
    who : Identity
    number : int
        One of `UNITS`.
    side : {"", "L", "R", "A"}
        Both sides, the person's left or right only, or more on the left.

    Returns
    -------
    (h, w, 2) float32
        x to the right, y downwards; the largest vector has length 1.
    """
    x, y = canvas.grid()
    field = np.zeros((*x.shape, 2), np.float32)
    for sign, cx, cy, (spread, pull) in _sites(PULLS, who, number):
        weight = bump(x, y, sign * cx, cy, *spread)
        field[..., 0] += sign * pull[0] * weight * (cx != 0)
        field[..., 1] += pull[1] * weight
    field *= _weights(x, side)[..., None]
    return field / max(float(np.hypot(field[..., 0], field[..., 1]).max()), 1e-6)


def crease_relief(canvas: Canvas, who: Identity, number: int, side: str = "") -> np.ndarray:
    """Height ``(h, w)`` in face units that one pixel of this unit adds to the skin."""
    x, y = canvas.grid()
    z = np.zeros_like(x)
    for sign, cx, cy, (spread, angle, depth) in _sites(CREASES, who, number):
        z -= depth * bump(x, y, sign * cx, cy, *spread, sign * angle)
    return 0.0022 * z * _weights(x, side)


def field_mask(field: np.ndarray) -> np.ndarray:
    """Where a displacement field ``(h, w, 2)`` counts as its action unit's place, bool."""
    length = np.hypot(field[..., 0], field[..., 1])
    return length >= 0.25 * length.max()


# fmt: off
#: Emotion, and the clips of each cell of action units in a full corpus; "?" is a clip whose coder
#: could not tell.
_CASME2 = (
    ("others", {"4": 59, "4+7": 6, "23": 1, "1+4": 2, "15": 2, "20": 1, "14": 12, "17": 8,
        "24": 2, "4+17": 2, "7": 2, "?": 2}),
    ("disgust", {"4+7": 21, "4": 12, "4+9": 6, "4+7+9": 6, "9": 4, "10": 4, "4+7+10": 2,
        "7+10": 2, "4+5+7+9": 2, "4+10": 4}),
    ("happiness", {"12": 16, "6+12": 8, "7+12": 1, "14": 4, "12+14": 1, "12+25": 1, "10+12": 1}),
    ("repression", {"17": 13, "15": 6, "15+17": 4, "14": 4}),
    ("surprise", {"1+2": 12, "25": 1, "25+26": 1, "1+2+25": 1, "1": 6, "2": 4}),
)
_SAMM = (
    ("Happiness", {"12": 13, "6+12": 5, "7+12": 3, "6+7+12": 1}),
    ("Other", {"12": 1, "6": 1}),
    ("Surprise", {"1+2": 6, "5": 2, "25+26": 2, "1+2+25": 1}),
    ("Other", {"25": 2}),
    ("Anger", {"4": 7, "4+7": 5, "17+24": 2, "4+5+7": 1}),
    ("Other", {"4": 2, "23": 2}),
    ("Disgust", {"4+6+7": 1, "9": 2, "10": 3, "4+9": 1, "4+7+9": 1, "7+10": 1}),
    ("Sadness", {"15": 1, "15+17": 1}),
    ("Fear", {"1": 1}),
)
# fmt: on
#: The same as rows (emotion, action units, clips).
CASME2_TABLE = [(emotion, units, n) for emotion, row in _CASME2 for units, n in row.items()]
SAMM_TABLE = [(emotion, units, n) for emotion, row in _SAMM for units, n in row.items()]


def unit_set(text: str) -> tuple[int, ...]:
    """Numbers in ``4+7``; an unclear clip ("?") plays a faint 7."""
    return (7,) if text == "?" else tuple(int(n) for n in text.split("+"))


def row_class(text: str) -> str:
    """Objective class of a table row, by the rule."""
    return objective_class(unit_set(text))


def largest_remainder(weights, total: int) -> np.ndarray:
    """Integers in proportion to `weights` that sum to `total`; ties go to the earlier entry."""
    exact = np.asarray(weights, float) * total / max(float(np.sum(weights)), 1e-12)
    counts = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def allocate(table, clips: int) -> list[tuple[str, str]]:
    """Choose `clips` rows (emotion, action units) of `table`, in its order.

    Both totals are kept as well as integers allow: the clips of each emotion are the proportional
    counts rounded by largest remainder, and the objective classes deviate from their own rounding
    by as few clips as possible while every emotion-class pair is rounded up or down.

    Parameters
    ----------
    table : sequence of (emotion, action units, count)
    clips : int
        At least 1.
    """
    rows = pd.DataFrame(table, columns=["emotion", "units", "n"])
    rows["group"] = rows["units"].map(row_class)
    emotions = rows.groupby("emotion", sort=False)["n"].sum()
    classes = rows.groupby("group")["n"].sum()
    cells = rows.groupby(["emotion", "group"], sort=False)
    totals = cells["n"].sum()
    counts = _round_cells(
        totals.to_numpy(float) * clips / rows["n"].sum(),
        np.array([totals.index.get_level_values("emotion") == e for e in emotions.index]),
        largest_remainder(emotions, clips),
        np.array([totals.index.get_level_values("group") == c for c in classes.index]),
        largest_remainder(classes, clips),
    )
    shares = pd.Series(0, rows.index)
    for (_, members), count in zip(cells["n"], counts, strict=True):
        shares[members.index] = largest_remainder(members, int(count))
    chosen = rows.loc[rows.index.repeat(shares), ["emotion", "units"]]
    return list(chosen.itertuples(index=False, name=None))


def _round_cells(exact, in_emotion, by_emotion, in_class, by_class) -> np.ndarray:
    """Integer cells with exact emotion totals, class totals as near as possible: a flow.

    `in_emotion` and `in_class` tell which cells ``(n,)`` sum up to each of the totals.
    """
    n, m = len(exact), len(by_class)
    # Variables: cells, then class surplus and class shortfall; small costs follow the exact cells.
    cost = np.concatenate([-1e-3 * (exact - np.floor(exact)), np.ones(2 * m)])
    sums = np.block(
        [[in_emotion, np.zeros((len(by_emotion), 2 * m))], [in_class, -np.eye(m), np.eye(m)]]
    )
    values = np.concatenate([by_emotion, by_class])
    slack = 0
    while True:  # rarely, one emotion's cells cannot reach its total within one clip of exact
        low = np.concatenate([np.maximum(np.floor(exact + 1e-9) - slack, 0), np.zeros(2 * m)])
        high = np.concatenate([np.ceil(exact - 1e-9) + slack, np.full(2 * m, np.inf)])
        result = milp(
            cost,
            constraints=LinearConstraint(sums, values, values),
            bounds=Bounds(low, high),
            integrality=np.ones(n + 2 * m),
        )
        if result.success:
            return np.round(result.x[:n]).astype(int)
        slack += 1
