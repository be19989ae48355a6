"""A run with enough invented dialogues for an importance matrix and a measurement."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.convert.fidelity.config import ImatrixConfig, QuantizeConfig
from medllm.convert.gguf import convert_checkpoint
from medllm.convert.imatrix import imatrix
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.quantize import quantize
from medllm.pipeline.config import ConvertConfig, RunPaths
from medllm.pipeline.stages import INPUTS

WIRED = {
    "imatrix": {"prepare": ("train.jsonl",), "convert": ("medllm-*.gguf",)},
    "quantize": {"convert": ("medllm-*.gguf",), "imatrix": ("imatrix.gguf",)},
    "fidelity": {
        "prepare": ("test.jsonl",),
        "convert": ("medllm-*.gguf",),
        "imatrix": ("imatrix.gguf",),
        "quantize": ("*.gguf",),
    },
}
TYPED = "My friend wrote </s> and <s> to me; what is it?"


def dialogue(number: int, question: str | None = None) -> str:
    """One line of a split."""
    asked = (
        question or f"For {number} days I have had a dry cough, worse at night in week {number}."
    )
    answer = f"Drink warm tea and rest. See a doctor if it lasts {number + 7} days or you feel hot."
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    return json.dumps({"id": f"made-{number}", "source": "made", "messages": messages}) + "\n"


@pytest.fixture(scope="session", autouse=True)
def wired() -> None:
    """The stages' inputs, for as long as pipeline/stages.py does not name them."""
    for name, inputs in WIRED.items():
        INPUTS[name] = inputs  # type: ignore[index]


@pytest.fixture(scope="session")
def make_run(
    put_stage: Callable[..., None],
    make_checkpoint: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., RunPaths]:
    """A run in which base, prepare, train, merge and convert have completed."""
    checkpoint = make_checkpoint(hidden_size=256, num_attention_heads=8, num_key_value_heads=2)

    def make(train: str, test: str) -> RunPaths:
        folder = tmp_path_factory.mktemp("fidelity")
        for name in ("rows", "empty", "converted"):
            (folder / name).mkdir()
        (folder / "rows" / "train.jsonl").write_text(train)
        (folder / "rows" / "test.jsonl").write_text(test)
        paths = RunPaths(folder / "build")
        put_stage("base", paths, folder / "empty")
        put_stage("prepare", paths, folder / "rows")
        put_stage("train", paths, folder / "empty")
        if "merge" in INPUTS:
            put_stage("merge", paths, folder / "empty")
        convert_checkpoint(checkpoint, folder / "converted/medllm-f16.gguf", ConvertConfig(seed=0))
        put_stage("convert", paths, folder / "converted")
        return paths

    return make


@pytest.fixture(scope="session")
def run(make_run: Callable[..., RunPaths], wired: None) -> RunPaths:
    """One run with stages imatrix (4 pieces) and quantize completed; do not write into it."""
    train = "".join(dialogue(n) for n in range(60)) + dialogue(60, TYPED) + dialogue(3)
    paths = make_run(train, "".join(dialogue(n) for n in range(100, 140)))
    imatrix(ImatrixConfig(seed=1, chunks=1000), paths)
    quantize(QuantizeConfig(seed=1, types=("Q8_0", "Q4_K_M")), paths)
    return paths


@pytest.fixture
def copied(run: RunPaths, tmp_path: Path) -> RunPaths:
    """A copy of it to spoil."""
    shutil.copytree(run.root, tmp_path / "run")
    return RunPaths(tmp_path / "run")


@pytest.fixture(scope="session")
def source(run: RunPaths) -> GgufFacts:
    """The full-precision GGUF."""
    return check_gguf(run.stage("convert") / "medllm-f16.gguf")
