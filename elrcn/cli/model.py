"""`elrcn train` and `elrcn predict`: a model on all clips, and its answer to a recording."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import click

from elrcn.cli import options
from elrcn.errors import ElrcnError

HELD_OUT = (
    "Trained on all clips of the task: no subject was held out, so this model has no score. The "
    "scores of its method come from leave-one-subject-out folds: see `elrcn run`."
)
_WIDTH = 96
_SUFFIXES = (".svg", ".png")


def _about(plan, method, config, session) -> dict:
    """Everything a user of the model should know, as JSON values."""
    from elrcn.config import canonical
    from elrcn.databases.synthetic import data_origin
    from elrcn.files import code_hash, library_versions

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
    """Return the method `name` of `experiment`, of those whose models can be saved."""
    from elrcn.experiments.methods import SE, TE

    methods = {m.name: m for m in experiment.methods}
    able = {m.name: m for m in (SE, TE) if m in experiment.methods}
    if name not in able:
        raise ElrcnError(
            f"A model of method {name!r} cannot be saved; only networks can."
            if name in methods
            else f"{experiment.paper} has no method {name!r}.",
            fix=f"choose one of: {', '.join(able)}",
        )
    return able[name]


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
@options.yes
@options.weights_options
@options.session_options
def train(session, remarks, experiment, method, out, yes, start):
    """Train a method on all clips of EXPERIMENT and save the model in a new folder.

    The folder holds the weights (model.safetensors) and what they were trained on (card.json).
    No subject is held out: for scores use `elrcn run`.

    \b
    Examples:
      elrcn train table1 --out models/se
      elrcn train table1 --method elrcn_te --out models/te --profile paper --casme2 DIR
      elrcn predict models/se my-video.mp4
    """
    from elrcn.experiments import get_experiment, plan
    from elrcn.experiments.starts import weights_source
    from elrcn.models.saved import save_model
    from elrcn.predict import training_statement

    out = out.expanduser()
    chosen = get_experiment(experiment)
    how = _find_method(chosen, method)
    weights = weights_source(session, start) if how.starts_from_weights else "none"
    _check_out(out)
    _check_time(session, yes)
    p = plan(chosen, session)
    remarks.tell()
    config = how.preprocess(session.profile.preprocess)
    estimator = how.build(session, start)
    estimator.set_params(random_state=session.seed, progress=session.progress)
    estimator.fit(session.clips(p.manifest, config), p.labels)
    about = {**_about(p, how, config, session), "initial_weights": weights}
    folder = save_model(estimator, out, about=about)
    statement = training_statement({"kind": type(estimator).__name__, "about": about})
    click.echo(f"{statement}\n{HELD_OUT}\nsaved: {folder}")
    remarks.tell()


def _check_picture(picture: Path, source: Path) -> None:
    """Refuse before the work what could not be written after it."""
    if picture.suffix.lower() not in _SUFFIXES:
        raise ElrcnError(
            f"A picture cannot be written as {picture.suffix or 'a file without suffix'!r}.",
            where=picture,
            fix=f"let its name end in {' or '.join(_SUFFIXES)}",
        )
    if picture.is_dir() or not picture.absolute().parent.is_dir():
        raise ElrcnError("There is no folder for the picture.", where=picture.absolute().parent)
    if picture.absolute().parent.resolve() == source.expanduser().resolve():
        raise ElrcnError(
            "The picture would lie among the frames and be taken for one.",
            where=picture,
            fix="name another folder for --picture",
        )


def _table(prediction) -> str:
    """Return the probabilities as a table, most probable first."""
    width = max(map(len, ("class", *prediction.classes)))
    rows = [f"{'class':<{width}}  probability"]
    for i in prediction.probabilities.argsort(kind="stable")[::-1]:
        p = prediction.probabilities[i]
        row = f"{prediction.classes[i]:<{width}}       {p:.4f}  {'█' * round(30 * p)}"
        rows.append(row.rstrip())
    return "\n".join(rows)


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=label, subsequent_indent="  ")


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--onset", type=int, default=None, help="First frame of the expression.")
@click.option("--offset", type=int, default=None, help="Last frame of the expression.")
@click.option("--picture", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Write frames, flow, Grad-CAM and probabilities as .svg or .png.")  # fmt: skip
@click.option("--align", type=click.Choice(["none", "face", "face-follow"]), default=None,
              help="Face: one crop for the clip, one that follows it, or none. Default: the "
              "model's own.")  # fmt: skip
@click.option("--no-face", type=click.Choice(["whole", "fail"]), default="whole",
              show_default=True,
              help="If no face is found: use the whole frame, or stop.")  # fmt: skip
@options.device
def predict(model, source, onset, offset, picture, align, no_face, device):
    """Apply the saved MODEL to SOURCE, a video file or a folder of frames.

    Frames have the numbers in their file names; those of a video are counted from 1. Without
    --onset and --offset the whole recording is one clip. The face is found in the onset frame and
    cut out; CASME II's cropped frames (reg_img*.jpg) are taken as they are.

    \b
    Examples:
      elrcn predict models/se my-video.mp4 --onset 31 --offset 52 --picture answer.svg
      elrcn predict models/se CASME2/Cropped/sub01/EP02_01f
    """
    from elrcn.predict import open_recording, predict_recording, training_statement

    if picture is not None:
        picture = picture.expanduser()
        _check_picture(picture, source)
    recording = open_recording(source, onset, offset)
    found = predict_recording(model, recording, align or "", no_face, device, picture is not None)
    numbers = recording.numbers
    click.echo(
        f"{recording.path.name}: {len(numbers)} frames, {numbers[0]} to {numbers[-1]}; "
        f"{found.clip.cut}"
    )
    click.echo(_wrapped("model: ", training_statement(found.card)) + "\n")
    click.echo(_table(found) + "\n")
    click.echo(_wrapped("", "Probabilities are the model's softmax; they are not calibrated."))
    for remark in found.remarks:
        click.echo(_wrapped("remark: ", remark))
    if picture is not None:
        from elrcn.picture import save_prediction

        click.echo(f"picture: {save_prediction(found, picture)}")


COMMANDS = {"train": train, "predict": predict}
