"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

from tests.ollama_server import ollama_server as ollama_server

os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # as in cli.main; before torch is loaded
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real public files that are not part of the project; without them the test is skipped."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: real datasets are read from there")
    return folder
