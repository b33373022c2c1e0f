import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.models.inputs import (
    AS_THE_CODE_RAN,
    InputEncoder,
    Quirks,
    check_clips,
    content_hash,
    reshaped_layout,
)

RNG = np.random.default_rng(0)
CLIP = RNG.normal(0, 1, (2, 5, 6, 6)).astype(np.float32)
CLIP[:, 3] = np.abs(CLIP[:, 3]) / 10
CLIP[:, 4] = RNG.integers(0, 256, (2, 6, 6))
CLIP[0, 0, 0, 0] = 20.0


def test_raw_is_the_image_encoding():
    out = InputEncoder("all", "raw").fit([CLIP]).encode(CLIP)
    assert out.shape == (2, 6, 6, 5) and out.dtype == np.float32
    np.testing.assert_allclose(
        out[..., :3], np.clip(16 * CLIP[:, :3] + 128, 0, 255).transpose(0, 2, 3, 1)
    )
    assert out[0, 0, 0, 0] == 255
    np.testing.assert_allclose(out[..., 3], np.clip(255 * CLIP[:, 3], 0, 255), rtol=1e-6)
    np.testing.assert_array_equal(out[..., 4], CLIP[:, 4])


def test_uint8_flow_rounds_flow_and_strain():
    clip = CLIP.copy()
    clip[0, 3, 0, :2] = 2.0, 0.5  # beyond 1; and 127.5, a half
    out = InputEncoder("all", "raw", Quirks(uint8_flow=True)).encode(clip)
    levels = np.concatenate([16 * clip[:, :3] + 128, 255 * clip[:, 3:4]], 1).astype(float)
    levels = np.floor(np.clip(levels, 0, 255) + 0.5).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(out[..., :4], levels)
    assert out[0, 0, :2, 3].tolist() == [255, 128]
    np.testing.assert_array_equal(out[..., 4], clip[:, 4])


def test_reshape_layout_is_numpys_reshape():
    plain = InputEncoder("flow", "raw").encode(CLIP)
    out = InputEncoder("flow", "raw", Quirks(reshape_layout=True)).encode(CLIP)
    # H x W x C -> C x H x W by reshape; the network's planes are the last axis here.
    np.testing.assert_array_equal(out[0].transpose(2, 0, 1), plain[0].reshape(3, 6, 6))
    stacked = InputEncoder("all", "raw", Quirks(reshape_layout=True)).encode(CLIP)
    np.testing.assert_array_equal(stacked[..., :3], out)
    np.testing.assert_array_equal(stacked[..., 4], CLIP[:, 4])


def test_reversed_channels_come_before_the_reshape():
    plain = InputEncoder("flow", "raw").encode(CLIP)
    quirks = Quirks(reversed_channels=True)
    out = InputEncoder("flow", "raw", quirks).encode(CLIP)
    np.testing.assert_array_equal(out, plain[..., [2, 1, 0]])
    both = InputEncoder("flow", "raw", Quirks(reversed_channels=True, reshape_layout=True))
    np.testing.assert_array_equal(both.encode(CLIP), reshaped_layout(out))
    # In the stack of five, the picture of flow alone is read by OpenCV in one piece.
    stacked = InputEncoder("all", "raw", quirks).encode(CLIP)
    np.testing.assert_array_equal(stacked[..., :3], out)
    np.testing.assert_array_equal(stacked[..., 3:], InputEncoder("all").encode(CLIP)[..., 3:])
    scaled = InputEncoder("flow", "standard", quirks).fit([CLIP]).encode(CLIP)
    expected = InputEncoder("flow", "standard").fit([CLIP]).encode(CLIP)
    np.testing.assert_array_equal(scaled, expected[..., ::-1])


def test_motion_is_standard_but_for_the_weights_of_strain_and_grey_in_the_stack():
    standard = InputEncoder("all", "standard").fit([CLIP]).encode(CLIP)
    motion = InputEncoder("all", "motion").fit([CLIP]).encode(CLIP)
    np.testing.assert_allclose(motion, standard * [1, 1, 1, 0.5, 0.2], rtol=1e-5, atol=1e-6)
    for stream in ("flow", "strain", "grey"):
        same = (
            InputEncoder(stream, way).fit([CLIP]).encode(CLIP) for way in ("motion", "standard")
        )
        np.testing.assert_array_equal(*same)


def test_standard_uses_training_clips_only():
    train = [CLIP, CLIP * 2]
    encoder = InputEncoder("all", "standard").fit(train)
    out = np.concatenate([encoder.encode(c) for c in train])
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(out.std((0, 1, 2)), 1, rtol=1e-4)
    np.testing.assert_array_equal(encoder.encode(CLIP), out[:2])


def test_streams_are_tripled():
    for stream, channel in (("strain", 3), ("grey", 4)):
        encoder = InputEncoder(stream, "standard").fit([CLIP])
        out = encoder.encode(CLIP)
        assert out.shape[-1] == 3
        assert np.array_equal(out[..., 0], out[..., 1]) and np.array_equal(out[..., 0], out[..., 2])
        assert np.corrcoef(out[..., 0].ravel(), CLIP[:, channel].ravel())[0, 1] > 0.999


def test_constant_channel_does_not_divide_by_zero():
    clip = np.ones((2, 5, 6, 6), np.float32)
    assert np.all(InputEncoder("all", "standard").fit([clip]).encode(clip) == 0)


def test_all_quirks_at_once():
    encoder = InputEncoder("flow", "standard", AS_THE_CODE_RAN)
    assert encoder.scaling == "raw" and AS_THE_CODE_RAN.sigmoid_head
    assert encoder.fit([CLIP]).encode(CLIP).max() == 255


def test_check_clips():
    assert check_clips(CLIP[None], 6) == (1, 2, 5, 6, 6)
    for bad in (CLIP, CLIP[None, :, :3], CLIP[None][:0]):
        with pytest.raises(ElrcnError):
            check_clips(bad)


def test_content_hash_sees_values_and_shape():
    a, b = CLIP[None], CLIP[None].copy()
    assert content_hash(a) == content_hash(b)
    b[0, 1, 4, 5, 5] += 1
    assert content_hash(a) != content_hash(b)
    assert content_hash(a) != content_hash(a.reshape(2, 1, 5, 6, 6))


def test_reshaped_planes_are_thirds_of_the_picture_with_channels_side_by_side():
    image = RNG.normal(size=(1, 6, 6, 3))
    planes = reshaped_layout(image)[0]
    for plane, line, column in np.ndindex(3, 6, 6):
        row, third = plane * 2 + line // 3, line % 3
        pixel, channel = divmod(third * 6 + column, 3)
        assert planes[line, column, plane] == image[0, row, pixel, channel]
