"""Figures 5 to 8: what is declared, what is shared, and their size in the paper."""

from functools import partial

import pytest
import torch

from elrcn.config import PROFILES, TemporalConfig, VGGConfig
from elrcn.estimate import estimate, lstm_table, planned_manifest
from elrcn.experiments import EMOTION_ABLATION, REGISTRY, Options, plan, plan_manifest, run
from elrcn.experiments.methods import LSTMS, lstm_text, scaled_units
from elrcn.models.networks import VGG, TemporalHead
from elrcn.published.numbers import recovered_bars
from elrcn.session import Session
from elrcn.workspace import Workspace

NAMES = ("figure5", "figure6", "figure7", "figure8")


def parameters(module, *arguments):
    with torch.device("meta"):
        made = module(*arguments, init="torch")
    return sum(p.numel() for p in made.parameters() if p.requires_grad)


def methods(name):
    return {m.name: m for m in REGISTRY[name].methods}


def test_what_is_declared():
    for name, page in zip(
        NAMES,
        ("spatial_only", "temporal_only", "spatio_temporal", "spatio_temporal"),
        strict=True,
    ):
        experiment = REGISTRY[name]
        assert (experiment.task, experiment.page) == (EMOTION_ABLATION, page)
        assert experiment.methods[0].name == "majority" and all(m.group for m in experiment.methods)
        labels = [m.label for m in experiment.methods]
        assert len(set(labels)) == len(labels)
    parts = {f"{kind}_{name}" for kind in ("scratch", "tuned", "svm")
             for name in ("grey", "flow", "strain", "all")}  # fmt: skip
    assert parts < set(methods("figure5"))
    assert set(LSTMS) < set(methods("figure6")) and set(LSTMS) < set(methods("figure8"))
    assert {"fc6", "fc7"} < set(methods("figure7"))


def test_units_are_the_papers_or_scaled_from_them():
    paper, demo, smoke = (PROFILES[n] for n in ("paper", "demo", "smoke"))
    for units in LSTMS.values():
        assert scaled_units(paper, units) == units
    assert scaled_units(demo, (3000,)) == demo.temporal.units
    assert scaled_units(smoke, (512,)) == (4,)  # 512 * 16 / 3000 = 2.7, and 4 are the least
    figure8 = REGISTRY["figure8"].methods
    assert [m.under(paper).label for m in figure8] == [m.label for m in figure8]
    assert figure8[2].under(smoke).label == "Flow, VGG fine-tuned, LSTM (16 for 3000)"
    assert lstm_text((3000, 1024), demo) == "LSTM (20-7 for 3000-1024)" or demo.temporal.units != (
        20,
    )
    assert lstm_text((512,)) == "LSTM (512)" and figure8[0].units == ()


def test_every_recovered_bar_stands_beside_a_method():
    assert recovered_bars("Figure 5") == {}
    for name in ("figure7", "figure8"):
        bars = recovered_bars(REGISTRY[name].paper)
        assert set(bars) == set(methods(name)) - {"majority"}


@pytest.fixture
def session(smoke_home):
    return Session(
        "smoke", workspace=Workspace(smoke_home), device="cpu", workers=1, progress=False
    )


def test_figures_share_one_flow_network_a_fold(session):
    store = session.workspace.cache / "spatial"
    kept = lambda: {p.name for p in store.glob("[!.]*")}  # noqa: E731
    before, p = kept(), plan("figure5", session)
    rows = run("figure5", session, ("tuned_flow",))["tuned_flow"]
    networks = kept()
    assert len(networks - before) == len(p.folds) and len(rows) == len(p.manifest)
    run("figure5", session, ("tuned_flow_mean",))
    run("figure7", session)
    run("figure8", session, ("lstm_512", "lstm_5000_1024"))
    assert kept() == networks
    flow = [name for name in networks - before if name.startswith("flow-")]
    features = {f.name.split("-")[0] for name in flow for f in (store / name).glob("*.npy")}
    assert features == {"fc6", "fc7", "softmax"}


