from math import cos, floor, pi, sin

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from elrcn.errors import ElrcnError
from elrcn.features.lbp_top import LBPTOP, lbp_top_svm, taps, uniform_bins


def slow_bins(points):
    """Uniform patterns counted from their definition, on strings."""
    table, following = {}, 0
    for code in range(2**points):
        bits = format(code, f"0{points}b")
        if sum(bits[i] != bits[i - 1] for i in range(points)) <= 2:
            table[code] = following
            following += 1
    return [table.get(code, following) for code in range(2**points)]


def slow_grey(plane_image, row, column):
    """Bilinear grey value of one image at real coordinates, in double precision."""
    r, c = floor(row), floor(column)
    dr, dc = row - r, column - c
    image = np.pad(plane_image.astype(np.float64), ((0, 1), (0, 1)))
    return (
        (1 - dr) * (1 - dc) * image[r, c]
        + (1 - dr) * dc * image[r, c + 1]
        + dr * (1 - dc) * image[r + 1, c]
        + dr * dc * image[r + 1, c + 1]
    )


def slow_lbp_top(volume, blocks=(1, 1, 1), radii=(1, 1, 1), points=(8, 8, 8), tolerance=1e-3):
    """LBP-TOP by its definition: a Python loop over centres, planes and neighbours."""
    frames, height, width = volume.shape
    rx, ry, rt = radii
    mx, my, mt = (int(np.ceil(r)) for r in radii)
    rows, columns, times = blocks
    out = [[np.zeros(p * (p - 1) + 3) for p in points] for _ in range(rows * columns * times)]
    tables = [slow_bins(p) for p in points]

    def part(position, number, length):
        edges = [floor(i * length / number + 0.5) for i in range(number + 1)]
        return sum(position >= e for e in edges[1:-1])

    for t in range(mt, frames - mt):
        for y in range(my, height - my):
            for x in range(mx, width - mx):
                block = part(y, rows, height) * columns + part(x, columns, width)
                block = block * times + part(t, times, frames)
                planes = [
                    (volume[t], lambda a, y=y, x=x: (y - ry * sin(a), x + rx * cos(a))),
                    (volume[:, y], lambda a, t=t, x=x: (t + rt * sin(a), x + rx * cos(a))),
                    (volume[:, :, x], lambda a, t=t, y=y: (t + rt * cos(a), y - ry * sin(a))),
                ]
                for k, (image, place) in enumerate(planes):
                    code = 0
                    for p in range(points[k]):
                        position = (round(v, 9) for v in place(2 * pi * p / points[k]))
                        if slow_grey(image, *position) >= float(volume[t, y, x]) - tolerance:
                            code += 2**p
                    out[block][k][tables[k][code]] += 1
    return np.concatenate([h for planes in out for h in planes])


