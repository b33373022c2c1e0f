import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.preprocess.strain import optical_strain


def grid(height, width):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def test_translation_has_no_strain():
    flow = np.empty((20, 30, 2), np.float32)
    flow[:] = 1.25, -0.5
    assert (optical_strain(flow) == 0).all()


@pytest.mark.parametrize("a, b", [(0.5, 0.5), (0.25, -0.125), (0, 0.0625)])
def test_uniform_stretch(a, b):
    x, y = grid(16, 24)
    strain = optical_strain(np.stack([a * x, b * y], -1))
    np.testing.assert_allclose(strain[1:, 1:], np.hypot(a, b), rtol=1e-6)
    assert (strain[0] == 0).all() and (strain[:, 0] == 0).all()


def test_pure_shear_and_rotation():
    x, y = grid(16, 16)
    shear = optical_strain(np.stack([0.5 * y, np.zeros_like(x)], -1))
    # e_xy = e_yx = 1/4, so that Eq 4 gives sqrt(2) / 4.
    np.testing.assert_allclose(shear[1:, 1:], np.sqrt(2) / 4, rtol=1e-6)
    assert (optical_strain(np.stack([-0.5 * y, 0.5 * x], -1)) == 0).all()


def test_equals_the_tensor_of_equations_2_to_4():
    flow = np.random.default_rng(0).normal(size=(25, 31, 2)).astype(np.float32)
    u, v = np.moveaxis(flow.astype(float), -1, 0)
    u_x, v_x = (np.diff(c, axis=1)[1:] for c in (u, v))
    u_y, v_y = (np.diff(c, axis=0)[:, 1:] for c in (u, v))
    gradient = np.moveaxis(np.array([[u_x, u_y], [v_x, v_y]]), (0, 1), (-2, -1))
    tensor = (gradient + np.swapaxes(gradient, -1, -2)) / 2
    expected = np.sqrt((tensor**2).sum((-2, -1)))
    np.testing.assert_allclose(optical_strain(flow)[1:, 1:], expected, rtol=1e-5)


def test_refuses_another_shape():
    with pytest.raises(ElrcnError, match="shape"):
        optical_strain(np.zeros((5, 5, 3), np.float32))
