"""What the paper's own numbers say: consistency checks recomputed from ``data_manifest/``.

Each function returns one table of the audit page; every column can be redone by hand.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd

from elrcn.audit_search import hde_pairs, uar_search
from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import METRICS
from elrcn.grim import (
    grim,
    grim_chance,
    grim_pairs,
    grim_pairs_chance,
    half_unit,
    precisions,
)
from elrcn.printed import class_sizes, clip_sets, load_counts, load_printed

_DIRECTIONS = {"train CASME II test SAMM": "SAMM", "train SAMM test CASME II": "CASME2"}
_TEXT = "Section IV-D"


def _candidates(row, sets: dict[str, int]) -> dict[str, int]:
    """List the sets of clips an accuracy can belong to; none for a mean of two folds."""
    if row["protocol"] == "LOSO":
        wanted = [name for name in sets if name.startswith("CASME II")]
    elif row["protocol"] == "CDE":
        wanted = ["CDE, classes I to V"]
    elif row["database"] in _DIRECTIONS:
        tested = _DIRECTIONS[row["database"]].replace("CASME2", "CASME II")
        wanted = [f"{tested}, classes I to V"]
    else:
        wanted = []
    return {name: sets[name] for name in wanted}


def _fits(row, sets: dict[str, int], column: str = "printed") -> list[dict]:
    entries = []
    for decimals, (name, n) in product(precisions(row[column]), sets.items()):
        found = grim(row[column], n, decimals)
        entries.append(
            {
                "source": row["source"],
                "method": row["method"],
                "database": row["database"],
                "printed": row[column],
                "decimals": decimals,
                "clips": name,
                "n": n,
                "k": ", ".join(map(str, found)),
                "nearest": f"{found[0] / n:.6f}" if found else "",
                "possible": bool(found),
                "chance": grim_chance(n, decimals),
            }
        )
    return entries


def grim_table(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Test every published accuracy (WAR) against the sets of clips it can belong to.

    Single-domain rows are held against all three counts of CASME II, CDE rows against 253 and the
    folds of HDE against their test database. Accuracies of Table III are means of two fractions
    and are in `grim_means`. The verdicts assume that accuracies are pooled (`elrcn.grim`).

    Parameters
    ----------
    results : pandas.DataFrame
        From `columns_put_right`.
    counts : pandas.DataFrame
        From `elrcn.printed.load_counts`.

    Returns
    -------
    pandas.DataFrame
        A row a published value, set of clips and number of decimals: ``k`` lists every whole
        number of right answers that gives the printed value, ``possible`` says if there is one,
        ``chance`` how often a made-up value would pass.
    """
    sets, entries = clip_sets(counts), []
    for _, row in results[results["metric"] == "WAR"].iterrows():
        entries += _fits(row, _candidates(row, sets))
    return pd.DataFrame(entries)


