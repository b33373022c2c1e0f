"""Costs counted from configurations, against torch's own counter and numbers worked by hand."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from elrcn.config import PROFILES, TemporalConfig, TrainConfig, VGGConfig
from elrcn.estimate import (
    Speed,
    Stage,
    duration,
    estimate,
    full_size,
    planned_manifest,
    stages,
    temporal_cost,
    time_training,
    vgg_cost,
)
from elrcn.evaluation.protocols import Fold
from elrcn.experiments import Options, plan_manifest
from elrcn.models.estimators import ELRCN, TE_STREAMS
from elrcn.models.networks import VGG, TemporalHead, count_parameters
from elrcn.session import Session
from elrcn.workspace import Workspace


def counted(module, x, backward):
    with FlopCounterMode(display=False) as counter:
        y = module(x)
        if backward:
            y.sum().backward()
    return counter.get_total_flops()


def test_vgg16_at_full_size():
    cost = vgg_cost(VGGConfig(), 3, 1000)
    assert cost.parameters == 138_357_544  # Simonyan and Zisserman's VGG-16
    assert cost.macs / 1e9 == pytest.approx(15.47, abs=0.005)  # the 15.5 GMAC of the literature
    assert cost.first_macs == 27 * 64 * 224**2
    assert cost.training_flops == 6 * cost.macs - 2 * cost.first_macs


@pytest.mark.parametrize("channels", [3, 5])
def test_vgg_operations_as_torch_counts_them(channels):
    config = VGGConfig(32, (2, 1), (4, 6), 10)
    module, x = VGG(config, channels, 7), torch.randn(1, channels, 32, 32)
    cost = vgg_cost(config, channels, 7)
    assert count_parameters(module) == cost.parameters
    assert counted(module, x, False) == cost.forward_flops
    assert counted(module, x, True) == cost.training_flops


@pytest.mark.parametrize("config", [TemporalConfig((20,)), TemporalConfig((20, 12), 6, 1)])
def test_lstm_operations_as_torch_counts_them(config):
    # The hard gates are written out step by step, so that the counter sees every product.
    module, x = TemporalHead(config, 30, 5, gates="hard"), torch.randn(1, 9, 30)
    cost = temporal_cost(config, 30, 9, 5)
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == cost.parameters
    assert counted(module, x, False) == cost.forward_flops
    # Nobody needs the gradient of the state before the first step: torch counts as much less.
    first_states = 2 * sum(4 * units * units for units in config.units)
    assert counted(module, x, True) == cost.training_flops - first_states


def hand_stage(samples=(10, 33), batch=10, epochs=2):
    cost = vgg_cost(VGGConfig(4, (1,), (2,), 3), 1, 2)
    train = TrainConfig(batch_size=batch, max_epochs=epochs)
    return Stage("spatial", VGGConfig(4, (1,), (2,), 3), 1, cost, train, samples, 7)


def test_arithmetic_of_a_stage_by_hand():
    stage = hand_stage()
    macs = 9 * 1 * 2 * 16 + 8 * 3 + 3 * 3 + 3 * 2
    assert stage.cost.macs == macs == 327
    assert stage.updates == 2 * (1 + 4)
    assert stage.trained == 2 * 43
    assert stage.flops == 86 * (6 * 327 - 2 * 288) + 7 * 2 * 327
    kept, pooled = 2 * 16 + 2 * (3 + 3 + 2), 2 * 4
    values = 4 * (kept + pooled) + 8 * pooled
    assert stage.memory(4) == 16 * stage.cost.parameters + 1.5 * 10 * values


def test_speed_counts_passes_and_updates():
    stage = hand_stage()
    seconds = Speed(flops_per_s=1000.0, update_s=0.5).seconds(stage)
    assert seconds == stage.flops / 1000 + 10 * 0.5 * stage.cost.parameters


def test_te_has_three_networks_and_a_temporal_stage():
    folds = [Fold("a", np.arange(2, 10), np.arange(2)), Fold("b", np.arange(8), np.arange(8, 10))]
    parts = stages(ELRCN(streams=TE_STREAMS), folds, 9, 5)
    assert [s.name for s in parts] == [
        "spatial (flow)", "spatial (strain)", "spatial (grey)", "temporal",
    ]  # fmt: skip
    assert parts[0].samples == (72, 72) and parts[0].applied == 180
    assert parts[3].samples == (8, 8) and parts[3].inputs == 3 * 4096
    with torch.device("meta"):
        head = TemporalHead(TemporalConfig(), 12288, 5, init="torch")
    assert parts[3].cost.parameters == count_parameters(head)


@pytest.fixture
def session(tmp_path):
    return Session("smoke", workspace=Workspace(tmp_path), device="cpu", workers=2, progress=False)


@pytest.fixture
def plans(session):
    manifest = planned_manifest(session.profile.corpus)
    return [plan_manifest(name, manifest) for name in ("table1", "table2", "table3")]


def test_totals_share_what_is_shared(plans, session):
    together = estimate(plans, session)
    apart = [estimate([p], session) for p in plans]
    assert together.gpu_hours() == pytest.approx(sum(e.gpu_hours() for e in apart))
    clips = {c for p in plans for c in p.manifest.table["clip_id"]}
    assert together.disk["flow stacks"] == len(clips) * 9 * 5 * 24 * 24 * 4
    assert together.disk["grey sequences"] == len(clips) * 10 * 64 * 64
    assert together.gpu_hours(1e12, 0.5) == pytest.approx(2 * together.gpu_hours(1e12, 1.0))
    assert not any(session.workspace.root.iterdir())


def test_full_size_is_counted_by_hand():
    value, paper = full_size(["table1"]), PROFILES["paper"]
    (se,) = (m for m in value.methods if m.method == "elrcn_se (seed 0)")
    # 246 clips of 26 subjects: every clip is trained on in 25 folds; 9 frames.
    assert sum(se.stages[0].samples) == 246 * 25 * 9
    epochs = paper.spatial_train.max_epochs
    each = vgg_cost(paper.vgg, 5, 5)
    expected = 246 * 25 * 9 * epochs * each.training_flops
    assert se.stages[0].flops == expected + 246 * 26 * 9 * each.forward_flops
    assert all(not m.stored for m in value.methods)


def test_methods_may_be_chosen(plans, session):
    only = estimate(plans, session, ("hoof",))
    assert [(m.experiment, m.method) for m in only.methods] == [("table3", "hoof")]
    assert not only.stages and only.gpu_hours() == 0


def test_measured_speeds_cover_every_network(plans, session):
    value = estimate(plans[:1], session)
    speeds = time_training(value.stages, session, steps=1)
    assert set(speeds) == {s.config for s in value.stages} and len(speeds) == 2
    assert value.measured_hours(speeds) > 0
    assert value.at_once == 2


def test_paper_profile_is_the_papers_section_iii():
    paper = PROFILES["paper"]
    assert paper.vgg == VGGConfig() and paper.temporal.units == (3000,)
    assert (paper.preprocess.size, paper.preprocess.tim_length) == (224, 10)
    for train in (paper.spatial_train, paper.finetune_train, paper.temporal_train):
        assert (train.lr, train.decay, train.max_epochs) == (1e-5, 1e-6, 100)
    assert paper.scaling == "raw"


@pytest.mark.parametrize(
    "hours, text", [(0.0, "1 s"), (0.01, "36 s"), (1, "60 min"), (5.25, "5.2 h"), (744, "31 days")]
)
def test_duration(hours, text):
    assert duration(hours) == text


def test_variants_of_clips_are_counted(tmp_path):
    session = Session("demo", workspace=Workspace(tmp_path), device="cpu", progress=False)
    manifest = planned_manifest(session.profile.corpus)
    p = plan_manifest("augmentation", manifest, session.profile)
    value = estimate([p], session, options=Options("none"))
    plain, varied = (
        next(m for m in value.methods if m.method == name)
        for name in ("elrcn_se", "elrcn_se_augmented")
    )
    assert (plain.copies, varied.copies) == (1, 5)
    assert varied.stages[0].samples == tuple(5 * n for n in plain.stages[0].samples)
    assert not varied.stages[0].shared
    stack = 4 * 9 * 5 * session.profile.preprocess.size**2
    # The plain copy is one of the five, and held once.
    assert value.disk["flow stacks"] == 5 * len(p.manifest) * stack
