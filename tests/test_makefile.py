"""The Makefile is the DAG: its arrows are those of stages.INPUTS, and content decides."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from medllm.pipeline.stages import INPUTS, RELEASE, STAGES
from tests.checkout import lay_out_checkout


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Path:
    """A checkout with this environment, in which every stage looks done."""
    lay_out_checkout(tmp_path, root)
    plan(tmp_path)
    for name in STAGES:
        manifest = tmp_path / "build" / "demo" / name / "manifest.json"
        manifest.parent.mkdir()
        manifest.write_text("{}")
    return tmp_path


def plan(checkout: Path, *arguments: str) -> list[str]:
    """The stages that `make -n release` would run."""
    done = subprocess.run(
        ["make", "-n", "--old-file=.venv/.ready", "release", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return re.findall(r"^\.venv/bin/medllm (\w+) ", done.stdout, re.MULTILINE)


def test_a_fresh_run_is_every_stage_in_order(checkout: Path) -> None:
    shutil.rmtree(checkout / "build")
    assert plan(checkout) == [name for name in STAGES if name in RELEASE]


def test_nothing_changed_runs_nothing(checkout: Path) -> None:
    assert plan(checkout) == []


def test_a_comment_runs_nothing(checkout: Path) -> None:
    config = checkout / "configs" / "demo.yaml"
    config.write_text("# hello\n" + config.read_text(encoding="utf-8"))
    assert plan(checkout) == []


def test_a_rank_runs_train_and_what_follows(checkout: Path) -> None:
    after = STAGES[STAGES.index("train") :]
    assert plan(checkout, "SET=train.rank=4") == [name for name in after if name in RELEASE]


@pytest.mark.parametrize("changed", STAGES)
def test_the_arrows_are_those_of_the_stage_graph(checkout: Path, changed: str) -> None:
    (checkout / "build" / "demo" / changed / "manifest.json").unlink()
    downstream = {changed}
    for name in STAGES:
        if downstream & INPUTS[name].keys():
            downstream.add(name)
    assert set(plan(checkout)) == downstream & RELEASE
