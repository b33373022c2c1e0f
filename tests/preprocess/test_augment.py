"""Transformed frames move as a face seen so moves: checked on fields whose truth is known."""

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

from elrcn.config import PreprocessConfig, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash
from elrcn.preprocess.cache import build_clips
from elrcn.preprocess.clips import (
    CROP,
    VARIANTS,
    augment,
    augment_flow,
    read_clip,
    stack_clip,
    transform,
)
from elrcn.preprocess.flow import tvl1_flow
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import interpolate

SIDE = 96
CONFIG = PreprocessConfig(size=24, flow_size=48, tim_length=4)


def texture(seed=0, side=SIDE):
    noise = np.random.default_rng(seed).normal(size=(side, side)).astype(np.float32)
    picture = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return cv2.normalize(picture, None, 20, 235, cv2.NORM_MINMAX)


@pytest.fixture(scope="module")
def pair():
    """Two frames, the second stretched and shifted by up to two pixels about a point off centre."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    bump = np.exp(-((x - 36) ** 2 + (y - 58) ** 2) / (2 * 14**2))
    first = texture()
    second = cv2.remap(
        first, x - 1.8 * bump, y + 0.9 * bump, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.stack([first, second])


def inner(plane, margin=14):
    return plane[margin:-margin, margin:-margin]


def test_mirrored_frames_have_the_mirrored_flow_with_p_negated(pair):
    plain = tvl1_flow(*pair)
    seen = tvl1_flow(*augment(pair, "mirror"))
    expected = plain[:, ::-1] * np.float32([-1, 1])
    assert np.abs(plain[..., 0]).max() > 1.2
    # The algorithm's own left and right differ a little (forward differences).
    assert np.abs(inner(seen - expected)).mean() < 0.03
    # Flow mirrored as a picture, without turning its vectors, would be wrong by far.
    assert np.abs(inner(seen - plain[:, ::-1])).mean() > 0.2
    np.testing.assert_allclose(augment_flow(plain, "mirror"), expected, atol=1e-6)


@pytest.mark.parametrize("variant", [*VARIANTS, "rotate+15"])
def test_flow_of_transformed_frames_is_the_transformed_field(pair, variant):
    expected = augment_flow(tvl1_flow(*pair), variant)
    seen = tvl1_flow(*augment(pair, variant))
    moving = np.linalg.norm(expected, axis=2)
    assert inner(moving).max() > 1
    error = np.linalg.norm(seen - expected, axis=2)
    assert inner(error).mean() < 0.12 * inner(moving).mean()


def test_a_turn_turns_the_vectors_and_keeps_their_length():
    right = np.zeros((SIDE, SIDE, 2), np.float32)
    right[..., 0] = 2
    turned = augment_flow(right, "rotate+4")
    angle = np.deg2rad(4)
    # Counterclockwise as seen, y down: motion to the right now also goes up.
    np.testing.assert_allclose(turned[40, 40], (2 * np.cos(angle), -2 * np.sin(angle)), atol=1e-5)
    back = augment_flow(turned, "rotate-4")
    np.testing.assert_allclose(back, right, atol=1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_strain_is_what_no_rigid_view_changes(variant):
    """Strain has the same magnitude in every view, even enlarged: a derivative by place."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2
    field = np.stack([0.02 * x + 0.01 * y, -0.015 * y + 0.004 * x], axis=2)
    strain = inner(optical_strain(field), 20)
    seen = inner(optical_strain(augment_flow(field, variant)), 20)
    assert strain.mean() > 0.01
    assert seen.mean() == pytest.approx(strain.mean(), rel=2e-3)
    # OpenCV rounds places to 1/32 px, which a derivative by place notices.
    np.testing.assert_allclose(seen, strain, rtol=0.06)
    speed = np.linalg.norm(augment_flow(field, variant), axis=2)
    scale = 1 / CROP if variant == "crop" else 1
    # The same face is seen larger: at a place of the picture lies a point nearer the centre,
    # which moves less by as much as its motion is enlarged.
    corner = np.array([*transform(variant, SIDE)[:, :2] @ field[30, 40]])
    place = transform(variant, SIDE) @ [40, 30, 1]
    column, row = np.rint(place).astype(int)
    assert np.linalg.norm(corner) == pytest.approx(scale * np.linalg.norm(field[30, 40]), rel=1e-5)
    assert speed[row, column] == pytest.approx(np.linalg.norm(corner), abs=0.02)