def test_modules_alone_answer_every_clip(session):
    p = plan("figure6", session)
    results = run("figure6", session, ("lstm_512", "lstm_1024_1024"))
    results |= run("figure5", session, ("svm_flow",))
    assert all(len(rows) == len(p.manifest) for rows in results.values())
    # 50 px in the paper; no larger than the stacks.
    assert methods("figure6")["lstm_512"].build(session).pixels == 24


def test_frozen_features_keep_the_pretrained_weights(session):
    svm = methods("figure5")["svm_all"].build(session)
    tuned = methods("figure5")["tuned_all"].build(session)
    assert svm.pretrained == tuned.pretrained and svm.pretrained is not None
    assert svm.streams == tuned.streams == ("flow", "strain", "grey")
    scratch = methods("figure5")["scratch_all"].build(session)
    assert scratch.pretrained is None and scratch.streams == ("all",)


def test_sizes_at_paper_scale(tmp_path):
    paper = Session("paper", workspace=Workspace(tmp_path), device="cpu", progress=False)
    manifest = planned_manifest(paper.profile.corpus)
    plans = [plan_manifest(name, manifest) for name in NAMES]
    value = estimate(plans, paper, options=Options("none"))
    by_name = {(m.experiment, m.method): m for m in value.methods}
    assert all(m.folds == 26 for m in value.methods)
    vgg = {n: parameters(VGG, VGGConfig(), n, 5) for n in (3, 5)}
    sizes = lambda *key: [s.cost.parameters for s in by_name[key].stages]  # noqa: E731
    assert sizes("figure5", "tuned_all") == sizes("figure5", "svm_all") == [vgg[3]] * 3
    assert sizes("figure5", "scratch_all") == [vgg[5]]
    assert not any(s.trains for s in by_name["figure5", "svm_all"].stages)
    frozen = by_name["figure5", "svm_flow"].stages[0]
    assert frozen.flops == 26 * 246 * 9 * frozen.cost.forward_flops
    keras = partial(TemporalConfig, biases=1)
    for name, units in LSTMS.items():
        head = {n: parameters(TemporalHead, keras(units), n, 5) for n in (2500, 4096)}
        assert sizes("figure6", name) == [head[2500]]
        assert sizes("figure8", name) == [vgg[3], head[4096]]
    assert sizes("figure7", "fc6") == sizes("figure8", "lstm_3000_1024")
    table = lstm_table(
        plan_manifest("figure6", manifest, PROFILES["smoke"]).methods,
        PROFILES["smoke"],
        576,
        2500,
        5,
    )
    assert list(table["paper_parameters"]) == [sizes("figure6", n)[0] for n in LSTMS]
    assert table.loc["Grey pixels, LSTM (4 for 512)", "parameters_here"] == parameters(
        TemporalHead, TemporalConfig((4,)), 576, 5
    )


def test_work_that_a_store_shares_is_counted_once(tmp_path):
    demo = Session("demo", workspace=Workspace(tmp_path), device="cpu", progress=False)
    manifest, groups = planned_manifest(demo.profile.corpus), demo.profile.ablation_groups
    plans = [plan_manifest(name, manifest, demo.profile) for name in NAMES]
    value = estimate(plans, demo, options=Options("none"))
    spatial = [s for s in value.stages if isinstance(s.config, VGGConfig) and s.trains]
    # Four networks from scratch and three fine-tuned, whatever is made of them.
    assert sum(len(s.samples) for s in spatial) == 7 * groups
    alone = estimate(plans[3:], demo, options=Options("none"))
    stages = [s for s in alone.stages if isinstance(s.config, VGGConfig)]
    assert [(len(s.samples), s.shared) for s in stages] == [(groups, 0)] + [(0, groups)] * 4
    flow = demo.profile.vgg
    clips, network = len(plans[3].manifest), stages[0].cost.parameters
    size = groups * 4 * (network + clips * 9 * 2 * flow.fc)
    assert alone.disk["networks and features of all folds"] == size
