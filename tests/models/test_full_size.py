"""Section III at full size: one training step and one prediction through the real loader."""

import resource

import numpy as np
import pytest
import torch

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
from elrcn.models.estimators import ELRCN, TE_STREAMS
from elrcn.models.networks import VGG
from elrcn.models.weights import convert_vggface

ONE_STEP = TrainConfig(batch_size=2, max_epochs=1)


@pytest.fixture(scope="module")
def vggface(tmp_path_factory):
    """A file like vgg_face_dag.pth: the right names and shapes, random values."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    torch.save(VGG(VGGConfig(), 3, 2622).state_dict(), folder / "vgg_face_dag.pth")
    path = convert_vggface(folder / "vgg_face_dag.pth", folder)
    (folder / "vgg_face_dag.pth").unlink()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("streams", [("all",), TE_STREAMS])
def test_one_step_and_one_prediction(streams, request):
    rng = np.random.default_rng(0)
    X = rng.normal(0, 0.2, (2, 1, 5, 224, 224)).astype(np.float32)
    X[:, :, 4] = rng.integers(0, 256, (2, 1, 224, 224))
    options = {}
    if streams == TE_STREAMS:
        options = {"pretrained": request.getfixturevalue("vggface")}
    model = ELRCN(
        streams=streams,
        temporal=TemporalConfig((3000,)),
        spatial_train=ONE_STEP,
        temporal_train=ONE_STEP,
        device="cpu",
        **options,
    ).fit(X, ["disgust", "surprise"])
    assert model.spatial_features(X).shape == (2, 1, 4096 * len(streams))
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1, rtol=1e-4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(streams)} network(s) at full size: peak memory {peak:.1f} GiB")
