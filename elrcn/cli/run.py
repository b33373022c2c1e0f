"""`elrcn list` and `elrcn run`."""

from __future__ import annotations

import sys

import click

from elrcn.cli.options import session_options, weights_options, yes
from elrcn.errors import ElrcnError


@click.command("list")
def list_experiments():
    """List the experiments: name, what of the paper it is, protocol, methods."""
    from elrcn.experiments import GROUPS, REGISTRY

    for e in REGISTRY.values():
        also = "".join(f", {f.paper}" for f in e.figures)
        # What is measured in another way names its protocols in its title.
        protocol = "" if e.maps else f" · {e.task.protocol}"
        if e.task.ablation:
            protocol += " (groups of subjects in the small profiles)"
        click.echo(f"{e.name:<10} {e.paper}{also}: {e.title}{protocol}")
        does = "measured on" if e.maps else "methods"
        click.echo(f"{'':<10} {does}: {', '.join(m.name for m in e.methods)}")
    for name, members in GROUPS.items():
        click.echo(f"{name:<10} all of: {', '.join(members)}")


@click.command("run")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--method", "methods", multiple=True, help="Only this method; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would run and what it takes, and stop.")
@yes
@weights_options
@click.option("--probe/--no-probe", default=True, show_default=True,
              help="Time a few training steps here for the estimate.")  # fmt: skip
@click.option("--gpu-tflops", default=312.0, show_default=True, type=click.FloatRange(min=0.1),
              help="Dense bf16 TFLOP/s of the GPU meant in the estimate.")  # fmt: skip
@click.option("--gpu-share", default=0.3, show_default=True, type=click.FloatRange(0.01, 1),
              help="Share of them that training reaches.")  # fmt: skip
@click.option("--seeds", default=0, metavar="N", type=click.IntRange(min=0),
              help="Only the first N seeds of an experiment that repeats its networks under "
              "several (Tables I and III: three); 0: all.")  # fmt: skip
@session_options
def run(session, remarks, experiments, methods, dry_run, yes, start, probe, gpu_tflops, gpu_share,
        seeds):  # fmt: skip
    """Run EXPERIMENTS (names of `elrcn list`) and print their scores.

    A fold is stored the moment it ends; a second run trains only what is missing. The profile
    paper says first what it will take, and asks before it starts on a CPU.

    \b
    Examples:
      elrcn run table1
      elrcn run table1 --method elrcn_se --profile smoke
      elrcn run tables --seeds 1
      elrcn run tables --profile paper --dry-run
      elrcn run tables --profile paper --casme2 DIR --samm DIR --vggface FILE
    """
    from elrcn.config import VGGConfig
    from elrcn.experiments import REGISTRY, Options, experiment_names, plan
    from elrcn.experiments.starts import weights_source

    names = experiment_names(experiments)
    chosen = _chosen_methods(names, methods)
    # Weights that are missing are told before anything else, but do not stop a dry run.
    unmet = None
    if any(m.starts_from_weights for ms in chosen.values() for m in ms):
        try:
            weights_source(session, start)
        except ElrcnError as error:
            if not dry_run:
                raise
            unmet, start = error, Options("none")
    plans = {}
    if dry_run or session.profile.vgg == VGGConfig():
        plans = _plans(session, names, seeds)
        hours = _tell(session, plans, methods, start, probe, gpu_tflops * 1e12, gpu_share)
        if unmet:
            click.echo(f"before it can run: {unmet}")
        if session.has_read:
            remarks.tell()
        if dry_run:
            return
        _ask(session, hours, yes)
        # Of a corpus that was not made yet the plans were foreseen only.
        plans = plans if session.has_read else {}
    for name in names:
        remarks.tell()
        if chosen[name] and REGISTRY[name].maps:
            _measure_maps(session, REGISTRY[name])
        elif chosen[name]:
            p = plans.get(name) or plan(name, session, seeds)
            _run_one(session, p, [m.name for m in chosen[name]], start)
    remarks.tell()


