"""The rows of the tables: an estimator each, and what it takes as input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.base import BaseEstimator

from elrcn.config import PreprocessConfig, Profile
from elrcn.experiments.weights import Options, initial_weights
from elrcn.manifest import Manifest
from elrcn.session import Session


@dataclass(frozen=True)
class Method:
    """One row of a table: an estimator and what it takes as input.

    Attributes
    ----------
    name, label : str
        Identifier, and name in tables: the input, the network and how it is read, such as "Flow,
        VGG fine-tuned, votes"; "ELRCN-SE" and "ELRCN-TE" are the networks of Table I alone.
    build : callable
        ``build(session, options=Options())`` -> unfitted estimator. A method with
        `starts_from_weights` makes or converts them here.
    input : {"stack", "grey", "augmented"}
        Flow stacks (clips, T - 1, 5, size, size), grey sequences after TIM (clips, T, 1,
        flow_size, flow_size), or flow stacks that carry their augmented variants along
        (`elrcn.preprocess.cache.StackArray`).
    published : str
        The row of ``data_manifest/paper_results.csv`` it stands beside; "" if none.
    preprocess : callable
        The profile's `PreprocessConfig` -> the method's.
    starts_from_weights : bool
        Whether it is fine-tuned from weights learned elsewhere.
    seed : int
        Added to the session's seed.
    random : bool
        Whether its result depends on the seed: only then an experiment of several seeds repeats it.
    group : str
        Heading under which figures and tables put it, such as "from scratch".
    labels : callable, optional
        ``labels(manifest, labels)`` -> the classes it is trained and scored on, where these are
        not the manifest's.
    named : callable, optional
        ``named(profile)`` -> label and group under a profile, where these say what it changes.
    """

    name: str
    label: str
    build: Callable[..., BaseEstimator]
    input: str = "stack"
    published: str = ""
    preprocess: Callable[[PreprocessConfig], PreprocessConfig] = field(
        default=lambda config: config
    )
    starts_from_weights: bool = False
    seed: int = 0
    random: bool = True
    group: str = ""
    labels: Callable[[Manifest, np.ndarray], np.ndarray] | None = None
    named: Callable[[Profile], tuple[str, str]] | None = None

    def under(self, profile: Profile) -> Method:
        """Give it the label and the group that it has under `profile`."""
        if self.named is None:
            return self
        label, group = self.named(profile)
        return replace(self, label=label, group=group)


def _majority(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.base import majority_classifier

    return majority_classifier()


def _lbp_top(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.lbp_top import lbp_top_svm

    return lbp_top_svm(C=10000.0)


def _hog3d(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.hog3d import hog3d_svm

    return hog3d_svm(C=10000.0)


def _hoof(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.hoof import hoof_svm

    return hoof_svm(C=10000.0)


def _lbp_top_5x5(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.lbp_top import lbp_top_svm

    # Blocks and radii in common use on CASME II, whose frames come at 200 a second.
    return lbp_top_svm(C=10000.0, blocks=(5, 5), radii=(1, 1, 4))


def _flow_sums(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.features.flow_sums import flow_sums_svm

    return flow_sums_svm(until="middle")


def network_settings(session: Session) -> dict:
    """Return the constructor arguments that SE and TE share under the profile of `session`."""
    profile = session.profile
    return {
        "vgg": profile.vgg,
        "temporal": profile.temporal,
        "temporal_train": profile.temporal_train,
        "scaling": profile.scaling,
        "device": session.device,
        "threads": profile.threads_per_fold,
        "feature_store": str(session.workspace.cache / "spatial"),
    }


def _elrcn_se(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.models.estimators import ELRCN

    return ELRCN(spatial_train=session.profile.spatial_train, **network_settings(session))


def _elrcn_te(session: Session, options: Options = Options()) -> BaseEstimator:  # noqa: B008
    from elrcn.models.estimators import ELRCN, TE_STREAMS

    weights = initial_weights(session, options)
    return ELRCN(
        streams=TE_STREAMS,
        spatial_train=session.profile.finetune_train,
        pretrained=None if weights is None else str(weights),
        **network_settings(session),
    )


MAJORITY = Method("majority", "Largest training class", _majority, input="grey", random=False)
LBP_TOP = Method(
    "lbp_top", "LBP-TOP + linear SVM", _lbp_top, "grey", "LBP-TOP (reproduced)", random=False
)
LBP_TOP_5X5 = Method(
    "lbp_top_5x5", "LBP-TOP 5 x 5 + linear SVM", _lbp_top_5x5, "grey", random=False
)
FLOW_SUMS = Method("flow_sums", "Flow sums + linear SVM", _flow_sums, "stack", random=False)
HOG3D = Method("hog3d", "HOG-3D + linear SVM", _hog3d, "grey", "HOG-3D", random=False)
HOOF = Method("hoof", "HOOF + linear SVM", _hoof, "stack", "HOOF", random=False)
SE = Method("elrcn_se", "ELRCN-SE", _elrcn_se, published="ELRCN-SE")
TE = Method("elrcn_te", "ELRCN-TE", _elrcn_te, published="ELRCN-TE", starts_from_weights=True)
