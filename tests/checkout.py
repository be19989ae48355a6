"""A checkout of this project in another folder, with this environment, to run make in."""

import shutil
from pathlib import Path

import pytest


def lay_out_checkout(folder: Path, root: Path) -> Path:
    """Copy what make and the stages read; skips where `make setup` has not run."""
    if not (root / ".venv" / ".ready").exists():
        pytest.skip("the environment was not made by `make setup`")
    folder.mkdir(exist_ok=True)
    for name in (
        "Makefile",
        "requirements.lock",
        "requirements-nodeps.lock",
        "pyproject.toml",
        "Modelfile",
    ):
        shutil.copy(root / name, folder / name)
    for name in ("scripts", "configs", "demo"):
        shutil.copytree(root / name, folder / name)
    (folder / ".venv").symlink_to(root / ".venv")
    return folder
