"""An estimate as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from elrcn.estimate.probe import Speed
from elrcn.estimate.stages import Stage
from elrcn.estimate.totals import GPU_PEAK, GPU_SHARE, Estimate, MethodEstimate


def duration(hours: float) -> str:
    """Hours as a person says them: "40 s", "12 min", "5.2 h", "31 days"."""
    if hours * 3600 < 90:
        return f"{max(1, round(hours * 3600))} s"
    if hours < 1.5:
        return f"{hours * 60:.0f} min"
    if hours < 72:
        return f"{hours:.1f} h"
    return f"{hours / 24:,.0f} days"


def size(count: float) -> str:
    """Bytes in decimal units, such as "0.55 GB"."""
    if count >= 1e8:
        return f"{count / 1e9:,.2f} GB"
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def render_text(
    value: Estimate,
    device: str,
    speeds: Mapping[str, Speed] | None = None,
    peak: float = GPU_PEAK,
    share: float = GPU_SHARE,
) -> str:
    """Estimate as lines of text: methods with their networks, then hours, disk and memory.

    Parameters
    ----------
    value : Estimate
        From `elrcn.estimate.estimate`.
    device : str
        Where the run would be.
    speeds : mapping of str to Speed, optional
        From `elrcn.estimate.measure`; hours on this machine are left out without them.
    peak, share : float
        Assumption behind the hours on a GPU: operations a second, and the share reached.
    """
    lines = []
    for method in value.methods:
        lines += _method_lines(method)
    hours = value.gpu_hours(peak, share)
    if value.stages:
        lines.append(
            f"time on one GPU: at most {duration(hours)}, every training with all its epochs; "
            f"{sum(m.flops for m in value.methods):.2g} operations at {share:.0%} of "
            f"{peak / 1e12:g} TFLOP/s (bf16)"
        )
        if speeds:
            lines.append(
                f"time here ({device}): at most {duration(value.measured_hours(speeds))}, from a "
                f"few training steps timed just now, {value.at_once} "
                f"fold{'s' if value.at_once > 1 else ''} at once as if alone"
            )
        lines.append(
            "  not counted: flow, handcrafted features and support vector machines, minutes; early "
            "stopping, less"
        )
    else:
        lines.append("time: no network remains to be trained")
    used = {name: count for name, count in value.disk.items() if count}
    lines.append(f"disk: at most {size(sum(used.values()))}")
    lines += [f"  {name}: {size(count)}" for name, count in used.items()]
    lines.append(
        f"memory at the peak: about {size(value.host)} here"
        + (f" with {value.at_once} folds at once" if value.at_once > 1 and device == "cpu" else "")
        + (f", about {size(value.device)} of a GPU's own" if value.device else "")
        + "; clips are read one by one, a database is never held whole"
    )
    return "\n".join(lines)


def _method_lines(method: MethodEstimate) -> list[str]:
    clips, steps, *rest = method.shape
    lines = [
        f"{method.experiment} {method.method}: {method.folds} folds, {method.stored} of them "
        f"stored; input {clips} clips x {steps} x {' x '.join(map(str, rest))}"
    ]
    alike: dict[str, list[Stage]] = {}
    for stage in method.stages:
        alike.setdefault(f"{stage.key} {stage.cost} {stage.shared}", []).append(stage)
    for group in alike.values():
        stage = group[0]
        names = ", ".join(s.name for s in group) + (", each" if len(group) > 1 else "")
        flops = f"{stage.cost.training_flops / 1e9:,.3g}"
        text = f"  {names}: {stage.cost.shape}, {stage.cost.parameters:,} parameters"
        if not stage.trains:
            lines.append(f"{text}, applied to {stage.applied:,} samples and not trained")
            continue
        if stage.samples:
            text += (
                f", {flops} GFLOP a sample in training; at most {stage.train.max_epochs} epochs of "
                f"{max(stage.samples):,} samples, batches of {stage.train.batch_size}, "
                f"lr {stage.train.lr:g}"
            )
        if stage.shared:
            text += f"; {stage.shared} folds' networks are those of a method above"
        lines.append(text)
    return lines
