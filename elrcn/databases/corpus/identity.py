"""One person: the numbers a face is rendered from, drawn from a population."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

#: name: (mean, standard deviation, lowest, highest), lengths in face units.
_GEOMETRY = {
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
}
_SURFACE = {
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
#: What each population changes: (mean, deviation) of some numbers, and chances of hair styles.
POPULATIONS = {
    # young East Asian adults in a well lit laboratory
    "casme2": {
        "numbers": {
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
    },
    # thirteen ethnicities, ages 19 to 57
    "samm": {
        "numbers": {
            "melanin": (0.45, 0.28),
            "hair_melanin": (0.8, 0.22),
            "iris_melanin": (0.65, 0.35),
            "wrinkles": (0.42, 0.2),
            "freckles": (0.35, 0.3),
        },
    },
}
POPULATIONS["other"] = {
    "numbers": {"melanin": (0.38, 0.24), "hair_melanin": (0.85, 0.2), "iris_melanin": (0.75, 0.3)}
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
        if name in {f.name for f in fields(type(self))} or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.numbers[name]
        except KeyError:
            raise AttributeError(name) from None

    def rng(self, *purpose: int) -> np.random.Generator:
        """Return a generator of this person's own detail, one stream for each `purpose`."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *purpose])))


def draw_identity(seed: int, population: str = "other") -> Identity:
    """Draw a person.

    Parameters
    ----------
    seed : int
        Non-negative; the same seed and population give the same person.
    population : {"casme2", "samm", "other"}
        Whose distribution of geometry, skin and hair to draw from.

    Returns
    -------
    Identity
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 77])))
    changed = POPULATIONS[population]["numbers"]
    sex = "f" if rng.random() < 0.55 else "m"
    numbers = {}
    for name, (mean, deviation, low, high) in {**_GEOMETRY, **_SURFACE}.items():
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
