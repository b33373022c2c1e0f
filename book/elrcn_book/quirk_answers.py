"""What each switch of the authors' code did here, in a table and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from elrcn.config import Profile, TrainConfig, VGGConfig
from elrcn.experiments import EMOTION_LOSO, Method, Plan
from elrcn.experiments.quirks import (
    BASES,
    FROZEN,
    SUBSTRING,
    TOGETHER,
    TOGETHER_SCALED,
    Switch,
    base_of,
    switch_of,
)
from elrcn_book.comparison import ALPHA, comparison_table, p_text, verdict
from elrcn_book.html import interval_text

#: Share of answers equal to their fold's commonest from which a network says one thing only.
COLLAPSE = 0.95
_ALL = (TOGETHER.name, TOGETHER_SCALED.name)


def one_answer(rows: pd.DataFrame) -> float:
    """Share of the clips that are given the commonest answer of their fold; 1 for a constant.

    A fold of one clip has one answer whatever the network, so only folds of two clips or more
    count; NaN if there are none.
    """
    answers = rows.groupby("fold")["predicted"]
    commonest = answers.agg(lambda said: said.value_counts().iloc[0])[answers.size() > 1]
    counted = answers.size()[commonest.index].sum()
    return commonest.sum() / counted if counted else float("nan")


def unsettled(results: Mapping[str, pd.DataFrame], methods: Sequence[Method]) -> dict[str, str]:
    """Find the switches whose effect cannot be told from these results, with the reason.

    Parameters
    ----------
    results, methods
        As for `switch_differences`.

    Returns
    -------
    dict of str to str
        Method name to reason: a network that gives (almost) one answer a fold has collapsed, and
        what it scores then is no effect of what the switch is about; if the network without a
        switch has, that holds for its whole family; labels that do not change on the clips at
        hand have no effect.
    """
    found = {}
    for method in methods:
        if not base_of(method) or method.name not in results:
            continue
        rows, base = results[method.name], results[base_of(method).name]
        share, share_base = one_answer(rows), one_answer(base)
        if share_base >= COLLAPSE:
            found[method.name] = (
                f"the network without a switch collapses to one answer a fold ({share_base:.0%} "
                "of its answers), so no switch can be measured against it"
            )
        elif share >= COLLAPSE:
            found[method.name] = (
                f"the network collapses to one answer a fold ({share:.0%} of its answers), which "
                "is no finding"
            )
        elif switch_of(method).name == SUBSTRING.name and rows["true"].equals(base["true"]):
            found[method.name] = "no label of the clips at hand changes, so it cannot be measured"
    return found


def switch_differences(
    results: Mapping[str, pd.DataFrame],
    methods: Sequence[Method],
    classes: Sequence[str],
    metric: str = "uar",
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every switch with its family without a switch, on the same clips and labels.

    Where a switch changes labels, its network, trained on the changed ones, is scored on those of
    the sheet here, so that the difference is the network's and not the labels'.

    Parameters
    ----------
    results : mapping of str to DataFrame
        Method name to prediction rows.
    methods : sequence of Method
        Those of the experiment ``quirks``.
    classes : sequence of str
        All classes of the task.
    metric, draws, seed
        As for `elrcn_book.comparison.comparison_table`.

    Returns
    -------
    DataFrame
        Columns of `comparison_table` (`first` the switch, `second` the unswitched network), then
        `group` and `switch` (its name). Holm's correction is over all rows, both families.
        Switches that `unsettled` names have no row; ``attrs["unsettled"]`` holds them.
    """
    left_out = unsettled(results, methods)
    switched = [m for m in methods if base_of(m) and m.name in results and m.name not in left_out]
    pairs = []
    for m in switched:
        base = results[base_of(m).name]
        truth = results[m.name]["clip_id"].map(base.set_index("clip_id")["true"])
        pairs.append((m.label, results[m.name].assign(true=truth), base_of(m).label, base))
    table = comparison_table(pairs, classes, metric, draws=draws, seed=seed)
    table["group"] = [m.group for m in switched]
    table["switch"] = [switch_of(m).name for m in switched]
    table.attrs["unsettled"] = left_out
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
        in words ("" where it was not run; why, where nothing can be told).
    """
    switches = {s.name: s for s in map(switch_of, methods) if s is not None}
    done = differences.set_index(["switch", "group"])
    left_out = differences.attrs["unsettled"]
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
            key, reason = (name, base.group), left_out.get(f"{base.name}-{name}", "")
            row[base.group] = _cell(done.loc[key]) if key in done.index else reason
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    ends = interval_text(row["low"], row["high"], "+.2f", "")
    return f"{verdict(row)}: {row['difference']:+.3f} ({ends})"


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
_HEADS = {"paper": "Paper", "code": "Code", "known": "Known"}


def family(differences: pd.DataFrame, group: str) -> pd.DataFrame:
    """Rows of one family, to be drawn by `elrcn_book.comparison.comparison_figure`."""
    part = differences[differences["group"] == group].reset_index(drop=True)
    part.attrs = dict(differences.attrs)
    return part


def answer(scores: pd.DataFrame, differences: pd.DataFrame, chance: float) -> str:
    """Say in Markdown, from the numbers alone, what the switches do to each network.

    Parameters
    ----------
    scores : DataFrame
        From `elrcn_book.ablation.ablation_table`.
    differences : DataFrame
        From `switch_differences`, in UAR.
    chance : float
        UAR of guessing.
    """
    lines = []
    for base in BASES:
        part = family(differences, base.group)
        own = scores[scores["group"] == base.group].set_index("method")
        if base.label not in own.index:
            continue
        lines.append(_family_answer(base, part, own, chance))
    return "\n\n".join(lines)


def standing(differences: pd.DataFrame, methods: Sequence[Method]) -> str:
    """Say in Markdown what is established, what is a candidate, and what is not settled here.

    Parameters
    ----------
    differences : DataFrame
        From `switch_differences`.
    methods : sequence of Method
        Those of the experiment.
    """
    alone = differences[~differences["switch"].isin(_ALL)]
    lower = alone[(alone["high"] < 0) & (alone["p_holm"] < ALPHA)]
    listed = "; ".join(f"*{row['first']}* in *{row['group']}*" for _, row in lower.iterrows())
    found = (
        f"Alone, these lower the score here, after correction for all comparisons: {listed}."
        if listed
        else "Alone, no switch could be measured here."
        if alone.empty
        else "Alone, no switch lowers the score here once corrected for all comparisons."
    )
    known = {method.name: method for method in methods}
    open_ = "; ".join(
        f"*{known[name].label}* in *{known[name].group}*: {reason}"
        for name, reason in differences.attrs["unsettled"].items()
    )
    return "\n\n".join(
        [
            "**Established.** That the code departs from the text as the table above says: it can "
            "be read there. That its labels are those by part of the name follows from a user's "
            "UAR as well. How much of the scores any of it costs on recordings does not follow.",
            f"**Candidates.** {found} *{FROZEN.label.capitalize()}*{_measured(alone, FROZEN)} is a "
            "candidate by its date: the paper's networks were probably fine-tuned whole, those of "
            "people who ran the code later were not. A candidate is no explanation.",
            f"**Not settled here.** {open_}." if open_ else "",
        ]
    ).strip()


def protocol_note(p: Plan) -> str:
    """Say in Markdown by which protocol the page measures, and whether it is that of Table I."""
    if p.protocol == EMOTION_LOSO.protocol:
        return f"Protocol: {p.protocol}, as in Table I."
    return (
        f"Protocol: {p.protocol}. **This is not the protocol of Table I**, which leaves out one "
        "subject at a time: models here are trained on fewer subjects, and scores of this page "
        "are to be compared with each other, not with those of Table I."
    )


def reservations(synthetic: bool, profile: Profile) -> str:
    """Say in Markdown what the answer does not settle, by the data and the profile of the run.

    Parameters
    ----------
    synthetic : bool
        Whether clips are those of the synthetic dataset.
    profile : Profile
        Its network and learning rate are held against the paper's.
    """
    text = []
    if synthetic:
        text.append("The clips are synthetic: few, simple, of faces that are drawn.")
    if profile.vgg != VGGConfig():
        rate = profile.spatial_train.lr / TrainConfig().lr
        text.append(
            f"The network is a miniature, trained with {rate:,.0f} times the paper's learning rate "
            "and fine-tuned from synthetic faces instead of VGG-Face. At that rate raw levels are "
            "another experiment than in the code, whatever comes out."
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
        f"({interval_text(plain['uar_low'], plain['uar_high'], '.2f')}), "
        f"{_place(plain, chance)} guessing ({chance:.2f})."
    ]
    if plain["uar"] <= chance or plain["uar_low"] <= chance:
        text.append("So nothing can be told from a switch that lowers it.")
    for _, row in part[part["switch"].isin(_ALL)].iterrows():
        score = own.loc[row["first"]]
        text.append(
            f"With *{row['first']}* it is {score['uar']:.3f} ({_said(row)}), "
            f"{_place(score, chance)} guessing."
        )
    alone = part[~part["switch"].isin(_ALL)]
    apart = alone[alone["p_holm"] < ALPHA]
    if part.empty:
        text.append("None of its switches could be measured against it here.")
    elif alone.empty:
        pass
    elif apart.empty:
        text.append(
            f"Of the {len(alone)} switches alone none differs significantly from no switch, once "
            f"corrected for all comparisons; the largest change is that of "
            f"*{_largest(alone)['first']}* ({_said(_largest(alone))})."
        )
    else:
        listed = "; ".join(f"*{row['first']}* ({_said(row)})" for _, row in apart.iterrows())
        text.append(f"Of the {len(alone)} switches alone, these differ from no switch: {listed}.")
    return " ".join(text)


def _measured(part: pd.DataFrame, switch: Switch) -> str:
    said = "; ".join(_said(row) for _, row in part[part["switch"] == switch.name].iterrows())
    return f" ({said})" if said else ""


def _said(row: pd.Series) -> str:
    return (
        f"{row['difference']:+.3f}, {interval_text(row['low'], row['high'], '+.2f', 'interval ')}, "
        f"{p_text(row['p_holm'])} after Holm's correction"
    )


def _place(row: pd.Series, chance: float) -> str:
    if pd.isna(row["uar_low"]):
        return "beside"
    if row["uar_low"] > chance:
        return "above"
    return "below" if row["uar_high"] < chance else "not significantly apart from"


def _largest(part: pd.DataFrame) -> pd.Series:
    return part.loc[part["difference"].abs().idxmax()]


def _title(group: str) -> str:
    return group[:1].upper() + group[1:]
