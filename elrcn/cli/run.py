"""`elrcn list` and `elrcn run`."""

from __future__ import annotations

import click

from elrcn.cli.options import session_options


@click.command("list")
def list_experiments():
    """List the experiments: name, what of the paper it is, protocol, methods."""
    from elrcn.experiments import REGISTRY

    for e in REGISTRY.values():
        click.echo(f"{e.name:<10} {e.paper:<10} {e.title} · {e.task.protocol}")
        click.echo(f"{'':<21} methods: {', '.join(m.name for m in e.methods)}")


@click.command("run")
@click.argument("experiment")
@click.option("--method", "methods", multiple=True, help="Only this method; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Say what would run, and stop.")
@session_options
def run(session, experiment: str, methods: tuple[str, ...], dry_run: bool):
    """Run EXPERIMENT and print its scores, pooled over all folds.

    A fold is stored the moment it ends; a second run trains only what is missing.

    \b
    Examples:
      elrcn run table1
      elrcn run table1 --method elrcn_se --profile smoke
      elrcn run table1 --profile paper --casme2 DIR --samm DIR
    """
    from elrcn.evaluation.metrics import scores
    from elrcn.experiments import plan
    from elrcn.experiments import run as run_experiment

    p = plan(experiment, session)
    data = "synthetic corpus" if session.synthetic else "databases given"
    click.echo(
        f"{p.experiment.paper}: {p.experiment.title}\n{len(p.manifest)} clips ({data}), "
        f"{len(p.folds)} folds, {p.protocol}, profile {session.profile.name}, "
        f"device {session.device}"
    )
    if dry_run:
        return
    results = run_experiment(experiment, session, methods)
    click.echo(f"\n{'method':<12} {'WAR':>7} {'UAR':>7} {'UF1':>7} {'F1*':>7}")
    for name, rows in results.items():
        s = scores(rows["true"], rows["predicted"], p.classes)
        click.echo(
            f"{name:<12} {s['war']:7.4f} {s['uar']:7.4f} {s['uf1']:7.4f} {s['authors_f1']:7.4f}"
        )
    click.echo("F1*: the authors' F1, harmonic mean of macro precision and macro recall")


COMMANDS = {"list": list_experiments, "run": run}