def _chosen_methods(names, methods) -> dict:
    """Methods chosen of each experiment; one that no experiment has is a mistake."""
    from elrcn.experiments import REGISTRY

    every = {m.name for name in names for m in REGISTRY[name].methods}
    for method in methods:
        if method not in every:
            raise ElrcnError(
                f"{' and '.join(names)}: there is no method {method!r}.",
                fix=f"choose among: {', '.join(sorted(every))}",
            )
    return {
        name: [m for m in REGISTRY[name].methods if not methods or m.name in methods]
        for name in names
    }


def _plans(session, names, seeds) -> dict:
    """Plans of the experiments; no corpus is made yet, the clips it will have are taken."""
    from elrcn.corpus.write import is_finished
    from elrcn.estimate import planned_manifest
    from elrcn.experiments import plan, plan_manifest

    if not session.given and not is_finished(session.embedded_folder):
        clips = planned_manifest(session.profile.corpus)
        return {name: plan_manifest(name, clips, session.profile, seeds) for name in names}
    return {name: plan(name, session, seeds) for name in names}


def _tell(session, plans, methods, start, probe, peak, share) -> float | None:
    """Print the estimate; return the hours on this machine if they were measured."""
    from elrcn.estimate import estimate, render_text, time_training

    data = session.data if session.has_read else "synthetic dataset, not yet made"
    for p in plans.values():
        click.echo(_headline(p, session, data))
        if p.experiment.maps:
            click.echo("networks that are not kept are trained; the estimate is of this protocol")
    value = estimate(list(plans.values()), session, methods, start)
    speeds = time_training(value.stages, session) if probe and value.stages else None
    click.echo(render_text(value, session.device, speeds, peak, share))
    return value.measured_hours(speeds) if speeds else None


def _ask(session, hours, yes) -> None:
    if session.device != "cpu" or yes:
        return
    from elrcn.estimate import duration

    takes = f" and takes up to {duration(hours)} on it" if hours else ""
    what = f"The profile {session.profile.name!r} is made for a GPU; this machine has a CPU{takes}."
    if not sys.stdin.isatty():
        raise ElrcnError(
            what,
            fix="add --yes to start all the same, use a machine with a GPU, or --profile demo",
        )
    click.confirm(f"{what} Start?", abort=True)


def _headline(p, session, data: str) -> str:
    return (
        f"{p.experiment.paper}: {p.experiment.title}\n{len(p.manifest)} clips ({data}), "
        f"{len(p.folds)} folds, {p.protocol}, profile {session.profile.name}, "
        f"device {session.device}"
    )


def _run_one(session, p, methods, start) -> None:
    from elrcn.evaluation.metrics import by_seed
    from elrcn.experiments import run as run_experiment
    from elrcn.experiments.plans import convergence_note

    click.echo(_headline(p, session, session.data))
    results = run_experiment(p, session, methods, start)
    click.echo(f"\n{'method':<12} {'WAR':>7} {'UAR':>7} {'UF1':>7} {'F1*':>7}")
    for method, rows in results.items():
        s = p.experiment.scores(rows)
        line = f"{s['war']:7.4f} {s['uar']:7.4f} {s['uf1']:7.4f} {s['authors_f1']:7.4f}"
        seeds = [f"{p.experiment.scores(part)['uar']:.4f}" for part in by_seed(rows).values()]
        if len(seeds) > 1:
            line += f"  mean of {len(seeds)} seeds, UAR {', '.join(seeds)}"
        click.echo(f"{method:<12} {line}")
    if note := convergence_note(results, p.methods):
        click.echo(note)
    pooled = "mean of the folds' scores" if p.experiment.task.per_fold else "all folds pooled"
    click.echo(f"{pooled}; F1*: the authors' F1, harmonic mean of macro precision and recall\n")


def _measure_maps(session, experiment) -> None:
    """Run an experiment whose result is not a table of prediction rows; print its few numbers."""
    from elrcn.experiments.attention import measure, summarise

    session.require(*experiment.task.databases)
    click.echo(f"{experiment.paper}: {experiment.title}")
    table = measure(session)
    about = f"{len(table)} measurements ({session.data}), profile {session.profile.name}"
    click.echo(f"{about}, device {session.device}\n")
    short = summarise(table)
    if short.empty:
        click.echo("no scores: these data lack what they are measured against\n")
        return
    click.echo(short.to_string(index=False, float_format="{:.4f}".format, na_rep="-") + "\n")


COMMANDS = {"list": list_experiments, "run": run}
