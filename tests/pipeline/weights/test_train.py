"""Real QLoRA steps on a small real Llama, on the CPU."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.config import MergeConfig, RunPaths, TrainConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Work, read_manifest, stage
from medllm.pipeline.weights.train import train
from tests.small_model import train_pieces

SIGNS = ("headache", "cough", "rash", "sore knee", "earache", "cold", "fever", "cramp")
ADVICE = ("Rest and drink water.", "See a doctor today.", "Call for help now.", "Keep it clean.")
CONFIG = TrainConfig(
    rank=4,
    alpha=8,
    epochs=2,
    batch_size=4,
    learning_rate=3e-2,
    max_length=96,
    evaluations=3,
    seed=1,
)


def write_base(work: Work) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

    corpus = [*SIGNS, *ADVICE, "I have a bad. What now? [INST] [/INST]"]
    source = train_pieces(work.dir.parent, corpus, 380)
    tokenizer = build_tokenizer(source)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=False,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    model.half().save_pretrained(work.dir)
    save_tokenizer(tokenizer, source, work.dir)


def write_dialogues(work: Work) -> None:
    for name, count in (("train", 24), ("validation", 6), ("test", 6)):
        lines = []
        for index in range(count):
            sign, advice = SIGNS[index % 8], ADVICE[index % 4]
            turns = [
                {"role": "user", "content": f"I have a bad {sign}. What now?"},
                {"role": "assistant", "content": advice},
            ]
            lines.append(json.dumps({"id": f"{name}-{index}", "source": "t", "messages": turns}))
        (work.dir / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def make_run(root: Path) -> RunPaths:
    paths = RunPaths(root)
    stage("base", MergeConfig(), paths, write_base)
    stage("prepare", MergeConfig(), paths, write_dialogues)
    return paths


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    paths = make_run(tmp_path_factory.mktemp("train") / "run")
    train(CONFIG, paths)
    return paths


def history(paths: RunPaths) -> list[dict[str, float]]:
    lines = (paths.stage("train") / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def adapter(paths: RunPaths) -> dict[str, object]:
    from safetensors.torch import load_file

    return dict(load_file(paths.stage("train") / "adapter" / "adapter_model.safetensors"))


def test_it_learns_and_says_so(trained: RunPaths) -> None:
    report = read_manifest(trained.stage("train")).report
    validations = [entry["eval_loss"] for entry in history(trained) if "eval_loss" in entry]
    assert len(validations) == 3
    assert validations[-1] < validations[0] < history(trained)[0]["loss"] - 0.2
    assert report["steps"] == 12
    assert report["rows"] == 24
    assert report["shortened"] == report["dropped"] == 0
    assert report["validation"]["eval_loss"] == validations[-1]  # type: ignore[index, call-overload]
    assert 0 < report["validation"]["eval_mean_token_accuracy"] <= 1  # type: ignore[index, call-overload]
    assert 0 < report["supervised_tokens"] < report["tokens"]  # type: ignore[operator]


def test_every_projection_has_a_trained_float32_adapter(trained: RunPaths) -> None:
    import torch

    tensors = adapter(trained)
    b_matrices = {name: t for name, t in tensors.items() if "lora_B" in name}
    assert len(b_matrices) == 2 * 7
    assert all(t.dtype == torch.float32 and t.any() for t in b_matrices.values())  # type: ignore[attr-defined]


def test_the_folder_holds_what_a_person_and_the_next_stage_need(trained: RunPaths) -> None:
    folder = trained.stage("train")
    assert set(read_manifest(folder).outputs) == {
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "metrics.jsonl",
        "loss.svg",
        "loss.png",
        "accuracy.svg",
        "accuracy.png",
    }
    assert "validation" in (folder / "loss.svg").read_text()
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    settings = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "base"
    assert (settings["r"], settings["lora_alpha"]) == (4, 8)


def test_a_layer_that_does_not_exist_is_named(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "run")
    config = CONFIG.model_copy(update={"target_modules": ("q_proj", "w_pack")})
    with pytest.raises(MedllmError, match="no layer named w_pack"):
        train(config, paths)


def test_a_length_that_fits_no_row_is_refused(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "run")
    with pytest.raises(MedllmError, match=r"No dialogue .* fits train.max_length 5"):
        train(CONFIG.model_copy(update={"max_length": 5}), paths)


_TRAIN = """
import sys
from pathlib import Path
from medllm.pipeline.config import RunPaths, TrainConfig
from medllm.pipeline.weights.train import train
train(TrainConfig.model_validate_json(sys.argv[2]), RunPaths(Path(sys.argv[1])))
"""


def killed_after_a_checkpoint(paths: RunPaths, config: TrainConfig = CONFIG) -> Iterator[Path]:
    """Train in another process and kill it with SIGKILL once a checkpoint is whole."""
    checkpoints = paths.root / ".train.partial" / "checkpoints"
    command = [sys.executable, "-c", _TRAIN, str(paths.root), config.model_dump_json()]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(checkpoints.glob("checkpoint-*/whole.json")):
            assert process.poll() is None, "training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    yield from checkpoints.glob("checkpoint-*")


@pytest.mark.slow
def test_killed_and_run_again_it_ends_where_it_would_have(
    trained: RunPaths, tmp_path: Path
) -> None:
    paths = make_run(tmp_path / "run")
    assert list(killed_after_a_checkpoint(paths))
    assert not paths.stage("train").exists()
    manifest = train(CONFIG, paths)
    assert str(manifest.report["resumed_from"]).startswith("checkpoint-")
    assert manifest.report["steps"] == 12
    steps = [entry["step"] for entry in history(paths) if "loss" in entry]
    assert steps == sorted(set(steps))
    undisturbed = {e["step"]: e["loss"] for e in history(trained) if "loss" in e}
    assert {e["step"]: e["loss"] for e in history(paths) if "loss" in e} == undisturbed
    assert_equal_adapters(paths, trained)


@pytest.mark.slow
def test_a_torn_checkpoint_is_not_used(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "run")
    for checkpoint in killed_after_a_checkpoint(paths):
        weights = checkpoint / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-7])
    manifest = train(CONFIG, paths)
    assert manifest.report["resumed_from"] is None
    assert manifest.report["steps"] == 12


@pytest.mark.slow
def test_packed_it_learns_too(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "run")
    manifest = train(CONFIG.model_copy(update={"packing": True, "batch_size": 1}), paths)
    losses = [entry["loss"] for entry in history(paths) if "loss" in entry]
    assert losses[-1] < losses[0] - 0.2
    assert manifest.report["rows"] == 24


def test_a_length_above_the_bases_context_is_refused(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "run")
    with pytest.raises(MedllmError, match="max_length 129 is above the base's context of 128"):
        train(CONFIG.model_copy(update={"max_length": 129}), paths)


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ({"loss": 7.0}, r"loss is 7 at step 40 \(last checkpoint before it: checkpoint-30\)"),
        ({"loss": math.nan}, "loss is nan at step 40"),
        ({"grad_norm": math.inf}, "grad_norm is inf"),
        ({"eval_loss": 6.5}, "eval_loss is 6.5"),
        ({"loss": 5.9, "eval_loss": 5.9, "grad_norm": 50.0}, None),
    ],
)
def test_a_diverging_loss_stops_the_run(
    tmp_path: Path, logs: dict[str, float], words: str | None
) -> None:
    from transformers import TrainerControl, TrainerState

    from medllm.pipeline.weights.stopping import StopWhenDiverging

    for name in ("checkpoint-20", "checkpoint-30"):
        (tmp_path / name).mkdir()
    state = TrainerState(global_step=40, log_history=[{"loss": 2.0, "step": 1}])
    stop = StopWhenDiverging(tmp_path)
    expected = pytest.raises(MedllmError, match=words) if words else nullcontext()
    with expected:
        stop.on_log(None, state, TrainerControl(), logs)  # type: ignore[arg-type]


@pytest.mark.slow
def test_sigterm_saves_and_the_next_run_goes_on(
    trained: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    from medllm.pipeline.weights.stopping import StopWhenDiverging

    def terminate(self: TrainerCallback, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    paths = make_run(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(StopWhenDiverging, "on_step_begin", terminate)
        with pytest.raises(MedllmError, match="Told to stop at step 6; a checkpoint is saved"):
            train(CONFIG, paths)
    assert train(CONFIG, paths).report["resumed_from"] == "checkpoint-6"
    assert_equal_adapters(paths, trained)


def assert_equal_adapters(paths: RunPaths, undisturbed: RunPaths) -> None:
    expected = adapter(undisturbed)
    for name, tensor in adapter(paths).items():
        assert tensor.equal(expected[name]), name  # type: ignore[attr-defined]


@pytest.mark.slow
def test_killed_while_packed_it_ends_where_it_would_have(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"packing": True, "batch_size": 1})
    whole, killed = make_run(tmp_path / "whole"), make_run(tmp_path / "killed")
    train(config, whole)
    assert list(killed_after_a_checkpoint(killed, config))
    manifest = train(config, killed)
    assert str(manifest.report["resumed_from"]).startswith("checkpoint-")
    assert_equal_adapters(killed, whole)


@pytest.mark.slow
def test_the_loss_is_a_mean_over_supervised_tokens_however_they_are_batched(
    tmp_path: Path,
) -> None:
    paths = make_run(tmp_path / "run")
    still = {"epochs": 1, "learning_rate": 1e-9, "evaluations": 1}
    losses = []
    for batching in (
        {"batch_size": 24},
        {"batch_size": 3, "accumulation": 8},
        {"batch_size": 100, "packing": True},
        {"batch_size": 1, "accumulation": 100, "packing": True},
    ):
        train(CONFIG.model_copy(update=still | batching), paths)
        assert read_manifest(paths.stage("train")).report["steps"] == 1
        losses.append(history(paths)[0]["loss"])
    assert losses == pytest.approx([losses[0]] * 4, abs=2e-3)  # the base computes in bfloat16
