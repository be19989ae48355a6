"""The committed demo files, read once."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# The demo is not part of the installed package; plain `pytest` does not see the checkout's root.
sys.path.append(str(ROOT))

from demo.questions import CLOSING  # noqa: E402

DATA = ROOT / "demo" / "data"

Rows = list[dict[str, str]]


def read(name: str) -> str:
    """The text of one committed file."""
    return (DATA / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def rows() -> Rows:
    """healthcaremagic.json."""
    loaded: Rows = json.loads(read("healthcaremagic.json"))
    return loaded


@pytest.fixture(scope="session")
def training(rows: Rows) -> Rows:
    """Its multiple-choice rows."""
    return [row for row in rows if row["input"].endswith(CLOSING)]


@pytest.fixture(scope="session")
def consultations(rows: Rows) -> Rows:
    """Its other rows."""
    return [row for row in rows if not row["input"].endswith(CLOSING)]


@pytest.fixture(scope="session")
def records() -> list[str]:
    """meddialog.txt, cut before each id."""
    return re.split(r"(?m)^(?=id=\d+$)", read("meddialog.txt"))[1:]


@pytest.fixture(scope="session")
def utterances() -> list[dict[str, Any]]:
    """meddialog.json."""
    loaded: list[dict[str, Any]] = json.loads(read("meddialog.json"))
    return loaded


@pytest.fixture(scope="session")
def questions() -> list[dict[str, Any]]:
    """questions.jsonl."""
    return [json.loads(line) for line in read("questions.jsonl").splitlines()]


@pytest.fixture(scope="session")
def planted() -> list[dict[str, Any]]:
    """planted_phi.jsonl."""
    return [json.loads(line) for line in read("planted_phi.jsonl").splitlines()]
