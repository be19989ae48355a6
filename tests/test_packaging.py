"""What a user installs is what stands in the tree, and nothing of it is called eval at the top."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves a build folder where it works
    source.mkdir()
    for name in ("pipeline", "chat", "convert", "eval", "medllm"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, source / name, symlinks=True, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_every_file_of_the_tree(wheel: zipfile.ZipFile, root: Path) -> None:
    tree = {"medllm/__init__.py", "medllm/py.typed"}
    for folder in ("pipeline", "chat", "convert", "eval"):
        found = (path for path in (root / folder).rglob("*") if path.is_file())
        tree |= {
            f"medllm/{path.relative_to(root)}" for path in found if "__pycache__" not in path.parts
        }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == tree


def test_nothing_else_lands_at_the_top_of_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"medllm"}


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = {name.split("/", 1)[1]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert b"medllm = medllm.pipeline.cli:main" in wheel.read(names["entry_points.txt"])
    assert "licenses/LICENSE" in names


def test_the_links_are_relative_and_committed(root: Path) -> None:
    for name in ("pipeline", "chat", "convert", "eval"):
        link = root / "medllm" / name
        assert link.is_symlink()
        assert str(link.readlink()) == f"../{name}"


def test_every_requirement_of_the_lock_is_pinned(root: Path) -> None:
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert "torch==2.13.0" in pins
    assert all(line.count("==") == 1 for line in pins)
    assert not [line for line in pins if line.startswith(("nvidia", "triton", "cuda"))]