def chance_passes(table: pd.DataFrame) -> dict[str, float]:
    """Count how many values of `table` fit, and how many would if all had been made up.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of `grim_table`, one a try.

    Returns
    -------
    dict
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
    n1 = sum(class_sizes(counts, "SAMM", "objective").values())
    n2 = sum(class_sizes(counts, "CASME2", "objective").values())
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


def f1_identity(results: pd.DataFrame) -> pd.DataFrame:
    """Hold every published F1 against the definition the paper names and the one its code has.

    For single-label data micro-F1 equals accuracy, so ``F1 - WAR`` must be 0 up to rounding. The
    authors' code takes the harmonic mean F = 2 P U / (P + U) of macro precision P and UAR = U;
    solved for P it is ``implied_precision`` = F U / (2 U - F), which must lie between 0 and 1.
    For means of two folds (Table III) that solution is only approximate: ``exact`` is false.

    Parameters
    ----------
    results : pandas.DataFrame
        From `columns_put_right`.
    """
    entries = []
    keys = ["source", "method", "database"]
    for (source, method, database), part in results.groupby(keys, sort=False):
        values = dict(zip(part["metric"], part["printed"], strict=True))
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
                "source": source,
                "method": method,
                "database": database,
                "F1": values["F1"],
                "UAR": values.get("UAR", ""),
                "WAR": values["WAR"],
                "F1 - WAR": float(f1 - war),
                "can_be_micro": abs(f1 - war) <= slack,
                "implied_precision": precision,
                "can_be_harmonic": bool(0 < precision <= 1) if precision == precision else None,
                "exact": source != "Table III",
            }
        )
    return pd.DataFrame(entries)


def swapped_columns(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Which of the two recalls of Section IV-D's folds are accuracies, and what they average to.

    Returns
    -------
    pandas.DataFrame
        A row a column of the text ("UAR", "WAR"): for each fold the printed value and the k out of
        its test clips that gives it (empty: none, so it is no accuracy); the mean of the folds,
        from the fractions where both exist; and which score of Table III that mean rounds to.
    """
    text = results[results["source"].str.startswith(_TEXT)]
    if text.empty:
        raise ElrcnError("The results hold no row of Section IV-D.")
    method = text["method"].iloc[0]
    table = results[(results["source"] == "Table III") & (results["method"] == method)]
    entries = []
    for metric in ("UAR", "WAR"):
        entry: dict = {"column of the text": metric}
        shares, printed, chance = [], [], 1.0
        for database, tested in _DIRECTIONS.items():
            cell = text[(text["metric"] == metric) & (text["database"] == database)]["printed"]
            n = sum(class_sizes(counts, tested, "objective").values())
            found = grim(cell.iloc[0], n)
            entry[database] = cell.iloc[0]
            entry[f"{database}: k/n"] = ", ".join(f"{k}/{n}" for k in found)
            shares.append(Fraction(found[0], n) if len(found) == 1 else None)
            printed.append(Fraction(cell.iloc[0]))
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
    (`swapped_columns`); otherwise `results` itself comes back.

    Parameters
    ----------
    results, counts : pandas.DataFrame
        From `elrcn.printed.load_printed` and `elrcn.printed.load_counts`.

    Raises
    ------
    ElrcnError
        If the results hold no row of Section IV-D.
    """
    columns = swapped_columns(results, counts).set_index("column of the text")
    accuracy = columns["accuracies in both folds"]
    if accuracy["WAR"] or not accuracy["UAR"]:
        return results
    exchanged = results["metric"].replace({"UAR": "WAR", "WAR": "UAR"})
    text = results["source"].str.startswith(_TEXT)
    return results.assign(metric=results["metric"].mask(text, exchanged))


def other_clips(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Rows of Table I beside the number of clips their accuracy is a fraction of.

    One row a method: ``k`` out of each possible number of clips (empty if none), in columns named
    by the number. Rows that fit different columns were not measured on the same clips.
    """
    long = grim_table(results[results["source"] == "Table I"], counts)
    long = long[long["decimals"] == long["printed"].str.partition(".")[2].str.len()]
    wide = long.pivot(index=["method", "printed"], columns="n", values="k")
    order = [
        (row["method"], row["printed"]) for _, row in long.drop_duplicates("method").iterrows()
    ]
    return wide.loc[order].reset_index().rename_axis(columns=None)


def majority_matrix(sizes: dict[str, int], answer: str) -> np.ndarray:
    """Confusion matrix of always answering `answer` on clips of class `sizes`."""
    labels = list(sizes)
    matrix = np.zeros((len(labels), len(labels)), dtype=np.int64)
    matrix[:, labels.index(answer)] = list(sizes.values())
    return matrix


def _largest(sizes: dict[str, int]) -> str:
    return max(sizes, key=sizes.__getitem__)


def majority_rows(counts: pd.DataFrame) -> pd.DataFrame:
    """Score always answering the largest class under each protocol.

    Returns
    -------
    pandas.DataFrame
        Protocol, class answered, its clips out of n, and all scores. In HDE the class answered is
        the largest of the training database, and the scores are the mean of the folds.
    """
    casme2, samm = (class_sizes(counts, name, "objective") for name in ("CASME2", "SAMM"))
    cases = {
        ("Table I", "CASME II, five emotions"): [(class_sizes(counts, "CASME2", "emotion"), None)],
        ("", "CASME II, classes I to V"): [(casme2, None)],
        ("Table II", "CDE, classes I to V"): [(class_sizes(counts, "CDE", "objective"), None)],
        ("Table III", "HDE, mean of both directions"): [(samm, casme2), (casme2, samm)],
    }
    entries = []
    for (source, name), folds in cases.items():
        answers, matrices = [], []
        for tested, trained in folds:
            answer = _largest(trained or tested)
            answers.append(answer)
            matrices.append(majority_matrix(tested, answer))
        shares = [f"{m.diagonal().sum()}/{m.sum()}" for m in matrices]
        scores = {k: float(np.mean([f(m) for m in matrices])) for k, f in METRICS.items()}
        entries.append(
            {
                "source": source,
                "clips": name,
                "answer": ", ".join(answers),
                "k/n": ", ".join(shares),
                **scores,
            }
        )
    return pd.DataFrame(entries)