def test_all_frames_are_transformed_alike_and_nothing_goes_where_nothing_moves():
    still = np.repeat(texture(1, 48)[None], 5, axis=0)
    for variant in VARIANTS:
        out = stack_clip(still, replace(CONFIG, variant=variant))
        assert np.abs(out[:, :4]).max() < 1e-4  # TIM rounds
        assert np.ptp(out[:, 4], axis=0).max() < 1e-3
        assert np.abs(out[0, 4] - stack_clip(still, CONFIG)[0, 4]).mean() > 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_interpolation_first_or_last_gives_the_same_frames(variant):
    clip = np.stack([texture(i) for i in range(7)])
    first, last = interpolate(augment(clip, variant), 5), augment(interpolate(clip, 5), variant)
    np.testing.assert_allclose(first, last, atol=1e-2)
    assert np.abs(first - interpolate(clip, 5)).mean() > 1


@pytest.mark.parametrize("variant", ["flip", "rotate", "rotate+4x", "rotate+400", "Mirror"])
def test_unknown_variants_are_named(variant):
    with pytest.raises(ElrcnError, match="no augmentation"):
        augment(np.zeros((2, 16, 16)), variant)


@pytest.fixture(scope="module")
def clips(smoke_home):
    from elrcn.session import Session
    from elrcn.workspace import Workspace

    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    manifest = session.manifest
    return manifest.subset(np.flatnonzero(manifest.table["database"] == "CASME2")[:3])


def test_plain_clips_keep_their_place_in_the_cache(clips, tmp_path):
    """Setting neither variant nor limit, a clip has the key it had before they existed."""
    known = {n: v for n, v in asdict(CONFIG).items() if n not in ("variant", "max_frames")}
    plain = build_clips(clips, CONFIG, tmp_path, workers=1, progress=False)
    key = config_hash("stack", code_hash("preprocess/cache.py"), known)
    assert plain.paths[0].parent.name == key
    np.testing.assert_array_equal(plain[1], stack_clip(read_clip(clips.frame_paths(1), 48), CONFIG))


def test_variants_are_those_of_each_clip_and_go_where_it_goes(clips, tmp_path):
    plain = build_clips(clips, CONFIG, tmp_path, workers=1, progress=False)
    both = build_clips(
        clips, CONFIG, tmp_path, variants=("mirror", "crop"), workers=1, progress=False
    )
    assert both.paths == plain.paths and both.shape == plain.shape and len(both) == 3
    np.testing.assert_array_equal(np.asarray(both), np.asarray(plain))
    frames = read_clip(clips.frame_paths(2), 48)
    for name in ("mirror", "crop"):
        expected = stack_clip(frames, replace(CONFIG, variant=name))
        np.testing.assert_array_equal(np.load(both.variants[name][2]), expected)
    part = both[np.array([2, 0])]
    everything = part.everything()
    assert [p.stem for p in everything.paths] == [plain.paths[i].stem for i in (2, 0)] * 3
    assert everything.shape == (6, *plain.shape[1:])
    np.testing.assert_array_equal(everything[2], np.load(both.variants["mirror"][2]))
    assert len(part.everything(("crop",))) == 4
    with pytest.raises(ElrcnError, match="rotate\\+4"):
        part.everything(("rotate+4",))


def test_a_limit_cuts_a_clip_before_its_flow(clips, tmp_path):
    whole = build_clips(clips, replace(CONFIG, tim_length=0), tmp_path, workers=1, progress=False)
    limit = int(whole.lengths.min())  # steps; the longest clips lose frames
    cut = replace(CONFIG, tim_length=0, max_frames=limit + 1)
    short = build_clips(clips, cut, tmp_path, workers=1, progress=False)
    assert short.shape[1] == limit < whole.shape[1]
    longest = int(whole.lengths.argmax())
    np.testing.assert_array_equal(short[longest], whole[longest][:limit])
    with pytest.raises(ElrcnError, match="max_frames"):
        build_clips(clips, replace(CONFIG, max_frames=1), tmp_path, workers=1, progress=False)
