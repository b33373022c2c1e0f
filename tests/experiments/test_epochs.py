"""Epochs: what differs between their methods, and what must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from elrcn.config import PROFILES, TemporalConfig, TrainConfig
from elrcn.experiments import REGISTRY, plan, run
from elrcn.experiments.methods import EPOCHS, epochs_in, rows_by_epochs
from elrcn.models.inputs import TensorSource
from elrcn.models.networks import TemporalHead
from elrcn.models.train import reproducible as torch_session
from elrcn.models.train import train
from elrcn.session import Session
from elrcn.workspace import Workspace


class Watched(TensorSource):
    """Keeps a copy of the weights at the start of every epoch."""

    def __init__(self, tensor, module):
        super().__init__(tensor)
        self.module, self.seen = module, []

    def batches(self, batches):
        self.seen.append({k: v.clone() for k, v in self.module.state_dict().items()})
        return super().batches(batches)


def trained(epochs):
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(24, 5, 6)).astype(np.float32))
    y = np.arange(24) % 3
    with torch_session(torch.device("cpu"), 7, 1):
        head = TemporalHead(TemporalConfig(units=(8,)), 6, 3)
        source = Watched(x, head)
        config = TrainConfig(lr=1e-2, batch_size=8, max_epochs=epochs, patience=epochs)
        history = train(head, source, y, config, device=torch.device("cpu"), seed=7)
    return head, history, source.seen


def test_few_epochs_are_the_beginning_of_many():
    _, long, seen = trained(9)
    for k in (1, 4):
        head, history, _ = trained(k)
        assert history.losses == long.losses[:k]
        for name, value in head.state_dict().items():
            assert torch.equal(value, seen[k][name])


def test_declared():
    epochs = REGISTRY["epochs"]
    assert len({m.name for m in epochs.methods}) == 2 * len(EPOCHS)
    assert all(m.seed == 0 for m in epochs.methods)
    assert [epochs_in(PROFILES["paper"], k) for k in EPOCHS] == [10, 20, 50, 100]
    assert [epochs_in(PROFILES["demo"], k) for k in EPOCHS] == [1, 2, 5, 10]
    assert [epochs_in(PROFILES["smoke"], k) for k in EPOCHS] == [1, 1, 2, 3]


def test_epochs_change_the_temporal_stage_alone(smoke_home):
    session = Session("smoke", workspace=Workspace(smoke_home), device="cpu", progress=False)
    methods = {m.name: m for m in REGISTRY["epochs"].methods}
    for prefix, table in (("se", "elrcn_se"), ("te", "elrcn_te")):
        usual = next(m for m in plan("table1", session).methods if m.name == table)
        expected = usual.build(session).get_params(deep=False)
        got = methods[f"{prefix}_epochs_50pc"].build(session).get_params(deep=False)
        differing = {k for k in expected if expected[k] != got[k]}
        assert differing == {"temporal_train"}
        assert (
            replace(got["temporal_train"], max_epochs=3, patience=0)
            == PROFILES["smoke"].temporal_train
        )
        assert got["temporal_train"].max_epochs == 2


@pytest.mark.slow
def test_rows_of_table_one_are_found_again_at_its_last_epoch(smoke_home):
    session = Session(
        "smoke", workspace=Workspace(smoke_home), device="cpu", workers=1, progress=False
    )
    names = [m.name for m in REGISTRY["epochs"].methods if m.name.startswith("se_")]
    by_epochs = rows_by_epochs(run("epochs", session, names), "se", session.profile)
    assert list(by_epochs) == [1, 2, 3]
    usual = run("table1", session, ["elrcn_se"], seeds=1)["elrcn_se"]
    chances = [c for c in usual.columns if c.startswith("p_")]
    distances = [np.abs(rows[chances] - usual[chances]).to_numpy().max(1) for rows in
                 by_epochs.values()]  # fmt: skip
    # Each fold of Table I stopped at one of these epochs, and with these very answers.
    assert np.min(distances, axis=0).max() == 0
