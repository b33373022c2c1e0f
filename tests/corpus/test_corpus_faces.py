import numpy as np
import pytest

from elrcn.corpus.face import identity_faces
from elrcn.corpus.film import Sitter
from elrcn.corpus.person import draw_identity


@pytest.fixture(scope="module")
def faces():
    return identity_faces(3, 4, 48, seed=1)


def test_identity_faces_shapes(faces):
    images, labels = faces
    assert images.shape == (12, 48, 48) and images.dtype == np.uint8
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_identity_faces_repeat_with_their_seed(faces):
    again, _ = identity_faces(3, 4, 48, seed=1)
    other, _ = identity_faces(1, 4, 48, seed=2)
    assert np.array_equal(again, faces[0])
    assert not np.array_equal(other, faces[0][:4])


def test_more_identities_do_not_change_the_first(faces):
    assert np.array_equal(identity_faces(1, 4, 48, seed=1)[0], faces[0][:4])


def test_a_person_resembles_itself_more_than_others(faces):
    images = faces[0].reshape(3, 4, -1).astype(float)
    images -= images.mean(-1, keepdims=True)
    images /= images.std(-1, keepdims=True)
    alike = images.reshape(12, -1) @ images.reshape(12, -1).T / images.shape[-1]
    same = np.kron(np.eye(3), np.ones((4, 4))).astype(bool)
    assert alike[same & ~np.eye(12, dtype=bool)].mean() > alike[~same].mean()


def test_identities_vary_in_geometry_and_tone():
    people = [draw_identity(s, "samm") for s in range(30)]
    assert np.std([p.melanin for p in people]) > 0.1
    assert np.std([p.eye_x for p in people]) > 0.01
    assert len({p.style for p in people}) >= 5
    assert draw_identity(4, "samm") == people[4]


@pytest.mark.parametrize("people", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_frontal_detector_finds_the_samm_like_faces(people):
    """At least 95% of identities, dlib's frontal detector without enlarging the picture."""
    dlib = pytest.importorskip("dlib")
    detector = dlib.get_frontal_face_detector()
    found, widths = 0, []
    for seed in range(people):
        sitter = Sitter(9000 + seed, "SAMM", "006")
        skin = sitter.face.shade(sitter.light)[0]
        picture = sitter.photograph(sitter.face.compose(sitter.light, skin))
        boxes = detector(np.clip(picture, 0, 255).astype(np.uint8), 0)
        found += len(boxes) == 1
        widths.append(boxes[0].width() if len(boxes) else 0)
    assert found >= 0.95 * people
    assert 180 < np.median(widths) < 290
