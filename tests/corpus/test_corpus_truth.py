import re

import cv2
import numpy as np
import pytest

from elrcn.corpus.canvas import Canvas
from elrcn.corpus.person import UNITS, displacement_field, draw_identity, field_mask, landmarks
from elrcn.corpus.plan import plan_corpus
from elrcn.corpus.truth import Warp, displacement, expand, load_truth
from elrcn.errors import ElrcnError

VIEW = Canvas(140, 170, 62.0, 69.5, 58.0)
PLACES = {  # unit: a landmark its mask must hold
    1: "brow_inner", 2: "brow_outer", 4: "brow_inner", 5: "upper_lid", 6: "cheek", 7: "lower_lid",
    9: "nose_side", 10: "upper_lip", 12: "corner", 15: "corner", 17: "chin", 20: "corner",
    24: "lower_lip", 25: "lower_lip", 26: "chin",
}  # fmt: skip


@pytest.fixture(scope="module")
def person():
    return draw_identity(3, "casme2")


@pytest.mark.parametrize("number", sorted(UNITS))
def test_fields_peak_at_one_pixel_and_mirror(number, person):
    field = displacement_field(VIEW, person, number)
    assert np.hypot(*np.moveaxis(field, -1, 0)).max() == pytest.approx(1, abs=1e-5)
    flipped = field[:, ::-1] * np.array((-1, 1))
    assert np.allclose(field, flipped, atol=2e-3)


@pytest.mark.parametrize("number", sorted(PLACES))
def test_masks_lie_at_the_muscle(number, person):
    mask = field_mask(displacement_field(VIEW, person, number))
    x, y = landmarks(person)[PLACES[number]]
    assert mask[round(y * VIEW.unit + VIEW.cy), round(x * VIEW.unit + VIEW.cx)]
    assert mask.mean() < 0.25


def test_every_unit_of_the_brief_is_there():
    assert set(UNITS) >= {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 24, 25, 26}


def test_brows_go_up_and_down_and_corners_where_they_should(person):
    def at(number, place):
        x, y = landmarks(person)[place]
        field = displacement_field(VIEW, person, number)
        return field[round(y * VIEW.unit + VIEW.cy), round(x * VIEW.unit + VIEW.cx)]

    assert at(1, "brow_inner")[1] < -0.5 < 0.5 < at(4, "brow_inner")[1]
    assert at(12, "corner")[1] < -0.3 < 0.5 < at(15, "corner")[1]
    assert at(20, "corner")[0] > 0.5


def test_one_sided_fields_stay_on_their_side(person):
    left = np.hypot(*np.moveaxis(displacement_field(VIEW, person, 12, "L"), -1, 0))
    middle = round(VIEW.cx)
    assert left[:, : middle - 10].max() < 0.01 < 0.9 < left[:, middle + 10 :].max()


def test_fields_are_distinct(person):
    fields = {n: displacement_field(VIEW, person, n).ravel() for n in UNITS}
    for a in fields:
        for b in fields:
            if a < b:
                cosine = fields[a] @ fields[b]
                cosine /= np.linalg.norm(fields[a]) * np.linalg.norm(fields[b])
                assert cosine < 0.85, (a, b)


def test_displacement_of_a_known_shift():
    fields = np.zeros((1, 40, 50, 2), np.float32)
    none, rest = np.zeros(1), np.zeros(4)
    moved = displacement(fields, none, rest, none, np.array((1.5, -0.5, 0, 0)))
    assert np.allclose(moved, (1.5, -0.5), atol=1e-4)


def test_displacement_undoes_the_sampling_map(person):
    """The truth tells where a point that the warp sampled has gone: exact to a hundredth."""
    basis = -displacement_field(VIEW, person, 12)[None].astype(np.float16)
    fields = expand(basis, 280, 340)
    head, still = np.array((0.7, -0.4, 0.004, 0.002)), np.zeros(4)
    d = displacement(fields, np.zeros(1), still, np.array((2.5,)), head)
    maps = Warp(basis, 280, 340).sampling_map(np.array((2.5,)), head)
    y, x = np.mgrid[20:320, 20:260].astype(np.float32)
    inside = d[20:320, 20:260]
    back = [cv2.remap(m, x + inside[..., 0], y + inside[..., 1], cv2.INTER_LINEAR) for m in maps]
    assert np.abs(back[0] - x).max() < 0.03 and np.abs(back[1] - y).max() < 0.03


@pytest.fixture(scope="module")
def clips(tiny_corpus, tiny_config):
    return [(p, load_truth(tiny_corpus.root, p.clip_id)) for p in plan_corpus(tiny_config)]


def test_truth_agrees_with_the_plan(clips):
    for plan, truth in clips:
        assert truth.units == tuple(n for n, _ in plan.units)
        assert truth.offset - truth.onset + 1 == plan.length
        assert truth.onset < truth.apex < truth.offset
        assert len(truth.numbers) == plan.before + plan.length + plan.after
        strongest = truth.amounts[:, 0]
        assert strongest[truth.row(truth.apex)] >= 0.95 * strongest.max()
        assert strongest[truth.row(truth.onset)] == 0
        assert set(truth.masks) == {n for n, _ in plan.units}
    still = clips[0][1].displacement(clips[0][1].onset)
    assert still.shape == (340, 280, 2)
    assert np.abs(still).max() < 2e-3


def test_motion_in_the_frames_is_the_true_one(clips, tiny_corpus):
    """TV-L1 flow from onset to apex has a smaller error than the motion it explains."""
    solver = cv2.optflow.DualTVL1OpticalFlow_create()
    for plan, truth in clips[:1]:
        folder = tiny_corpus.casme2 / "Cropped" / plan.folder
        files = {int(re.search(r"\d+", p.name)[0]): p for p in folder.iterdir()}
        a, b = (cv2.imread(str(files[n]), 0) for n in (truth.onset, truth.apex))
        true = truth.displacement(truth.apex)
        flow = solver.calc(a, b, None)
        mask = np.any(list(truth.masks.values()), axis=0)
        error = np.hypot(*np.moveaxis(flow - true, -1, 0))[mask].mean()
        size = np.hypot(*np.moveaxis(true, -1, 0))[mask].mean()
        assert error < 0.6 * size


def test_missing_truth_is_told(tiny_corpus, clips):
    with pytest.raises(ElrcnError, match="No true motion"):
        load_truth(tiny_corpus.root, "CASME2/sub77/EP01_01")
    with pytest.raises(ElrcnError, match="has no frame"):
        clips[0][1].displacement(10**6)
