"""`elrcn run` and `elrcn list` as a user types them, on a smoke-sized workspace."""

import shutil

import pytest

from elrcn.cli import main
from elrcn.features.base import LinearSVM
from elrcn.workspace import find_workspace

HERE = find_workspace(__file__)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("home")
    shutil.copy(HERE.root / "_toc.yml", root)
    shutil.copytree(HERE.data_manifest, root / "data_manifest")
    return root


@pytest.fixture
def elrcn(home, monkeypatch, capsys):
    """Call the command line in an empty workspace."""
    monkeypatch.setenv("ELRCN_HOME", str(home))
    for name in ("ELRCN_VGGFACE", "ELRCN_CASME2", "ELRCN_SAMM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "no-config"))

    def call(line):
        with pytest.raises(SystemExit) as end:
            main(line.split())
        out = capsys.readouterr()
        return end.value.code, out.out, out.err

    return call


def test_list_names_tables_figures_and_groups(elrcn):
    code, out, _ = elrcn("list")
    assert code == 0
    assert "table2     Table II, Figure 2" in out
    assert "Table III, Figure 3, Figure 4" in out
    assert "all of: table1, table2, table3" in out


def test_dry_run_of_the_paper_profile_computes_nothing(elrcn, home):
    code, out, err = elrcn("run tables --profile paper --dry-run --no-probe --device cpu")
    assert code == 0, err
    # Folds, shapes and parameter counts of the paper.
    assert "246 clips (synthetic dataset, not yet made), 26 folds, LOSO" in out
    assert "253 clips (synthetic dataset, not yet made), 47 folds, CDE" in out
    assert "2 folds, 0 of them stored; input 253 clips x 9 x 5 x 224 x 224" in out
    assert "spatial (all): 5 x 224 x 224, 134,282,181 parameters" in out
    assert "spatial (flow), spatial (strain), spatial (grey), each: 3 x 224 x 224" in out
    assert "temporal: 9 x 12288, 183,483,005 parameters" in out
    # Estimates, with the assumption behind them.
    assert "30% of 312 TFLOP/s (bf16)" in out
    assert "flow stacks: 2.84 GB" in out
    assert "of a GPU's own" in out
    # 134 million weights a network are not kept, their features are.
    assert "networks and features of all folds: 38.45 GB" in out
    assert all(f"table1 elrcn_se (seed {k}): 26 folds" in out for k in range(3))
    assert "table2 elrcn_se: 47 folds" in out
    assert "before it can run: ELRCN-TE of the paper starts from the VGG-Face weights" in out
    assert not (home / "data").exists() and not (home / "runs").exists()


def test_assumed_gpu_is_an_option(elrcn):
    line = "run table1 --profile paper --method elrcn_se --dry-run --no-probe"
    _, out, _ = elrcn(f"{line} --gpu-tflops 100 --gpu-share 0.5")
    assert "50% of 100 TFLOP/s (bf16)" in out


@pytest.mark.parametrize(
    "line, message",
    [
        ("run table1 --method elrcn_se --no-probe", "this machine has a CPU"),
        ("run table1 --method elrcn_te --no-probe --yes", "no file was given"),
        ("run table1 --vggface nowhere.mat", "There is no VGG-Face weights file here."),
        ("run table1 --pretrained imagenet", "no pretrained weights called 'imagenet'"),
        ("run table1 --pretrained none --vggface x.t7", "and pretrained weights 'none' as well"),
        ("run table1 --pretrained vggface --profile smoke", "fit the full VGG-16 only"),
        ("run table9", "There is no experiment called 'table9'."),
        ("run table1 --method hoof", "there is no method 'hoof'"),
        ("run", "Missing argument"),
    ],
)
def test_refusals(elrcn, home, line, message):
    profile = "" if "--profile" in line or line == "run" else " --profile paper --device cpu"
    code, _, err = elrcn(line + profile)
    assert code == 2 and message in err
    assert "Traceback" not in err
    assert not (home / "runs").exists()


def test_cpu_refusal_says_how_to_go_on(elrcn):
    _, _, err = elrcn("run table1 --profile paper --device cpu --method elrcn_se --no-probe")
    assert "--yes" in err and "--profile demo" in err


def test_svms_that_stop_are_one_line(elrcn, smoke_home, monkeypatch):
    monkeypatch.setenv("ELRCN_HOME", str(smoke_home))
    monkeypatch.setattr(LinearSVM.__init__, "__defaults__", (10000.0, 1, False))
    line = "run table3 --profile smoke --device cpu --workers 1 --quiet --method hoof"
    for _ in range(2):  # the second time from the disk
        code, out, err = elrcn(line)
        assert code == 0, err
        assert "Warning" not in out + err
        assert "SVMs that stopped at their limit of iterations: HOOF + linear SVM in 2 of 2" in out


def test_several_tables_in_one_command(elrcn, smoke_home, monkeypatch):
    monkeypatch.setenv("ELRCN_HOME", str(smoke_home))
    line = "run tables --profile smoke --device cpu --workers 1 --quiet"
    code, out, err = elrcn(f"{line} --method majority --method hoof --method elrcn_te")
    assert code == 0, err
    assert [out.count(name) for name in ("Table I:", "Table II:", "Table III:")] == [1, 1, 1]
    assert out.count("\nmajority ") == 3 and out.count("\nhoof ") == 1
    assert out.count("all folds pooled") == 2 and out.count("mean of the folds' scores") == 1
    # What is stored is known without training, and TE's starting weights are found again.
    code, out, _ = elrcn("run table1 --profile smoke --device cpu --dry-run --no-probe")
    assert all(f"table1 elrcn_te (seed {k}): 3 folds, 3 of them stored" in out for k in range(3))
    # Under another seed nothing is, whatever the tests before have run.
    _, out, _ = elrcn("run table1 --profile smoke --device cpu --dry-run --no-probe --seed 77")
    assert all(f"table1 elrcn_se (seed {k}): 3 folds, 0 of them stored" in out for k in range(3))
    code, out, _ = elrcn(
        "run table1 --profile smoke --device cpu --dry-run --pretrained none --no-probe"
    )
    assert all(f"table1 elrcn_te (seed {k}): 3 folds, 0 of them stored" in out for k in range(3))
    _, out, _ = elrcn(
        "run table1 --profile smoke --device cpu --dry-run --method elrcn_se --seed 77"
    )
    assert "time here (cpu): at most" in out and "timed just now" in out
