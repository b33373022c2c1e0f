"""`elrcn train`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from elrcn.cli.options import session_options
from elrcn.errors import ElrcnError

HELD_OUT = (
    "Trained on all clips of the task: no subject was held out, so this model has no score. The "
    "scores of its method come from leave-one-subject-out folds: see `elrcn run`."
)


def _about(plan, method, config, session) -> dict:
    """Everything a user of the model should know, as JSON values."""
    from elrcn.config import canonical
    from elrcn.files import code_hash, library_versions
    from elrcn.report.notice import data_origin

    origin = data_origin(plan.manifest)
    kinds = {"synthetic" if made else "licensed" for made in origin.synthetic.values()}
    frames = plan.manifest.table["frames"].map(len)
    labels = plan.labels.tolist()
    return {
        "label": method.label,
        "experiment": plan.experiment.name,
        "method": method.name,
        "task": plan.experiment.task.name,
        "data": {
            "origin": "mixed" if len(kinds) > 1 or origin.mixture else kinds.pop(),
            "label": origin.label,
            "clips": origin.clips,
            "subjects": origin.subjects,
        },
        "clips": len(plan.manifest),
        "subjects": int(plan.manifest.table["subject"].nunique()),
        "frames_per_clip": [int(frames.min()), int(frames.max())],
        "class_counts": {name: labels.count(name) for name in plan.classes},
        "evaluation": HELD_OUT,
        "profile": session.profile.name,
        "preprocess": canonical(config),
        "seed": session.seed,
        "device": session.device,
        "manifest": plan.manifest.hash,
        "versions": library_versions(),
        "code": code_hash("models", "preprocess"),
    }


def _find_method(experiment, name: str):
    from elrcn.experiments.methods import SE, TE

    able = {m.name: m for m in experiment.methods if m in (SE, TE)}
    if name not in able:
        known = any(m.name == name for m in experiment.methods)
        raise ElrcnError(
            f"A model of method {name!r} cannot be saved; only networks can."
            if known
            else f"{experiment.paper} has no method {name!r}.",
            fix=f"choose one of: {', '.join(able)}",
        )
    return able[name]


def _find_experiment(name: str):
    """Return an experiment by its name ("table1") or by the paper's ("Table I")."""
    from elrcn.experiments import REGISTRY, get_experiment

    for experiment in REGISTRY.values():
        if name.casefold() == experiment.paper.casefold():
            return experiment
    return get_experiment(name)


def _check_out(folder: Path) -> None:
    """Refuse before the training what could not be saved after it."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ElrcnError("There is something here already.", where=folder, fix="name a new folder")
    above = next(p for p in folder.absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise ElrcnError("A folder cannot be made here.", where=folder, fix="name another folder")


def _check_time(session, yes: bool) -> None:
    from elrcn.config import VGGConfig

    if session.profile.vgg == VGGConfig() and session.device == "cpu" and not yes:
        raise ElrcnError(
            "Training the full VGG-16 on a CPU takes days or weeks.",
            fix="use a machine with a GPU, a smaller --profile, or --yes to start all the same; "
            "`elrcn run table1 --profile paper --dry-run` estimates the hours",
        )


@click.command("train")
@click.argument("experiment")
@click.option("--method", default="elrcn_se", show_default=True, help="elrcn_se or elrcn_te.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder.")
@click.option("--yes", is_flag=True, help="Start even if it will take days on this machine.")
@click.option(
    "--pretrained",
    default="auto",
    show_default=True,
    help="What ELRCN-TE starts from: vggface, synthetic or none; see `elrcn run --help`.",
)
@click.option("--vggface", default="", metavar="FILE", help="VGG-Face weights (for elrcn_te).")
@click.option("--channel-order", default="auto", show_default=True, help="auto, rgb or bgr.")
@session_options
def train(session, remarks, experiment, method, out, yes, pretrained, vggface, channel_order):
    """Train a method on all clips of EXPERIMENT and save the model in a new folder.

    The folder holds the weights (model.safetensors) and what they were trained on (card.json).
    No subject is held out: for scores use `elrcn run`.

    \b
    Examples:
      elrcn train table1 --out models/se
      elrcn train table1 --method elrcn_te --out models/te --profile paper --casme2 DIR
      elrcn predict models/se my-video.mp4
    """
    from elrcn.experiments import Options, plan
    from elrcn.experiments.starts import weights_source
    from elrcn.models.saved import save_model
    from elrcn.prediction import training_statement

    out = out.expanduser()
    chosen = _find_experiment(experiment)
    how = _find_method(chosen, method)
    options = Options(pretrained, vggface, channel_order)
    weights = weights_source(session, options) if how.starts_from_weights else "none"
    _check_out(out)
    _check_time(session, yes)
    p = plan(chosen, session)
    remarks.tell()
    config = how.preprocess(session.profile.preprocess)
    estimator = how.build(session, options)
    wanted = {"random_state": session.seed, "progress": session.progress}
    known = estimator.get_params(deep=False)
    estimator.set_params(**{name: value for name, value in wanted.items() if name in known})
    estimator.fit(session.stacks(p.manifest, config), p.labels)
    about = {**_about(p, how, config, session), "initial_weights": weights}
    folder = save_model(estimator, out, about=about)
    statement = training_statement({"kind": type(estimator).__name__, "about": about})
    click.echo(f"{statement}\n{HELD_OUT}\nsaved: {folder}")
    remarks.tell()


COMMANDS = {"train": train}
