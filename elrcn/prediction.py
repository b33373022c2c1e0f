"""A saved model applied to a recording: face, preprocessing, probabilities, Grad-CAM."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np

from elrcn.config import PreprocessConfig, override
from elrcn.errors import ElrcnError
from elrcn.explain import grad_cam
from elrcn.models.saved import load_model, read_card
from elrcn.preprocess.clips import check_config, resize, stack_clip
from elrcn.preprocess.faces import NO_FACE, clip_crops, is_cropped, require_dlib
from elrcn.recording import Recording

_SHOWN_SIDE = 360
_RETRAIN = "save the model with `elrcn train`"


@dataclass(frozen=True)
class Clip:
    """A recording, cut to the face and preprocessed.

    Attributes
    ----------
    stack : ndarray, shape (T - 1, 5, size, size), float32
        Network input, see `elrcn.preprocess.clips.stack_clip`.
    pictures : list of ndarray, shape (h, w), uint8
        Every frame as it was cut, its longer side at most 360 pixels, for the eye.
    cut : str
        How the frames were cut, in words.
    remarks : tuple of str
    """

    stack: np.ndarray
    pictures: list[np.ndarray]
    cut: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """What a model says about a recording, and where in the face it looked.

    Attributes
    ----------
    recording : Recording
    clip : Clip
    card : dict
        The model's card.
    config : PreprocessConfig
        How the model's own clips were preprocessed.
    classes : tuple of str
    probabilities : ndarray, shape (classes,)
        Softmax of the model; not calibrated.
    maps : dict of str to ndarray, shape (T - 1, size, size)
        Grad-CAM of each stream's spatial network for the most probable class.
    """

    recording: Recording
    clip: Clip
    card: dict
    config: PreprocessConfig
    classes: tuple[str, ...]
    probabilities: np.ndarray
    maps: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """Most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on the recording and on how it was cut."""
        return self.recording.remarks + self.clip.remarks


def preprocess_config(card: dict, where=None) -> PreprocessConfig:
    """Return the preprocessing that a model's card asks for.

    Raises
    ------
    ElrcnError
        If the card does not say, or asks for what cannot be done.
    """
    about = card.get("about")
    values = about.get("preprocess") if isinstance(about, dict) else None
    if not isinstance(values, dict):
        raise ElrcnError(
            "The model's card does not say how its clips were preprocessed.",
            where=where,
            fix=_RETRAIN,
        )
    kinds = {f.name: type(f.default) for f in fields(PreprocessConfig)}
    # Cards of models made before these settings existed do not name them.
    values = {"variant": "", "max_frames": 0} | values
    if any(type(values.get(name)) is not kind for name, kind in kinds.items()):
        raise ElrcnError(
            "The preprocessing in the model's card is incomplete or not understood.",
            where=where,
            fix=_RETRAIN,
        )
    config = override(PreprocessConfig(), **values)
    check_config(config)
    return config


def training_statement(card: dict) -> str:
    """Say in one or two sentences what a model was trained on.

    Parameters
    ----------
    card : dict
        As `elrcn.models.saved.read_card` gives it.
    """
    about = card.get("about") if isinstance(card.get("about"), dict) else {}
    data = about.get("data") if isinstance(about.get("data"), dict) else {}
    if not data.get("label"):
        return f"{card['kind']}, trained on data that its card does not name."
    text = (
        f"{about.get('label') or card['kind']}, trained on {about.get('clips')} clips of "
        f"{about.get('subjects')} subjects ({data['label']}), profile {about.get('profile')}."
    )
    if data.get("origin") != "licensed":
        kind = "All" if data.get("origin") == "synthetic" else "Some"
        text = f"SYNTHETIC DATA: {text} {kind} of its training clips are drawn, not recorded: "
        text += "what it says about a person's face means nothing."
    return text


def cut_clip(
    recording: Recording, config: PreprocessConfig, align: str = "", no_face: str = "whole"
) -> Clip:
    """Cut the face out of a recording and preprocess it.

    Parameters
    ----------
    recording : Recording
    config : PreprocessConfig
        The model's.
    align : {"", "none", "face", "face-follow"}
        Instead of the model's own alignment. CASME II's cropped frames (``reg_img46.jpg``) are
        never cropped again.
    no_face : {"whole", "fail"}
        Where the onset frame shows no face: use the whole frame, with a remark, or raise.

    Raises
    ------
    ElrcnError
        If a frame cannot be decoded, no face is found and `no_face` is "fail", dlib is needed and
        not installed, or a setting is unknown.
    """
    if no_face not in NO_FACE:
        raise ElrcnError(f"There is no choice {no_face!r} for no_face.", fix=f"one of: {NO_FACE}")
    config = override(config, align=align or config.align)
    check_config(config)
    crops, cut, remarks = None, "whole frames", ()
    if recording.files and is_cropped(recording.files):
        cut = "frames cropped already"
    elif config.align != "none":
        require_dlib()
        crops = clip_crops(recording.frames(), config.align == "face-follow")
        if crops is None:
            what = f"No face was found in frame {recording.numbers[0]}, the onset"
            if no_face == "fail":
                raise ElrcnError(
                    f"{what}.",
                    where=recording.path,
                    fix="choose another onset, or use the whole frame: --no-face whole",
                )
            remarks = (f"{what}; the whole frame is used, as if it were a cropped face.",)
        else:
            cut = "face found" + (", followed" if config.align == "face-follow" else " at onset")
    small, pictures = [], []
    for k, frame in enumerate(recording.frames()):
        image = crops[k if len(crops) > 1 else 0].apply(frame) if crops else frame
        small.append(resize(image, config.flow_size))
        pictures.append(_for_the_eye(image))
    try:
        stack = stack_clip(np.stack(small), config)
    except ElrcnError as error:
        raise ElrcnError(error.what, error.where or recording.path, error.fix) from None
    return Clip(stack, pictures, cut, remarks)


def _for_the_eye(image: np.ndarray) -> np.ndarray:
    scale = min(1.0, _SHOWN_SIDE / max(image.shape))
    if scale < 1:
        # Never below what optical flow needs, however long and thin the frame.
        width, height = (max(16, round(scale * side)) for side in image.shape[::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def predict_recording(
    model: str | Path,
    recording: Recording,
    align: str = "",
    no_face: str = "whole",
    device: str = "auto",
    explain: bool = True,
) -> Prediction:
    """Apply a saved model to a recording.

    Parameters
    ----------
    model : str or Path
        Folder that `elrcn.models.saved.save_model` wrote, with the ``preprocess`` of its clips in
        the card's ``about``.
    recording : Recording
        From `elrcn.recording.open_recording`.
    align, no_face
        See `cut_clip`.
    device : str
        "auto", "cpu", "cuda" or "mps".
    explain : bool
        Also compute Grad-CAM.

    Returns
    -------
    Prediction

    Raises
    ------
    ElrcnError
        If the model is damaged or does not say how to preprocess, or as `cut_clip`.
    """
    folder = Path(model).expanduser()
    card = read_card(folder)
    config = preprocess_config(card, folder)
    try:
        estimator = load_model(folder, device)
    except (AttributeError, IndexError, AssertionError) as error:
        raise ElrcnError(
            f"The model's card is damaged ({error}).", where=folder, fix=_RETRAIN
        ) from None
    clip = cut_clip(recording, config, align, no_face)
    X = clip.stack[None]
    probabilities = np.asarray(estimator.predict_proba(X), float)[0]
    if not np.isfinite(probabilities).all():
        raise ElrcnError(
            "The model gives no finite probabilities: its weights are damaged.",
            where=folder,
            fix=_RETRAIN,
        )
    maps = {}
    if explain:
        target = int(probabilities.argmax())
        for stream, network in getattr(estimator, "networks_", {}).items():
            maps[stream] = grad_cam(network, X, target)[0]
    classes = tuple(str(name) for name in estimator.classes_)
    return Prediction(recording, clip, card, config, classes, probabilities, maps)
