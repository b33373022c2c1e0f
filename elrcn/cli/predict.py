"""`elrcn predict`."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from elrcn.errors import ElrcnError

_WIDTH = 96
_SUFFIXES = (".svg", ".png")


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
    width = max(len("class"), *(len(name) for name in prediction.classes))
    order = prediction.probabilities.argsort(kind="stable")[::-1]
    rows = [f"{'class':<{width}}  probability"]
    for i in order:
        p = prediction.probabilities[i]
        rows.append(
            f"{prediction.classes[i]:<{width}}       {p:.4f}  {'█' * round(30 * p)}".rstrip()
        )
    return "\n".join(rows)


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=label, subsequent_indent="  ")


@click.command("predict")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--onset", type=int, default=None, help="First frame of the expression.")
@click.option("--offset", type=int, default=None, help="Last frame of the expression.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    default=None,
    metavar="FILE",
    help="Write frames, flow, Grad-CAM and probabilities as .svg or .png.",
)
@click.option(
    "--align",
    type=click.Choice(["none", "face", "face-follow"]),
    default=None,
    help="Face: one crop for the clip, one that follows it, or none. Default: the model's own.",
)
@click.option(
    "--no-face",
    type=click.Choice(["whole", "fail"]),
    default="whole",
    show_default=True,
    help="If no face is found: use the whole frame, or stop.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def predict(
    model: Path,
    source: Path,
    onset: int | None,
    offset: int | None,
    picture: Path | None,
    align: str | None,
    no_face: str,
    device: str,
):
    """Apply the saved MODEL to SOURCE, a video file or a folder of frames.

    Frames have the numbers in their file names; those of a video are counted from 1. Without
    --onset and --offset the whole recording is one clip. The face is found in the onset frame and
    cut out; CASME II's cropped frames (reg_img*.jpg) are taken as they are.

    \b
    Examples:
      elrcn predict models/se my-video.mp4 --onset 31 --offset 52 --picture answer.svg
      elrcn predict models/se CASME2/Cropped/sub01/EP02_01f
    """
    from elrcn.prediction import predict_recording, training_statement
    from elrcn.recording import open_recording

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
        from elrcn.report.figures_prediction import save_prediction

        click.echo(f"picture: {save_prediction(found, picture)}")


COMMANDS = {"predict": predict}