def clip_of(shape, seed=0, dtype=np.uint8, levels=256):
    return np.random.default_rng(seed).integers(0, levels, shape).astype(dtype)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"radii": (2, 1, 1)},
        {"radii": (3, 2, 2)},
        {"radii": (1.5, 1.5, 1)},
        {"points": (4, 8, 6)},
        {"points": (10, 3, 16)},
        {"blocks": (3, 2)},
        {"blocks": (2, 2, 2), "radii": (2, 2, 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("levels", [256, 3])
def test_equals_the_slow_definition_exactly(options, levels):
    volume = clip_of((5, 9, 11), levels=levels)  # few levels: many ties
    fast = LBPTOP(normalise=False, **options).describe(volume[:, None])
    slow_options = options | {"blocks": (*options.get("blocks", (1, 1)), 1)[:3]}
    np.testing.assert_array_equal(fast, slow_lbp_top(volume, **slow_options))


def test_equals_the_slow_definition_on_interpolated_frames():
    volume = np.random.default_rng(1).random((6, 12, 12)).astype(np.float32) * 255
    fast = LBPTOP(normalise=False).describe(volume[:, None])
    np.testing.assert_array_equal(fast, slow_lbp_top(volume))


@pytest.mark.parametrize("side, levels", [(21, 256), (15, 4)])
def test_five_by_five_blocks_on_ten_frames_equal_the_slow_definition(side, levels):
    """Settings of the second LBP-TOP row of the tables: two frames are four from either end."""
    volume = clip_of((10, side, side), 6, levels=levels)
    blocks, radii = (5, 5), (1, 1, 4)
    counted = LBPTOP(normalise=False, blocks=blocks, radii=radii).describe(volume[:, None])
    slow = slow_lbp_top(volume, (*blocks, 1), radii)
    np.testing.assert_array_equal(counted, slow)
    assert counted.shape == (25 * 177,) and counted.sum() == 3 * 2 * (side - 2) ** 2
    shares = LBPTOP(blocks=blocks, radii=radii).describe(volume[:, None]).reshape(25, 3, 59)
    np.testing.assert_allclose(shares.sum(axis=2), 1)
    slow = slow.reshape(25, 3, 59)
    np.testing.assert_allclose(shares, slow / slow.sum(axis=2, keepdims=True))


def test_clips_shorter_than_the_radii_are_refused_with_what_to_do():
    options = {"blocks": (5, 5), "radii": (1, 1, 4)}
    assert LBPTOP(**options).describe(clip_of((9, 10, 10))[:, None]).any()  # one frame of centres
    with pytest.raises(ElrcnError, match="8 frames of 10 x 10 px is too small") as error:
        LBPTOP(**options).describe(clip_of((8, 10, 10))[:, None])
    assert "greater TIM length" in str(error.value)


@pytest.mark.filterwarnings("ignore:Applying `local_binary_pattern`")
def test_xy_plane_equals_scikit_image():
    # Scikit-image has no tolerance: distinct random values keep ties out of the comparison.
    volume = np.random.default_rng(2).permutation(5 * 20 * 24).reshape(5, 20, 24) / 10.0
    xy = LBPTOP(normalise=False).describe(volume[:, None])[:59]
    expected = np.zeros(59)
    for frame in volume[1:-1]:
        codes = local_binary_pattern(frame, 8, 1, "default")[1:-1, 1:-1].astype(int)
        np.add.at(expected, uniform_bins(8)[codes], 1)
    np.testing.assert_array_equal(xy, expected)


def test_planes_change_places_with_the_axes():
    volume = clip_of((9, 9, 9), 3).astype(np.float32)
    a = LBPTOP().describe(volume[:, None]).reshape(3, 59)
    b = LBPTOP().describe(volume.transpose(0, 2, 1)[:, None]).reshape(3, 59)
    assert np.sort(a[1]) == pytest.approx(np.sort(b[2]))  # XT becomes YT, bins renamed
    assert a[:, -1] == pytest.approx(b[[0, 2, 1], -1])


def test_177_values_three_histograms_of_sum_one():
    features = LBPTOP().transform(clip_of((2, 10, 1, 20, 20)))
    assert features.shape == (2, 177)
    np.testing.assert_allclose(features.reshape(2, 3, 59).sum(axis=2), 1)
    assert LBPTOP(blocks=(5, 5)).transform(clip_of((1, 5, 1, 20, 20))).shape == (1, 25 * 177)


@pytest.mark.parametrize("radii", [(1, 1, 1), (3, 3, 2), (1.3, 2.7, 1)])
@pytest.mark.parametrize("grey", [0, 77, 255, 83.4])
def test_a_flat_clip_is_one_tie(radii, grey):
    volume = np.full((6, 10, 10), grey, np.float32)
    features = LBPTOP(radii=radii).describe(volume[:, None]).reshape(3, 59)
    assert (features[:, uniform_bins(8)[255]] == 1).all()


def test_uniform_bins():
    assert list(uniform_bins(8)) == slow_bins(8)
    assert [uniform_bins(p).max() + 1 for p in (3, 4, 8, 16)] == [8, 15, 59, 243]


def test_taps_of_a_point_between_pixels():
    assert taps((0.0, -1.0, 0.0)) == [(0, -1, 0, 1.0)]
    found = dict(((t, y, x), w) for t, y, x, w in taps((0.0, -0.25, 1.5)))
    assert found == {(0, -1, 1): 0.125, (0, -1, 2): 0.125, (0, 0, 1): 0.375, (0, 0, 2): 0.375}
    assert taps((0.5, -0.5, 0.2), "nearest") == [(1, 0, 0, 1.0)]


def test_nearest_and_bilinear_agree_where_every_point_is_a_pixel():
    volume = clip_of((5, 8, 8), 4)[:, None]
    options = {"points": (4, 4, 4)}
    a = LBPTOP(**options).describe(volume)
    np.testing.assert_array_equal(a, LBPTOP(interpolation="nearest", **options).describe(volume))


def test_refused_options_and_clips():
    volume = clip_of((5, 8, 8))[:, None]
    mistakes = [
        {"radii": (0, 1, 1)},
        {"radii": (1, 1, 3)},
        {"points": (8, 8, 17)},
        {"points": (8,)},
        {"blocks": (9, 1)},
        {"interpolation": "cubic"},
    ]
    for options in mistakes:
        with pytest.raises(ElrcnError):
            LBPTOP(**options).describe(volume)
    with pytest.raises(ElrcnError, match="shape"):
        LBPTOP().transform(volume)


class LazyClips:
    """What a StackArray offers, and nothing more."""

    def __init__(self, clips):
        self.clips, self.shape, self.read = clips, clips.shape, []

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, i):
        if isinstance(i, int):
            self.read.append(i)
            return self.clips[i]
        return LazyClips(self.clips[i])


def test_pipeline_learns_and_reads_clip_by_clip():
    clips = clip_of((24, 5, 1, 12, 12), 5)
    labels = np.array(["still", "moving", "flat"] * 8)
    clips[0::3] = clips[0::3, :1]
    clips[2::3] = 100
    lazy = LazyClips(clips[:12])
    model = lbp_top_svm().fit(lazy, labels[:12])
    assert lazy.read == list(range(12))
    assert list(model.classes_) == ["flat", "moving", "still"]
    chances = model.predict_proba(LazyClips(clips[12:]))
    np.testing.assert_array_equal(model.classes_[chances.argmax(axis=1)], labels[12:])
    np.testing.assert_array_equal(model.predict(clips[12:]), labels[12:])
    assert model.get_params()["svm__C"] == 10000.0
