"""The files around the library agree with each other and with what is installed."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from elrcn.workspace import find_workspace

ROOT = find_workspace(__file__).root
EXTRA_KEYS = "metadata.papermill cell.metadata.papermill cell.metadata.execution"


def pins():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in found}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared():
    data = project()
    extras = data["optional-dependencies"].values()
    return [Requirement(r) for r in [*data["dependencies"], *(r for e in extras for r in e)]]


def test_every_requirement_is_pinned_exactly_and_once():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert len(names) == len(pins())
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", name) for name in names)
    assert "torch==2.13.0" in names


def test_pins_satisfy_the_projects_bounds():
    for requirement in declared():
        (pin,) = pins()[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def imported(path, everywhere):
    """Distributions that a module imports, when it is loaded or (`everywhere`) at any time."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    names -= {"elrcn", *sys.stdlib_module_names}
    # dlib-bin does not say which module it brings.
    packages = {"dlib": ["dlib-bin"], **importlib.metadata.packages_distributions()}
    return {canonicalize_name(one) for name in names for one in packages[name]}


def test_what_the_library_imports_is_declared():
    """The book's packages are needed by `publish` alone; others come when they are asked for."""
    needed = {canonicalize_name(Requirement(r).name) for r in project()["dependencies"]}
    extras = project()["optional-dependencies"]
    book = {canonicalize_name(Requirement(r).name) for r in extras["book"]}
    every = {canonicalize_name(r.name) for r in declared()}
    for path in sorted((ROOT / "elrcn").rglob("*.py")):
        may = needed | book if path.parent.name == "publish" else needed
        assert imported(path, False) <= may, path
        assert imported(path, True) <= every, path


def test_pins_are_complete_and_what_is_installed():
    known = pins()
    # A CUDA build of torch pins the libraries of its own kind itself.
    own = re.compile(r"nvidia-|cuda-|triton|cudnn")
    for name, requirement in known.items():
        (pin,) = requirement.specifier
        installed = Version(importlib.metadata.version(name))
        assert installed.public == Version(pin.version).public, name
        for text in importlib.metadata.requires(name) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                child = canonicalize_name(needed.name)
                assert child in known or own.match(child), f"{name} brings {child}"


def test_conda_and_binder_get_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "-r requirements.txt" in pip
    # A second list could differ.
    assert not any("==" in line for line in pip)
    assert any(line.endswith("/whl/cpu") for line in pip)
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    version = python.removeprefix("python=")
    assert version in project()["requires-python"]
    # With a folder binder/ Binder would ignore environment.yml.
    assert not (ROOT / "binder").exists() and not (ROOT / ".binder").exists()


def test_version_is_said_once():
    import elrcn

    assert elrcn.__version__ == project()["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project()["version"]
    assert f"## {project()['version']}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    "target", ["help", "install", "book", "test", "test-slow", "check", "bench", "clean"]
)
def test_make_knows_its_targets(target):
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(rf"^ +make {target} ", shown.stdout, re.MULTILINE)


def test_the_same_keys_are_stripped_everywhere():
    for name in ("Makefile", ".pre-commit-config.yaml"):
        assert EXTRA_KEYS in (ROOT / name).read_text()


def test_hooks_are_local_and_fetch_nothing():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {r["repo"] for r in config["repos"]} == {"local"}
    assert {h["language"] for r in config["repos"] for h in r["hooks"]} == {"system"}


def test_ci_runs_everything():
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    text = path.read_text()
    for command in ("make check", "make test", "make test-slow", "make book PROFILE=smoke"):
        assert command in text


def test_importing_the_package_is_light():
    code = "import sys, elrcn; print([m for m in ('torch', 'cv2', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
