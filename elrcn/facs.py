"""Action-unit strings as coders write them, and the objective classes they imply.

Notation: Ekman, Friesen and Hager, *Facial Action Coding System* (2002). Objective classes: Davison
et al. (2018), arXiv 1708.07549.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real

OBJECTIVE_CLASSES = ("I", "II", "III", "IV", "V", "VI", "VII")
EMOTIONS = ("happiness", "disgust", "repression", "surprise", "others")

_RULES = {
    "I": "6 12 6+12 6+7+12 7+12",
    "II": "1+2 5 25 1+2+25 25+26 5+24",
    "III": "23 4 4+7 4+5 4+5+7 17+24 4+6+7 4+38",
    "IV": "10 9 4+9 4+40 4+5+40 4+7+9 4+9+17 4+7+10 4+5+7+9 7+10",
    "V": "1 15 1+4 6+15 15+17",
    "VI": "1+2+4 20",
}
_CLASS_OF = {
    frozenset(map(int, one.split("+"))): name
    for name, sets in _RULES.items()
    for one in sets.split()
}
# Codes that SAMM lists beside the facial units but leaves out of the class: blink and lids (43 to
# 46), head (51 to 60) and eye (61 to 69) positions, and jaw (26, 27, 29, 30).
EYE_HEAD_JAW = frozenset((26, 27, 29, 30, *range(43, 47), *range(51, 70)))

_HIGHEST_CODE = 98
_LONGEST_TEXT = 200
_DEEPEST_GROUP = 8
_MOST_READINGS = 64
_JOINS = ("+", ",", ";", "&", "and")
_SLASH = "\x1f"  # stands for the slash of "A/L12" while splitting at that of "12/14"
_SPLIT = re.compile(r"([()+,;&]|\bor\b|\band\b|/(?=\s*[LRATBU]?\d))", re.IGNORECASE)
_UNIT = re.compile(
    r"(?P<doubt>\?)?\s*(?:AU|AD)?\s*"
    r"(?P<side>[LRATBU](?:/[LRATBU])*)?\s*"
    r"(?P<number>\d{1,3})(?:\.0)?\s*"
    r"(?P<intensity>[A-E](?:/[A-E])*)?(?P<after>[LR])?\s*(?P<doubt_after>\?)?",
    re.IGNORECASE | re.ASCII,
)
_SLASHED_SIDES = re.compile(r"[LRATBU](?:/[LRATBU])+\s*\d", re.IGNORECASE)


@dataclass(frozen=True)
class ActionUnit:
    """One action unit of a clip.

    Attributes
    ----------
    number : int
        FACS code, 1 to 98.
    side : str
        "" (both sides), "L", "R", "A" (asymmetric), "T" (top), "B" (bottom), "U" (unilateral), or
        alternatives as written, such as "A/L".
    intensity : str
        "" (not coded), "A" (trace) to "E" (maximum), or alternatives as written, such as "A/B".
    uncertain : bool
        The coder wrote it as one of several ("12 or 14") or with a question mark.
    reference : bool
        Written inside ``ref(...)``.
    """

    number: int
    side: str = ""
    intensity: str = ""
    uncertain: bool = False
    reference: bool = False

    def __str__(self):
        text = f"{self.side}{self.number}{self.intensity}{'?' if self.uncertain else ''}"
        return f"ref({text})" if self.reference else text


@dataclass(frozen=True)
class ParsedUnits:
    """What one action-unit cell says.

    Attributes
    ----------
    units : tuple of ActionUnit
        In the order written.
    readings : tuple of frozenset of int
        Every set of unit numbers the text allows: one, unless it holds an "or". At most 64.
    unparsed : tuple of str
        Pieces that are not action units ("soft focus").
    unclear : bool
        The text holds a lone "?": the coder could not tell.
    """

    units: tuple[ActionUnit, ...]
    readings: tuple[frozenset[int], ...]
    unparsed: tuple[str, ...]
    unclear: bool

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the units, sides and intensities dropped, alternatives included."""
        return frozenset(unit.number for unit in self.units)


def normalise_text(value) -> str:
    """Return a sheet cell as one line of text: 4.0 becomes "4", blanks around "+" go.

    Never raises: what is not text or a number is returned as `str` shows it.
    """
    if value is None or (isinstance(value, Real) and not math.isfinite(value)):
        return ""
    if isinstance(value, Real) and not isinstance(value, (bool, Integral)):
        value = int(value) if float(value).is_integer() else float(value)
    text = unicodedata.normalize("NFKC", str(value))
    text = " ".join(text.split())
    return re.sub(r"\s*\+\s*", "+", text)


