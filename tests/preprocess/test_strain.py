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
    np.testing.assert_allclose(strain[0, 1:], abs(a), rtol=1e-6)
    np.testing.assert_allclose(strain[1:, 0], abs(b), rtol=1e-6)
    assert strain[0, 0] == 0


def test_pure_shear_and_rotation():
    x, y = grid(16, 16)
    shear = optical_strain(np.stack([0.5 * y, np.zeros_like(x)], -1))
    # e_xy = e_yx = 1/4, so that Eq 4 gives sqrt(2) / 4.
    np.testing.assert_allclose(shear[1:, 1:], np.sqrt(2) / 4, rtol=1e-6)
    turned = optical_strain(np.stack([-0.5 * y, 0.5 * x], -1))
    # A turn has no strain; at the border half of the shear is missing, which cancels the rest.
    assert (turned[1:, 1:] == 0).all() and turned[0, 0] == 0
    np.testing.assert_allclose(turned[0, 1:], np.sqrt(0.125), rtol=1e-6)
    np.testing.assert_allclose(turned[1:, 0], np.sqrt(0.125), rtol=1e-6)


def test_equals_the_tensor_of_equations_2_to_4():
    flow = np.random.default_rng(0).normal(size=(25, 31, 2)).astype(np.float32)
    u, v = np.moveaxis(flow.astype(float), -1, 0)
    # Repeating the first column and row makes the difference across a missing neighbour zero.
    u_x, v_x = (np.diff(c, axis=1, prepend=c[:, :1]) for c in (u, v))
    u_y, v_y = (np.diff(c, axis=0, prepend=c[:1]) for c in (u, v))
    gradient = np.moveaxis(np.array([[u_x, u_y], [v_x, v_y]]), (0, 1), (-2, -1))
    tensor = (gradient + np.swapaxes(gradient, -1, -2)) / 2
    expected = np.sqrt((tensor**2).sum((-2, -1)))
    np.testing.assert_allclose(optical_strain(flow), expected, rtol=1e-5)
    np.testing.assert_allclose(expected[0], np.sqrt(u_x[0] ** 2 + v_x[0] ** 2 / 2))
    np.testing.assert_allclose(expected[:, 0], np.sqrt(v_y[:, 0] ** 2 + u_y[:, 0] ** 2 / 2))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 130)])
def test_any_shape(shape):
    flow = np.random.default_rng(1).normal(size=(*shape, 2)).astype(np.float32)
    larger = np.pad(flow, ((1, 0), (1, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(optical_strain(flow), optical_strain(larger)[1:, 1:])


def test_refuses_another_shape():
    with pytest.raises(ElrcnError, match="shape"):
        optical_strain(np.zeros((5, 5, 3), np.float32))
