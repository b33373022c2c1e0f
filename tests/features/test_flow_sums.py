from math import floor, hypot

import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.evaluation.runner import describe_once
from elrcn.features.flow_sums import FlowSums, apex_step, flow_sums_svm


def stack_of(shape, seed=0):
    """A stack of random motion that swells and ebbs, as a clip's does."""
    g = np.random.default_rng(seed)
    steps, height, width = shape
    swell = np.cos(np.linspace(0, np.pi, steps)) + 0.1 * g.normal(size=steps)
    field = g.normal(size=(2, height, width))
    stack = np.empty((steps, 5, height, width), np.float32)
    stack[:, :2] = swell[:, None, None, None] * field + 0.3 * g.normal(size=(steps, 2, *shape[1:]))
    stack[:, 2] = np.hypot(stack[:, 0], stack[:, 1])
    stack[:, 3] = g.random(shape) * 0.05
    stack[:, 4] = g.integers(0, 256, shape)
    return stack


def _part(position, number, length):
    edges = [floor(i * length / number + 0.5) for i in range(1, number)]
    return sum(position >= edge for edge in edges)


def slow_flow_sums(stack, rows=6, columns=6):
    """The definition pixel by pixel: the best of all stops, then one region after another."""
    steps, _, height, width = stack.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    moved = []
    for t in range(steps):
        ways = [stack[: t + 1, :2, y, x].astype(float).sum(axis=0) for y, x in pixels]
        moved.append(np.mean([hypot(*way) for way in ways]))
    apex = moved.index(max(moved))
    place = [(_part(y, rows, height), _part(x, columns, width)) for y, x in pixels]
    found = []
    for channel in (0, 1, 3):
        for region in np.ndindex(rows, columns):
            held = [at for at, its in zip(pixels, place, strict=True) if its == region]
            total = sum(stack[t, channel, y, x].item() for t in range(apex + 1) for y, x in held)
            found.append(total / len(held))
    return np.array(found), apex


@pytest.mark.parametrize("shape", [(9, 24, 24), (9, 12, 18), (4, 13, 20), (1, 6, 7)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_slow_definition(shape, seed):
    stack = stack_of(shape, seed)
    expected, apex = slow_flow_sums(stack)
    assert apex_step(stack[:, :2]) == apex
    features = FlowSums().describe(stack)
    assert features.shape == (108,) and features.dtype == np.float64
    np.testing.assert_allclose(features, expected, rtol=1e-6, atol=1e-9)


def test_other_blocks_equal_the_slow_definition():
    stack = stack_of((5, 11, 9), 3)
    features = FlowSums(blocks=(2, 3)).describe(stack)
    np.testing.assert_allclose(features, slow_flow_sums(stack, 2, 3)[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_until_the_middle_equals_ten_lines_of_numpy(steps):
    stack = stack_of((steps, 24, 24), 5)
    summed = stack[: max(1, steps // 2), [0, 1, 3]].astype(float).sum(axis=0)
    expected = summed.reshape(3, 6, 4, 6, 4).mean(axis=(2, 4)).ravel()
    np.testing.assert_allclose(FlowSums(until="middle").describe(stack), expected, rtol=1e-12)


def test_there_is_no_other_end():
    with pytest.raises(ElrcnError, match="until 'offset'"):
        FlowSums(until="offset").describe(stack_of((4, 12, 12)))


def test_there_and_back_has_its_apex_in_the_middle():
    """Four steps right and down, four back: the whole way there, not the nothing at the end."""
    stack = np.zeros((8, 5, 24, 24), np.float32)
    stack[:, 0] = np.repeat([0.5, -0.5], 4)[:, None, None]
    stack[:, 1] = np.repeat([0.25, -0.25], 4)[:, None, None]
    stack[:, 3] = 0.125
    assert apex_step(stack[:, :2]) == 3
    expected = np.repeat([4 * 0.5, 4 * 0.25, 4 * 0.125], 36)
    np.testing.assert_array_equal(FlowSums().describe(stack), expected)


def test_regions_are_ordered_by_channel_row_and_column():
    stack = np.zeros((2, 5, 12, 12), np.float32)
    stack[0, 1, 2:4, 10:] = 3.0  # q, second row of regions, last column
    stack[0, 3, 11, 0] = 1.0  # strain, a quarter of the first region of the last row
    features = FlowSums().describe(stack)
    assert np.flatnonzero(features).tolist() == [36 + 11, 72 + 30]
    assert features[[47, 102]].tolist() == [3.0, 0.25]


@pytest.mark.parametrize(
    "steps, apex",
    [([1, 1, 0, 0], 1), ([2, -4, 4, -4], 0), ([0, 0, 0], 0), ([1, -1, 1, 1], 3), ([3], 0)],
)
def test_the_first_of_equal_displacements_is_the_apex(steps, apex):
    flow = np.zeros((len(steps), 2, 6, 6), np.float32)
    flow[:, 1] = np.array(steps)[:, None, None]
    assert apex_step(flow) == apex


def test_the_apex_is_where_the_sums_are_long_on_average_over_the_frame():
    flow = np.zeros((2, 2, 4, 4), np.float32)
    flow[0, 0, ::2], flow[0, 0, 1::2] = 1, -1  # opposite halves: the sums' mean vector is nothing
    flow[1, 0, ::2] = -1
    assert apex_step(flow) == 0


def test_pipeline_standardises_after_the_descriptor():
    clips = np.stack([stack_of((5, 12, 12), seed) for seed in range(12)])
    labels = np.array(["up", "side"] * 6)
    clips[::2, :, 1] -= 0.2
    clips[1::2, :, 0] += 0.2
    model = flow_sums_svm().fit(clips[:8], labels[:8])
    assert list(model.named_steps) == ["features", "scale", "svm"]
    assert model.get_params()["svm__C"] == 1.0
    np.testing.assert_allclose(model["scale"].mean_, FlowSums().transform(clips[:8]).mean(axis=0))
    assert list(model.predict(clips[8:])) == labels[8:].tolist()
    rest, features = describe_once(flow_sums_svm(), clips)
    assert list(rest.named_steps) == ["scale", "svm"]
    np.testing.assert_array_equal(features, FlowSums().transform(clips))


def test_steps_at_rest_after_the_clip_change_nothing():
    """Without TIM a short clip is filled up with such steps, its last grey levels repeated."""
    stack = stack_of((5, 12, 12))
    rest = stack[-1:].repeat(4, axis=0)
    rest[:, :4] = 0
    padded = FlowSums().describe(np.concatenate([stack, rest]))
    np.testing.assert_array_equal(padded, FlowSums().describe(stack))


def test_still_clips_are_nothing():
    clips = np.zeros((4, 3, 5, 8, 8), np.float32)
    assert not FlowSums().transform(clips).any()
    model = flow_sums_svm().fit(clips, list("abab"))
    assert np.isfinite(model.predict_proba(clips)).all()


def test_refusals():
    clips = np.zeros((2, 3, 5, 8, 8))
    with pytest.raises(ElrcnError, match="channel"):
        FlowSums().transform(clips[:, :, :3])
    with pytest.raises(ElrcnError, match="divided"):
        FlowSums(blocks=(9, 6)).describe(clips[0])
    with pytest.raises(ElrcnError, match="two numbers"):
        FlowSums(blocks=(6,)).describe(clips[0])