def parse(value) -> ParsedUnits:
    """Parse an action-unit cell (text, integer, float, blank). Never raises.

    Understands ``4+7``, ``L12A``, ``A/L12``, ``4A/B``, ``T23``, ``ref(7B)+43C``, ``L12 or L14``,
    ``(R6 or R12) + R15`` and ``?``. "or" binds tighter than "+". Anything else lands in
    `ParsedUnits.unparsed`.
    """
    text = normalise_text(value)
    if len(text) > _LONGEST_TEXT:
        return ParsedUnits((), (frozenset(),), (text[:40] + "...",), False)
    return _Parser(text).result()


def objective_class(numbers: Iterable[int]) -> str:
    """Return the objective class, "I" to "VII", of a set of action units.

    Source: Davison et al. (2018), arXiv 1708.07549. A set the table does not name is "VII".
    """
    return _CLASS_OF.get(frozenset(int(n) for n in numbers), "VII")


def possible_classes(parsed: ParsedUnits) -> frozenset[str]:
    """Return every objective class that some reading of `parsed` has."""
    return frozenset(objective_class(reading) for reading in parsed.readings)


class _Parser:
    """Recursive descent over the pieces between operators; collects instead of raising."""

    def __init__(self, text):
        whole = _SLASHED_SIDES.sub(lambda found: found[0].replace("/", _SLASH), text)
        self.pieces = [p.strip() for p in _SPLIT.split(whole) if p and p.strip()]
        self.at = 0
        self.units: list[ActionUnit] = []
        self.unparsed: list[str] = []
        self.unclear = False

    def result(self) -> ParsedUnits:
        readings = [frozenset()]
        while self.at < len(self.pieces):
            readings = _combine(readings, self._sum(0, False))
            if self.at < len(self.pieces):  # a closing parenthesis without an opening one
                self.unparsed.append(self.pieces[self.at])
                self.at += 1
        return ParsedUnits(tuple(self.units), tuple(readings), tuple(self.unparsed), self.unclear)

    def _peek(self) -> str:
        return self.pieces[self.at].lower() if self.at < len(self.pieces) else ""

    def _sum(self, depth, reference):
        readings = [frozenset()]
        joined = True
        while self.at < len(self.pieces) and self._peek() != ")":
            if self._peek() in _JOINS:
                joined = True
                self.at += 1
                continue
            if not joined:  # "6(12)": read as a sum, but said
                self.unparsed.append(f"no + before {self.pieces[self.at]}")
            readings = _combine(readings, self._choice(depth, reference))
            joined = False
        return readings

    def _choice(self, depth, reference):
        first = len(self.units)
        readings = list(self._atom(depth, reference))
        several = False
        while self._peek() in ("or", "/"):
            several = True
            self.at += 1
            readings += [r for r in self._atom(depth, reference) if r not in readings]
        if several:
            self.units[first:] = [replace(unit, uncertain=True) for unit in self.units[first:]]
            # A piece that did not parse ("12 or nothing") leaves an empty reading, not a unit.
            readings = [r for r in readings if r] or [frozenset()]
        return readings[:_MOST_READINGS]

    def _atom(self, depth, reference):
        piece = self._peek()
        if piece in ("", ")", "or", "/", *_JOINS):  # an "or" with nothing on one side of it
            self.unparsed.append("or")
            return [frozenset()]
        if piece == "ref" and self.pieces[self.at + 1 : self.at + 2] == ["("]:
            self.at += 1
            reference = True
        raw = self.pieces[self.at]
        self.at += 1
        if raw == "(":
            if depth >= _DEEPEST_GROUP:
                self.unparsed.append(raw)
                return [frozenset()]
            inside = self._sum(depth + 1, reference)
            if self._peek() == ")":
                self.at += 1
            else:
                self.unparsed.append("(")
            return inside
        return self._unit(raw, reference)

    def _unit(self, raw, reference):
        if set(raw) <= {"?"}:
            self.unclear = True
            return [frozenset()]
        match = _UNIT.fullmatch(raw.replace(_SLASH, "/"))
        number = int(match["number"]) if match else 0
        if not 1 <= number <= _HIGHEST_CODE or (match["side"] and match["after"]):
            self.unparsed.append(raw.replace(_SLASH, "/"))
            return [frozenset()]
        side = (match["side"] or match["after"] or "").upper()
        doubt = bool(match["doubt"] or match["doubt_after"])
        intensity = (match["intensity"] or "").upper()
        self.units.append(ActionUnit(number, side, intensity, doubt, reference))
        return [frozenset([number])]


def _combine(left, right):
    product = dict.fromkeys(a | b for a in left for b in right)
    return list(product)[:_MOST_READINGS]
