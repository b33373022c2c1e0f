"""What a run will take, before it starts: operations, hours, disk and memory at most."""

from elrcn.estimate.probe import Speed, measure
from elrcn.estimate.stages import Stage, stages
from elrcn.estimate.text import duration, render_text
from elrcn.estimate.totals import GPU_PEAK, GPU_SHARE, Estimate, MethodEstimate, estimate

__all__ = [
    "GPU_PEAK",
    "GPU_SHARE",
    "Estimate",
    "MethodEstimate",
    "Speed",
    "Stage",
    "duration",
    "estimate",
    "measure",
    "render_text",
    "stages",
]
