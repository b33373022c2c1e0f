"""What the paper's own numbers say: consistency checks recomputed from ``data_manifest/``.

Each function returns one table of the audit page; every column can be redone by hand. Which right
answers a printed score can stand for is found in `elrcn.published.rounding`.

`results` and `counts` are always those of `elrcn.published.numbers.load_published` and
`load_counts` there. Tables about UAR, WAR and F1 of Section IV-D want the results of
`columns_put_right`, as `audit` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import lcm

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import METRICS, confusion_matrix
from elrcn.published.numbers import (
    CLAIMED_CLIPS,
    FIVE_EMOTIONS,
    class_sets,
    clip_sets,
)
from elrcn.published.rounding import (
    Fold,
    count_diagonals,
    grim,
    grim_chance,
    grim_pairs,
    grim_pairs_chance,
    half_unit,
    precisions,
    uar_range,
)

#: Five quotients added and divided in double precision are off by less than this.
FLOAT_ERROR = Fraction(1, 10**15)

#: The two folds of HDE as Section IV-D names them, and the clips each is tested on.
_TESTED = {
    "train CASME II test SAMM": "SAMM, classes I to V",
    "train SAMM test CASME II": "CASME II, classes I to V",
}
_TEXT = "Section IV-D"


# -- Which clips a published row can be about


def _rows(results: pd.DataFrame):
    """Yield each published row, and its printed scores by metric."""
    for _, part in results.groupby(["source", "method", "database"], sort=False):
        yield part.iloc[0], dict(zip(part["metric"], part["printed"], strict=True))


def _about(row, sets: dict) -> dict:
    """Those of `sets` that a published row can be about; none for a mean of two folds."""
    if row["protocol"] == "LOSO":
        wanted = [name for name in sets if name.startswith("CASME II")]
    elif row["protocol"] == "CDE":
        wanted = ["CDE, classes I to V"]
    else:
        wanted = [_TESTED[row["database"]]] if row["database"] in _TESTED else []
    return {name: sets[name] for name in wanted}


def _fold_sizes(counts: pd.DataFrame) -> list[dict[str, int]]:
    """Clips of each class in the test data of the two folds of HDE."""
    sets = class_sets(counts)
    return [sets[name] for name in _TESTED.values()]


def _largest(sizes: dict[str, int]) -> str:
    return max(sizes, key=sizes.__getitem__)


def swapped_columns(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Which of the two recalls of Section IV-D's folds are accuracies, and what they average to.

    Returns
    -------
    pandas.DataFrame
        One row per column of the text ("UAR", "WAR"): for each fold the printed value and the k out
        of its test clips that gives it (empty: none, so it is no accuracy); the mean of the folds,
        from the fractions where both exist; and which score of Table III that mean rounds to.
    """
    text = results[results["source"].str.startswith(_TEXT)]
    if text.empty:
        raise ElrcnError("The results hold no row of Section IV-D.")
    method, sets = text["method"].iloc[0], clip_sets(counts)
    table = results[(results["source"] == "Table III") & (results["method"] == method)]
    cells = text.set_index(["metric", "database"])["printed"]
    entries = []
    for metric in ("UAR", "WAR"):
        entry: dict = {"column of the text": metric}
        shares, printed, chance = [], [], 1.0
        for database, tested in _TESTED.items():
            value, n = cells[metric, database], sets[tested]
            right = grim(value, n)
            entry[database] = value
            entry[f"{database}: k/n"] = ", ".join(f"{k}/{n}" for k in right)
            shares.append(Fraction(right[0], n) if len(right) == 1 else None)
            printed.append(Fraction(value))
            chance *= grim_chance(n, 3)
        exact = None not in shares
        mean = sum(shares if exact else printed) / 2
        slack = half_unit(4) + (0 if exact else half_unit(3))
        entry["accuracies in both folds"] = exact
        entry["chance of that"] = chance
        entry["mean of folds"] = float(mean)
        entry["score of Table III"] = ", ".join(
            f"{row['metric']} {row['printed']}"
            for _, row in table.iterrows()
            if abs(Fraction(row["printed"]) - mean) <= slack
        )
        entries.append(entry)
    return pd.DataFrame(entries)


