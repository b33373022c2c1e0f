"""What the readers and preprocessing remarked: how much of which kind, in one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from elrcn.manifest import Finding

#: Kind of a finding to what is counted, the weightiest first.
KINDS = {
    "error": "row{s} or clip{s} to be mended",
    "mixture": "database{s} in part synthetic",
    "rule-all": "label sheet{s} without objective classes, which the action-unit rule gives",
    "revision": "label sheet{s} of the 2019 revision",
    "no-frames": "clip{s} without frames",
    "no-span": "clip{s} left out for want of onset or offset",
    "unnamed": "row{s} without Subject or Filename",
    "macro": "macro-expression{s}",
    "repeated": "row{s} written twice",
    "no-row": "clip folder{s} without a row",
    "rule": "objective class{es} given by the action-unit rule",
    "class-only": "clip{s} in the sheet of classes only",
    "gap": "clip{s} with missing frames",
    "corrected": "cell{s} corrected",
    "unmet": "correction{s} of no row",
    "blank": "blank onset{s} or offset{s}",
    "apex": "apex frame{s} outside the clip",
    "apex-unread": "apex frame{s} that cannot be read",
    "emotion": "emotion{s} not known",
    "units": "clip{s} with text that is no action unit",
    "strange": "folder{s} with files that are no frames",
    "unused": "workbook{s} not used",
    "no-face": "clip{s} without a face, used whole",
    "": "other{s}",
}

#: Kinds for which a row of the label sheet is not in the manifest.
LEFT_OUT = frozenset(("error", "no-frames", "no-span", "unnamed", "macro", "repeated"))
_OF_PREPROCESSING = "no-face"


def count_by_kind(findings: Iterable[Finding]) -> str:
    """Return findings counted by kind, such as "9 clips without frames, 1 row written twice"."""
    counts = Counter(finding.kind for finding in findings)
    return ", ".join(
        f"{counts[kind]} " + phrase.format(s="s" * (counts[kind] > 1), es="es" * (counts[kind] > 1))
        for kind, phrase in KINDS.items()
        if counts[kind]
    )


def remark_line(findings: Iterable[Finding]) -> str:
    """Return the one line that says how many remarks of which kind there are; "" if none."""
    findings = list(findings)
    if not findings:
        return ""
    also = any(finding.kind == _OF_PREPROCESSING for finding in findings)
    who = "the loaders and of preprocessing" if also else "the loaders"
    return f"Remarks of {who}: {len(findings)} ({count_by_kind(findings)})"