def largest_classes(counts: pd.DataFrame) -> dict[str, int]:
    """Clips of the largest class in each set of `elrcn.printed.clip_sets`.

    The classes of the 247 clips that the paper's text names are not published. Whatever they hold
    beyond the clips of the five emotions may all be of the largest class, so this is its bound.
    """
    sets = clip_sets(counts)
    five, text = "CASME II, five emotions", "CASME II, the paper's text"
    most = {
        f"{name.replace('CASME2', 'CASME II')}, classes I to V": max(
            class_sizes(counts, name, "objective").values()
        )
        for name in ("CASME2", "SAMM", "CDE")
    }
    emotion = max(class_sizes(counts, "CASME2", "emotion").values())
    return {five: emotion, text: emotion + max(sets[text] - sets[five], 0), **most}


def _verdict(margins) -> str:
    signs = {(m > 0) - (m < 0) for m in margins}
    if len(signs) > 1:
        return "cannot be told to exceed"
    return {1: "above", 0: "equal", -1: "below"}[signs.pop()]


def _beside(row, sets: dict[str, int], most: dict[str, int], hde: Fraction) -> dict:
    """Right answers a published accuracy stands for, and its margins over the largest class."""
    decimals, value = precisions(row["printed"]), Fraction(row["printed"])
    candidates = _candidates(row, sets)
    found = {
        (name, k)
        for (name, n), d in product(candidates.items(), decimals)
        for k in grim(row["printed"], n, d)
    }
    if found:
        names = {name for name, _ in found}
        margins = [k - most[name] for name, k in found]
    elif candidates:  # of no set: all of them come into question
        names = set(candidates)
        margins = [value * candidates[name] - most[name] for name in names]
    else:  # the mean of two folds, somewhere within its last digit
        names, slack = set(), half_unit(min(decimals))
        margins = [value - slack - hde, value + slack - hde]
    return {
        "clips": "; ".join(name for name in candidates if name in names) or "both folds",
        "k": ", ".join(map(str, sorted(k for _, k in found))),
        "largest": ", ".join(str(most[name]) for name in candidates if name in names)
        or f"{float(hde):.4f}",
        "margin": ", ".join(f"{m:+d}" for m in sorted(margins)) if found else "",
        "verdict": _verdict(margins),
    }


def beside_majority(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Hold every accuracy of the tables against the largest class *of the clips it belongs to*.

    An accuracy is compared in whole clips: a value of few decimals stands for several numbers of
    right answers, and an accuracy that is a fraction of no known set may belong to any.

    Returns
    -------
    pandas.DataFrame
        A row a published accuracy: the sets of clips it can belong to, its possible right answers
        ``k``, the clips of the ``largest`` class there (HDE: the accuracy of always answering the
        largest class of the training database, mean of the folds), ``margin`` in clips, and
        ``verdict``: above, equal, below, or cannot be told to exceed, where they disagree.
    """
    sets, most = clip_sets(counts), largest_classes(counts)
    casme2, samm = (class_sizes(counts, name, "objective") for name in ("CASME2", "SAMM"))
    folds = [(samm, casme2), (casme2, samm)]
    hde = sum(Fraction(t[_largest(other)], sum(t.values())) for t, other in folds) / 2
    wanted = (results["metric"] == "WAR") & results["source"].str.startswith("Table")
    return pd.DataFrame(
        [
            {k: row[k] for k in ("source", "method", "printed")} | _beside(row, sets, most, hde)
            for _, row in results[wanted].iterrows()
        ]
    )


def audit(results: pd.DataFrame | None = None, counts: pd.DataFrame | None = None) -> dict:
    """All tables of the audit page by name, recomputed from the published numbers.

    Parameters
    ----------
    results : pandas.DataFrame, optional
        What `load_printed` returns.
    counts : pandas.DataFrame, optional
        What `load_counts` returns.
    """
    results = load_printed() if results is None else results
    counts = load_counts() if counts is None else counts
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
