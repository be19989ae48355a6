"""A run with enough invented dialogues for an importance matrix and a measurement."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.convert.gguf import convert_checkpoint
from medllm.convert.imatrix import imatrix
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.quantize import quantize
from medllm.pipeline.config import ConvertConfig, ImatrixConfig, QuantizeConfig, RunPaths
from tests.convert.fidelity.made import TYPED, dialogue


@pytest.fixture(scope="session")
def make_run(
    put_stage: Callable[..., None],
    make_checkpoint: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., RunPaths]:
    """A run in which base, prepare, train and convert have completed."""
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
        convert_checkpoint(checkpoint, folder / "converted/medllm-f16.gguf", ConvertConfig(seed=0))
        put_stage("convert", paths, folder / "converted")
        return paths

    return make


@pytest.fixture(scope="session")
def quant_run(make_run: Callable[..., RunPaths]) -> RunPaths:
    """One run with stages imatrix (4 pieces) and quantize completed; do not write into it."""
    train = "".join(dialogue(n) for n in range(60)) + dialogue(60, TYPED) + dialogue(3)
    paths = make_run(train, "".join(dialogue(n) for n in range(100, 140)))
    imatrix(ImatrixConfig(seed=1, chunks=1000), paths)
    quantize(QuantizeConfig(seed=1, types=("Q8_0", "Q4_K_M")), paths)
    return paths


@pytest.fixture
def copied(quant_run: RunPaths, tmp_path: Path) -> RunPaths:
    """A copy of it to spoil."""
    shutil.copytree(quant_run.root, tmp_path / "run")
    return RunPaths(tmp_path / "run")


@pytest.fixture(scope="session")
def source(quant_run: RunPaths) -> GgufFacts:
    """The full-precision GGUF."""
    return check_gguf(quant_run.stage("convert") / "medllm-f16.gguf")
