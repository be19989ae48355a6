"""The whole path by `make release`, at a few steps a stage, and what spoils it."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from medllm.pipeline.stages import RELEASE
from tests.checkout import lay_out_checkout

pytestmark = pytest.mark.slow

CONFIG = "configs/short.yaml"
RUN = "build/short"
QUANTS = ("q8_0", "q4_k_m")


def make_checkout(folder: Path, root: Path) -> Path:
    lay_out_checkout(folder, root)
    text = (root / "configs/demo.yaml").read_text(encoding="utf-8")
    (folder / CONFIG).write_text(
        text + "quantize:\n  types: [Q8_0, Q4_K_M]\ncreate:\n  name: medllm-test\n",
        encoding="utf-8",
    )
    return folder


OVERRIDES = "base.tiny.steps=10 train.epochs=0.05 eval.max_dialogues=4 eval.limit=12"


def make(checkout: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a target; every stage gets the same few overrides."""
    return subprocess.run(
        ["make", "--old-file=.venv/.ready", target, f"CONFIG={CONFIG}", f"SET={OVERRIDES}"],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def medllm(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    options = [part for pair in OVERRIDES.split() for part in ("--set", pair)]
    command = [".venv/bin/medllm", *arguments, "--config", CONFIG, *options]
    return subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def no_server() -> dict[str, str]:
    """An environment in which no Ollama server is found: OLLAMA_HOST is not set."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 11434)) == 0:
            pytest.skip("something listens at Ollama's default address")
    return {"OLLAMA_HOST": ""}


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, root: Path, no_server: dict[str, str]
) -> Path:
    checkout = make_checkout(tmp_path_factory.mktemp("path") / "checkout", root)
    done = make(checkout, "release", **no_server)
    assert done.returncode == 0, done.stderr[-3000:]
    return checkout


def test_it_ends_with_scores_of_every_model(finished: Path) -> None:
    results = json.loads((finished / RUN / "eval" / "results.json").read_text())
    names = [model["name"] for model in results["models"]]
    assert names == ["base F16", "medllm F16", "medllm Q8_0", "medllm Q4_K_M"]
    asked = [run for model in results["models"] for run in model["runs"]]
    assert {len(run["samples"]) for run in asked if run["task"] == "questions"} == {12}
    assert all("llama.cpp" in model["engine"]["program"] for model in results["models"])
    assert not results["gate"]["passed"]  # a toy
    assert "medllm Q4_K_M" in (finished / RUN / "eval" / "report.md").read_text()


def test_running_it_again_runs_nothing(finished: Path, no_server: dict[str, str]) -> None:
    done = make(finished, "release", **no_server)
    assert done.returncode == 0
    ran = [line for line in done.stdout.splitlines() if line.startswith(".venv/bin/medllm")]
    assert not [line for line in ran if " slices " not in line]


def test_status_says_all_is_done(finished: Path) -> None:
    lines = medllm(finished, "status").stdout.splitlines()[1:]
    found = dict(line.split(maxsplit=1) for line in lines)
    assert {name for name, state in found.items() if state.strip() == "done"} == RELEASE
    assert found.keys() - RELEASE == {"merge", "bundle", "vectors"}


def test_the_model_answers(finished: Path, no_server: dict[str, str]) -> None:
    done = medllm(finished, "ask", "What is a fever?", **no_server)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "Not medical advice" in done.stderr


def test_a_gguf_cut_in_half_is_refused_before_it_is_used(
    finished: Path, no_server: dict[str, str], tmp_path: Path
) -> None:
    whole = finished / RUN / "quantize" / "medllm-q4_k_m.gguf"
    kept = tmp_path / "kept.gguf"
    shutil.copy(whole, kept)
    try:
        os.truncate(whole, whole.stat().st_size // 2)
        for command in (["ask", "What is a fever?"], ["modelfile"]):
            done = medllm(finished, *command, **no_server)
            assert done.returncode == 2
            assert "medllm-q4_k_m.gguf" in done.stderr
            assert "Traceback" not in done.stderr
    finally:
        shutil.copy(kept, whole)


def test_a_run_of_another_version_is_refused(finished: Path, no_server: dict[str, str]) -> None:
    manifest = finished / RUN / "train" / "manifest.json"
    text = manifest.read_text()
    try:
        manifest.write_text(text.replace('"schema_version": 1', '"schema_version": 0'))
        done = medllm(finished, "merge", **no_server)
        assert done.returncode == 2
        assert "made by another version of medllm" in done.stderr
    finally:
        manifest.write_text(text)


@pytest.mark.parametrize("host", ["127.0.0.1:1", "http://127.0.0.1:1/"])
def test_an_ollama_host_where_nobody_answers_is_named(finished: Path, host: str) -> None:
    done = medllm(finished, "create", OLLAMA_HOST=host)
    assert done.returncode == 2
    assert "127.0.0.1:1" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_with_a_server_the_model_is_made_and_answers_there(
    finished: Path, ollama_server: str, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(finished, checkout, symlinks=True)
    done = make(checkout, "release", OLLAMA_HOST=ollama_server)
    assert done.returncode == 0, done.stderr[-3000:]
    receipt = json.loads((checkout / RUN / "create" / "receipt.json").read_text())
    assert {f"medllm-test:{quant}" for quant in QUANTS} < set(receipt["models"])
    assert receipt["prompts_checked"] >= 8
    results = json.loads((checkout / RUN / "eval" / "results.json").read_text())
    programs = [model["engine"]["program"] for model in results["models"]]
    assert all(program.startswith("Ollama") for program in programs)
    asked = medllm(checkout, "ask", "What is a fever?", OLLAMA_HOST=ollama_server)
    assert asked.returncode == 0, asked.stderr
    assert "Ollama" in asked.stderr
    program = shutil.which("ollama")
    if program:
        ran = subprocess.run(
            [program, "run", "medllm-test", "What is a fever?"],
            env={**os.environ, "OLLAMA_HOST": ollama_server, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.strip()
