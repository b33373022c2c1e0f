"""What each switch of the authors' code did here, in a table and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from elrcn.config import Profile, TrainConfig, VGGConfig
from elrcn.experiments.methods import Method
from elrcn.experiments.quirks import BASES, base_of, switch_of
from elrcn.experiments.switches import TOGETHER, TOGETHER_SCALED
from elrcn.report.comparison import comparison_table, p_text, verdict


def switch_differences(
    results: Mapping[str, pd.DataFrame],
    methods: Sequence[Method],
    classes: Sequence[str],
    metric: str = "uar",
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every switch with its family without a switch, on the same clips.

    Parameters
    ----------
    results : mapping of str to DataFrame
        Method name to prediction rows.
    methods : sequence of Method
        Those of the experiment ``quirks``.
    classes : sequence of str
        All classes of the task.
    metric, draws, seed
        As for `elrcn.report.comparison.comparison_table`.

    Returns
    -------
    DataFrame
        Columns of `comparison_table` (`first` the switch, `second` the unswitched network), then
        `group` and `switch` (its name). Holm's correction is over all rows, both families.
    """
    switched = [m for m in methods if base_of(m) and m.name in results]
    pairs = [
        (m.label, results[m.name], base_of(m).label, results[base_of(m).name]) for m in switched
    ]
    table = comparison_table(pairs, classes, metric, draws=draws, seed=seed)
    table["group"] = [m.group for m in switched]
    table["switch"] = [switch_of(m).name for m in switched]
    return table


def switches_table(differences: pd.DataFrame, methods: Sequence[Method]) -> pd.DataFrame:
    """List every switch: the paper, the code, since when it is known, and what it did here.

    Parameters
    ----------
    differences : DataFrame
        From `switch_differences`.
    methods : sequence of Method
        Those of the experiment.

    Returns
    -------
    DataFrame
        Columns `switch`, `option`, `paper`, `code`, `known` and one a family with the difference
        in words ("" where it was not run).
    """
    switches = {s.name: s for s in map(switch_of, methods) if s is not None}
    done = differences.set_index(["switch", "group"])
    rows = []
    for name, switch in switches.items():
        row = {
            "switch": switch.label,
            "option": switch.option,
            "paper": switch.paper,
            "code": switch.code,
            "known": switch.known,
        }
        for base in BASES:
            key = (name, base.group)
            row[base.group] = _cell(done.loc[key]) if key in done.index else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    word = verdict(row["low"], row["high"])
    return f"{word}: {row['difference']:+.3f} ({row['low']:+.2f} to {row['high']:+.2f})"