def columns_put_right(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return `results` with UAR and WAR of Section IV-D exchanged, if they stand swapped there.

    They do if the printed UARs are accuracies of the test clips and the printed WARs are not
    (`swapped_columns`, which also refuses results without a row of Section IV-D); otherwise
    `results` itself comes back.
    """
    columns = swapped_columns(results, counts).set_index("column of the text")
    accuracy = columns["accuracies in both folds"]
    if accuracy["WAR"] or not accuracy["UAR"]:
        return results
    exchanged = results["metric"].replace({"UAR": "WAR", "WAR": "UAR"})
    text = results["source"].str.startswith(_TEXT)
    return results.assign(metric=results["metric"].mask(text, exchanged))


# -- Tables about accuracies


def grim_table(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Test every published accuracy (WAR) against the sets of clips it can belong to.

    Single-domain rows are held against all three counts of CASME II, CDE rows against 253 and the
    folds of HDE against their test database. Accuracies of Table III are means of two fractions
    and are in `grim_means`. The verdicts assume that accuracies are pooled, see
    `elrcn.published.rounding`.

    Returns
    -------
    pandas.DataFrame
        One row per published value, set of clips and number of decimals: ``k`` lists every whole
        number of right answers that gives the printed value, ``possible`` says if there is one,
        ``chance`` how often a made-up value would pass.
    """
    sets, entries = clip_sets(counts), []
    for _, row in results[results["metric"] == "WAR"].iterrows():
        about = _about(row, sets).items()
        for decimals, (name, n) in product(precisions(row["printed"]), about):
            right = grim(row["printed"], n, decimals)
            entries.append(
                {
                    **row[["source", "method", "database", "printed"]],
                    "decimals": decimals,
                    "clips": name,
                    "n": n,
                    "k": ", ".join(map(str, right)),
                    "nearest": f"{right[0] / n:.6f}" if right else "",
                    "possible": bool(right),
                    "chance": grim_chance(n, decimals),
                }
            )
    return pd.DataFrame(entries)


def chance_passes(table: pd.DataFrame) -> dict[str, float]:
    """Count how many tries, rows of `grim_table`, fit, and how many would if all were made up.

    ``tries``, ``passes``, and ``expected``: the sum of the tries' chances.
    """
    return {
        "tries": len(table),
        "passes": int(table["possible"].sum()),
        "expected": float(table["chance"].sum()),
    }


def grim_means(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Test the accuracies of Table III: the mean of k1/68 and k2/185 for whole k1 and k2.

    ``pairs`` counts the (k1, k2) that give the printed value, ``chance`` is the share of all
    values with so many decimals that have any: near 1, the test says little.
    """
    n1, n2 = (sum(sizes.values()) for sizes in _fold_sizes(counts))
    wanted = (results["metric"] == "WAR") & (results["source"] == "Table III")
    entries = []
    for _, row in results[wanted].iterrows():
        for decimals in precisions(row["printed"]):
            pairs = len(grim_pairs(row["printed"], n1, n2, decimals))
            entries.append(
                {
                    "method": row["method"],
                    "printed": row["printed"],
                    "decimals": decimals,
                    "pairs": pairs,
                    "possible": pairs > 0,
                    "chance": grim_pairs_chance(n1, n2, decimals),
                }
            )
    return pd.DataFrame(entries)


def other_clips(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of Table I beside the number of clips their accuracy is a fraction of.

    One row per method: ``k`` out of each possible number of clips (empty if none), in columns named
    by the number. Rows that fit different columns were not measured on the same clips.
    """
    long = grim_table(results[results["source"] == "Table I"], counts)
    long = long[long["decimals"] == long["printed"].str.partition(".")[2].str.len()]
    wide = long.pivot(index=["method", "printed"], columns="n", values="k")
    order = long.drop_duplicates("method")[["method", "printed"]].itertuples(index=False, name=None)
    return wide.loc[list(order)].reset_index().rename_axis(columns=None)


# -- Tables about the largest class


def majority_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """Score always answering the largest class under each protocol.

    Returns
    -------
    pandas.DataFrame
        Protocol, class answered, its clips out of n, and all scores. In HDE the class answered is
        the largest of the training database, and the scores are the mean of the folds.
    """
    hde = "HDE, mean of both directions"
    sources = {FIVE_EMOTIONS: "Table I", "CDE, classes I to V": "Table II", hde: "Table III"}
    samm, casme2 = _fold_sizes(counts)
    # For each set of clips its folds: sizes of the classes tested, and of those trained on.
    cases = {
        name: [(sizes, sizes)]
        for name, sizes in class_sets(counts).items()
        if not name.startswith("SAMM")
    }
    cases[hde] = [(samm, casme2), (casme2, samm)]
    entries = []
    for name, folds in cases.items():
        answers, matrices = [_largest(trained) for _, trained in folds], []
        for (tested, _), answer in zip(folds, answers, strict=True):
            true = np.repeat(list(tested), list(tested.values()))
            matrices.append(confusion_matrix(true, [answer] * len(true), tested))
        entries.append(
            {
                "source": sources.get(name, ""),
                "clips": name,
                "answer": ", ".join(answers),
                "k/n": ", ".join(f"{m.diagonal().sum()}/{m.sum()}" for m in matrices),
                **{k: float(np.mean([f(m) for m in matrices])) for k, f in METRICS.items()},
            }
        )
    return pd.DataFrame(entries)


def largest_classes(counts: pd.DataFrame) -> dict[str, int]:
    """Clips of the largest class in each set of `elrcn.published.numbers.clip_sets`.

    The classes of the 247 clips that the paper's text names are not published. Whatever they hold
    beyond the clips of the five emotions may all be of the largest class, so this is its bound.
    """
    sets, clips = class_sets(counts), clip_sets(counts)
    most = {name: max(sizes.values()) for name, sizes in sets.items()}
    bound = most[FIVE_EMOTIONS] + max(CLAIMED_CLIPS - clips[FIVE_EMOTIONS], 0)
    return {name: most.get(name, bound) for name in clips}


def _verdict(margins) -> str:
    signs = {(m > 0) - (m < 0) for m in margins}
    if len(signs) > 1:
        return "cannot be told to exceed"
    return {1: "above", 0: "equal", -1: "below"}[signs.pop()]


def _beside(row, sets: dict[str, int], most: dict[str, int], hde: Fraction) -> dict:
    """Right answers a published accuracy stands for, and its margins over the largest class."""
    decimals, value = precisions(row["printed"]), Fraction(row["printed"])
    about = _about(row, sets)
    right = {
        (name, k)
        for (name, n), d in product(about.items(), decimals)
        for k in grim(row["printed"], n, d)
    }
    if right:
        names = {name for name, _ in right}
        margins = [k - most[name] for name, k in right]
    elif about:  # a fraction of no set: all of them come into question
        names = set(about)
        margins = [value * about[name] - most[name] for name in names]
    else:  # the mean of two folds, somewhere within its last digit
        names, slack = set(), half_unit(min(decimals))
        margins = [value - slack - hde, value + slack - hde]
    return {
        "clips": "; ".join(name for name in about if name in names) or "both folds",
        "k": ", ".join(map(str, sorted(k for _, k in right))),
        "largest": ", ".join(str(most[name]) for name in about if name in names)
        or f"{float(hde):.4f}",
        "margin": ", ".join(f"{m:+d}" for m in sorted(margins)) if right else "",
        "verdict": _verdict(margins),
    }


def beside_majority(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Hold every accuracy of the tables against the largest class *of the clips it belongs to*.

    An accuracy is compared in whole clips: a value of few decimals stands for several numbers of
    right answers, and an accuracy that is a fraction of no known set may belong to any.

    Returns
    -------
    pandas.DataFrame
        One row per published accuracy: the sets of clips it can belong to, its possible right
        answers ``k``, the clips of the ``largest`` class there (HDE: the accuracy of always
        answering the largest class of the training database, mean of the folds), ``margin`` in
        clips, and ``verdict``: above, equal, below, or cannot be told to exceed, where they
        disagree.
    """
    sets, most = clip_sets(counts), largest_classes(counts)
    samm, casme2 = _fold_sizes(counts)
    folds = [(samm, casme2), (casme2, samm)]  # tested, trained
    hde = sum(Fraction(t[_largest(other)], sum(t.values())) for t, other in folds) / 2
    wanted = (results["metric"] == "WAR") & results["source"].str.startswith("Table")
    return pd.DataFrame(
        [
            {**row[["source", "method", "printed"]], **_beside(row, sets, most, hde)}
            for _, row in results[wanted].iterrows()
        ]
    )


# -- Tables about F1 and UAR


def f1_identity(results: pd.DataFrame) -> pd.DataFrame:
    """Hold every published F1 against the definition the paper names and the one its code has.

    For single-label data micro-F1 equals accuracy, so ``F1 - WAR`` must be 0 up to rounding. The
    authors' code takes the harmonic mean F = 2 P U / (P + U) of macro precision P and UAR = U;
    solved for P it is ``implied_precision`` = F U / (2 U - F), which must lie between 0 and 1.
    For means of two folds (Table III) that solution is only approximate: ``exact`` is false.
    """
    entries = []
    for row, values in _rows(results):
        if "F1" not in values or "WAR" not in values:
            continue
        f1, war = Fraction(values["F1"]), Fraction(values["WAR"])
        slack = sum(half_unit(min(precisions(values[m]))) for m in ("F1", "WAR"))
        precision = np.nan
        if "UAR" in values and 2 * Fraction(values["UAR"]) != f1:
            recall = Fraction(values["UAR"])
            precision = float(f1 * recall / (2 * recall - f1))
        entries.append(
            {
                **row[["source", "method", "database"]],
                "F1": values["F1"],
                "UAR": values.get("UAR", ""),
                "WAR": values["WAR"],
                "F1 - WAR": float(f1 - war),
                "can_be_micro": abs(f1 - war) <= slack,
                "implied_precision": precision,
                "can_be_harmonic": bool(0 < precision <= 1) if precision == precision else None,
                "exact": row["source"] != "Table III",
            }
        )
    return pd.DataFrame(entries)


def _search(folds: Sequence[Fold], printed: str, decimals: int) -> dict:
    value, slack = Fraction(printed), half_unit(decimals)
    low, high = uar_range(folds)
    diagonals = count_diagonals(folds, value - slack, value + slack)
    return {
        "UAR": printed,
        "decimals": decimals,
        "least_UAR": float(low),
        "greatest_UAR": float(high),
        "diagonals": diagonals,
        "possible": diagonals > 0,
    }


def uar_search(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Ask of every published UAR whether a diagonal with its row's right answers gives it.

    The right answers are those that the accuracy in the same row stands for (`grim`). Table III,
    whose rows are means of two folds, is in `hde_pairs`.

    Returns
    -------
    pandas.DataFrame
        One row per published UAR, number of right answers ``k`` and number of decimals: how many
        ``diagonals`` give it, and the least and the greatest UAR of all.
    """
    classes, entries = class_sets(counts), []
    for row, values in _rows(results):
        if not {"UAR", "WAR"} <= set(values):
            continue
        for name, labelled in _about(row, classes).items():
            sizes = list(labelled.values())
            n = sum(sizes)
            right = {k for d in precisions(values["WAR"]) for k in grim(values["WAR"], n, d)}
            entries += [
                {
                    "source": row["source"],
                    "method": row["method"],
                    "clips": name,
                    "k": k,
                    "n": n,
                    **_search([(sizes, k)], values["UAR"], decimals),
                }
                for k in sorted(right)
                for decimals in precisions(values["UAR"])
            ]
    return pd.DataFrame(entries)


def hde_pairs(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Right answers of both folds behind each row of Table III.

    The mean of k1/n1 and k2/n2 is the printed accuracy for few pairs (k1, k2) only. A pair is
    ``possible`` if the printed UAR, too, is the mean of the UARs of two diagonals with k1 and k2
    right answers.

    Returns
    -------
    pandas.DataFrame
        One row per method and pair, right answers on SAMM first; ``in_text`` marks the pair whose
        accuracies Section IV-D prints for that method (in either column), ``if_padded`` counts the
        pairs there would be if the accuracy's last digit, a zero, were no digit (else 0).
    """
    folds = [list(sizes.values()) for sizes in _fold_sizes(counts)]
    (n1, n2), entries = map(sum, folds), []
    for row, values in _rows(results[results["source"] == "Table III"]):
        if not {"UAR", "WAR"} <= set(values):
            continue
        war, uar = values["WAR"], values["UAR"]
        decimals = min(precisions(war))
        padded = grim_pairs(war, n1, n2, decimals - 1) if war.endswith("0") else ()
        told = _told(results, row["method"], (n1, n2))
        for k1, k2 in grim_pairs(war, n1, n2, decimals):
            pair = list(zip(folds, (k1, k2), strict=True))
            entries.append(
                {
                    "method": row["method"],
                    "WAR": war,
                    "SAMM": f"{k1}/{n1}",
                    "CASME II": f"{k2}/{n2}",
                    "mean": (k1 / n1 + k2 / n2) / 2,
                    **_search(pair, uar, min(precisions(uar))),
                    "in_text": (k1, k2) in told,
                    "if_padded": len(padded),
                }
            )
    return pd.DataFrame(entries)


def _told(results: pd.DataFrame, method: str, sizes: tuple[int, int]) -> set[tuple[int, int]]:
    """Pairs of right answers that a column of Section IV-D prints for a method."""
    text = results[results["source"].str.startswith(_TEXT) & (results["method"] == method)]
    printed = text.set_index(["metric", "database"])["printed"]
    first, second = _TESTED
    return {
        pair
        for metric in ("UAR", "WAR")
        if (metric, first) in printed.index and (metric, second) in printed.index
        for pair in product(
            grim(printed[metric, first], sizes[0]), grim(printed[metric, second], sizes[1])
        )
    }


# -- A user's UAR, printed to every digit


def moved_sizes(sizes: Sequence[int], clips: int = 1) -> list[tuple[int, ...]]:
    """Return `sizes`, then all sizes that come of moving up to so many clips between classes."""
    seen = {tuple(sizes): None}
    for _ in range(clips):
        for old in list(seen):
            for source, target in product(range(len(old)), repeat=2):
                new = list(old)
                new[source] -= 1
                new[target] += 1
                if min(new) >= 0:
                    seen[tuple(new)] = None
    return list(seen)


def wrong_label(reports: pd.DataFrame, counts: pd.DataFrame, clips: int = 1) -> pd.DataFrame:
    """Class sizes with which a user's UAR of the authors' program can be had, to every digit.

    A UAR is a whole multiple of 1/(C lcm(n_1, ..., n_C)). A value printed with all digits of a
    double-precision number is such a multiple, with a diagonal of its row's right answers, or the
    clips were not labelled in classes of these sizes.

    Parameters
    ----------
    reports, counts : pandas.DataFrame
        From `elrcn.published.numbers.load_user_reports` and `load_counts` there.
    clips : int
        Most clips moved from one of the five emotions to another.

    Returns
    -------
    pandas.DataFrame
        One row per report with UAR and WAR and sizes of the classes (the published ones first):
        what was ``moved``, the common ``denominator``, the ``distance`` of the UAR to its nearest
        multiple, the ``diagonals`` with that UAR, and whether there is one.

    Raises
    ------
    ElrcnError
        If a report's WAR is no fraction of the clips of the five emotions.
    """
    published = class_sets(counts)[FIVE_EMOTIONS]
    n, entries = sum(published.values()), []
    for report, part in reports.groupby("report", sort=False):
        values = {k: Fraction(v) for k, v in zip(part["metric"], part["value"], strict=True)}
        if not {"UAR", "WAR"} <= set(values):
            continue
        right = round(values["WAR"] * n)
        if abs(values["WAR"] - Fraction(right, n)) > FLOAT_ERROR:
            raise ElrcnError(
                f"The WAR of {report} is no whole number of right answers out of {n}.",
                fix="give it with all its digits",
            )
        for sizes in moved_sizes(list(published.values()), clips):
            moves = zip(published, np.subtract(sizes, list(published.values())), strict=True)
            denominator = lcm(*sizes) * len(sizes)
            multiple = round(values["UAR"] * denominator)
            exact = Fraction(multiple, denominator)
            distance = abs(exact - values["UAR"])
            # Farther away than the program's own rounding, no diagonal at all has this UAR.
            close = distance <= FLOAT_ERROR
            diagonals = count_diagonals([(sizes, right)], exact, exact) if close else 0
            entries.append(
                {
                    "report": report,
                    "moved": ", ".join(f"{k} {change:+d}" for k, change in moves if change)
                    or "none",
                    "sizes": "/".join(map(str, sizes)),
                    "right": right,
                    "denominator": denominator,
                    "multiple": multiple,
                    "distance": float(distance),
                    "diagonals": diagonals,
                    "possible": diagonals > 0,
                }
            )
    return pd.DataFrame(entries)


# -- All of it


def audit(results: pd.DataFrame, counts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """All tables of the audit page by name, recomputed from the published numbers.

    Each is that of a function of this module.
    """
    right = columns_put_right(results, counts)
    return {
        "grim": grim_table(right, counts),
        "grim_means": grim_means(results, counts),
        "hde_pairs": hde_pairs(results, counts),
        "f1_identity": f1_identity(right),
        "uar_search": uar_search(right, counts),
        "swapped_columns": swapped_columns(results, counts),
        "other_clips": other_clips(results, counts),
        "majority_rows": majority_rows(counts),
        "beside_majority": beside_majority(results, counts),
    }