def switches_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of `switches_table` in two columns, so that its sentences fit a narrow page."""
    lines = [f'<table id="{escape(uid)}" style="font-size:.85rem">', "<tbody>"]
    heads = [column for column in table.columns if column not in ("switch", "option")]
    for _, row in table.iterrows():
        lines.append(
            f'<tr><th scope="rowgroup" colspan="2"{_PAD}>{escape(row["switch"])}<br>'
            f"<code>{escape(row['option'])}</code></th></tr>"
        )
        for head in heads:
            if row[head]:
                title = _HEADS.get(head, f"Here, {head}")
                lines.append(
                    f'<tr><th scope="row"{_PAD}>{escape(title)}</th>'
                    f"<td{_PAD}>{escape(row[head])}</td></tr>"
                )
    return "\n".join([*lines, "</tbody>", "</table>"])


_PAD = ' style="padding:.25em .45em; text-align:left; vertical-align:top"'
_NOTHING_LEFT = "nothing of what was above guessing is left"
_HEADS = {"paper": "Paper", "code": "Code", "known": "Known"}


def family(differences: pd.DataFrame, group: str) -> pd.DataFrame:
    """Rows of one family, to be drawn by `elrcn.report.comparison.comparison_figure`."""
    part = differences[differences["group"] == group].reset_index(drop=True)
    part.attrs = dict(differences.attrs)
    return part


def answer(scores: pd.DataFrame, differences: pd.DataFrame, chance: float) -> str:
    """Say in Markdown, from the numbers alone, how far the switches explain half the score.

    Parameters
    ----------
    scores : DataFrame
        From `elrcn.report.ablation.ablation_table`.
    differences : DataFrame
        From `switch_differences`, in UAR.
    chance : float
        UAR of guessing.
    """
    lines = []
    for base in BASES:
        part = family(differences, base.group)
        own = scores[scores["group"] == base.group].set_index("method")
        if part.empty or base.label not in own.index:
            continue
        lines.append(_family_answer(base, part, own, chance))
    return "\n\n".join(lines)


def reservations(synthetic: bool, profile: Profile) -> str:
    """Say in Markdown what the answer does not settle, by the data and the profile of the run.

    Parameters
    ----------
    synthetic : bool
        Whether clips are those of the embedded corpus.
    profile : Profile
        Its network and learning rate are held against the paper's.
    """
    text = []
    if synthetic:
        text.append(
            "The clips are synthetic: few, simple, of faces that are drawn. A switch that does "
            "harm here is likely to do some on recordings; one that does none here may do so there."
        )
    if profile.vgg != VGGConfig():
        rate = profile.spatial_train.lr / TrainConfig().lr
        text.append(
            f"The network is a miniature, trained with {rate:,.0f} times the paper's learning rate "
            "and fine-tuned from synthetic faces instead of VGG-Face. Raw levels weigh more with a "
            "large learning rate."
        )
    text.append(
        "The switches are about the code as published: if the authors obtained their scores with "
        "another version of it, no switch can bring these back."
    )
    return " ".join(text)


def _family_answer(base: Method, part: pd.DataFrame, own: pd.DataFrame, chance: float) -> str:
    plain = own.loc[base.label]
    text = [
        f"**{_title(base.group)}.** Without a switch the UAR is {plain['uar']:.3f} "
        f"(95% interval {plain['uar_low']:.2f} to {plain['uar_high']:.2f}), "
        f"{_place(plain, chance)} guessing ({chance:.2f})."
    ]
    by_switch = part.set_index("switch")
    if TOGETHER.name in by_switch.index:
        text.append(_together(by_switch.loc[TOGETHER.name], own.loc[TOGETHER.label], plain, chance))
    if TOGETHER_SCALED.name in by_switch.index:
        scaled = by_switch.loc[TOGETHER_SCALED.name]
        text.append(
            f"With the input standardised and everything else as in the code it is "
            f"{own.loc[TOGETHER_SCALED.label, 'uar']:.3f} ({_said(scaled)})."
        )
    alone = part[~part["switch"].isin([TOGETHER.name, TOGETHER_SCALED.name])]
    apart = alone[(alone["low"] > 0) | (alone["high"] < 0)]
    if apart.empty:
        text.append(
            f"None of the {len(alone)} switches alone is told apart from no switch; "
            f"the largest change is that of *{_largest(alone)['first']}* "
            f"({_said(_largest(alone))})."
        )
    else:
        listed = "; ".join(f"*{row['first']}* ({_said(row)})" for _, row in apart.iterrows())
        text.append(f"Of the {len(alone)} switches alone, told apart from no switch: {listed}.")
        if not (apart["p_holm"] < 0.05).any():
            text.append("None of them stays below p = 0.05 once corrected for all comparisons.")
    return " ".join(text)


def _together(row: pd.Series, score: pd.Series, plain: pd.Series, chance: float) -> str:
    text = (
        f"With all switches, as the code ran, it is {score['uar']:.3f} ({_said(row)}), "
        f"{_place(score, chance)} guessing"
    )
    if chance < plain["uar"] and score["uar"] < plain["uar"]:
        lost = (plain["uar"] - score["uar"]) / (plain["uar"] - chance)
        gone = f"{lost:.0%} of what was above guessing is gone" if lost < 1 else _NOTHING_LEFT
        text += f"; that is {score['uar'] / plain['uar']:.0%} of the score, and {gone}"
    return f"{text}."


def _said(row: pd.Series) -> str:
    return (
        f"{row['difference']:+.3f}, interval {row['low']:+.2f} to {row['high']:+.2f}, "
        f"{p_text(row['p_holm'])} after Holm's correction"
    )


def _place(row: pd.Series, chance: float) -> str:
    if row["uar_low"] > chance:
        return "above"
    return "below" if row["uar_high"] < chance else "not told apart from"


def _largest(part: pd.DataFrame) -> pd.Series:
    return part.loc[part["difference"].abs().idxmax()]


def _title(group: str) -> str:
    return group[:1].upper() + group[1:]
