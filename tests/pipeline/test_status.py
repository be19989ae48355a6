import os
import shutil
from pathlib import Path

import pytest

from medllm.pipeline.config import RunConfig, RunPaths, load_config
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.stages import RELEASE, STAGES
from medllm.pipeline.status import require_fresh_inputs, states, write_slices

OUTPUTS = {
    "base": ["tokenizer.json", "model.safetensors"],
    "prepare": ["train.jsonl", "validation.jsonl", "test.jsonl"],
    "train": ["adapter/adapter_model.safetensors", "loss.svg"],
    "merge": ["model.safetensors"],
    "convert": ["base-f16.gguf", "medllm-f16.gguf"],
    "imatrix": ["imatrix.gguf"],
    "quantize": ["medllm-q4_k_m.gguf"],
    "fidelity": ["fidelity.json"],
    "modelfile": ["Modelfile"],
    "create": ["receipt.json"],
    "eval": ["results.json"],
    "bundle": ["medllm/SHA256SUMS"],
    "vectors": ["vectors.safetensors", "vocabulary.txt"],
}


@pytest.fixture
def config_file(tmp_path: Path, root: Path) -> Path:
    (tmp_path / "rows.json").write_text("[]")
    path = tmp_path / "run.yaml"
    text = (root / "configs/demo.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("demo/data/healthcaremagic.json", str(tmp_path / "rows.json")))
    return path


@pytest.fixture
def config(config_file: Path) -> RunConfig:
    return load_config(config_file)


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "run")


def run_stage(name: str, config: RunConfig, paths: RunPaths, text: str = "1") -> None:
    def body(work: Work) -> None:
        for output in OUTPUTS[name]:
            (work.dir / output).parent.mkdir(exist_ok=True)
            (work.dir / output).write_text(text)

    files = {}
    if name == "prepare":
        rows = config.prepare.sources[0].path
        files[str(rows)] = rows
    stage(name, getattr(config, name), paths, body, files=files)


def run_all(config: RunConfig, paths: RunPaths) -> None:
    for name in STAGES:
        run_stage(name, config, paths)


def found(config: RunConfig, paths: RunPaths) -> dict[str, str]:
    return {s.name: f"{s.state} {s.reason}".strip() for s in states(config, paths)}


def test_nothing_has_run(config: RunConfig, paths: RunPaths) -> None:
    for name, state in found(config, paths).items():
        assert state == ("missing" if name in RELEASE else "missing optional")


def test_everything_is_done(config: RunConfig, paths: RunPaths) -> None:
    run_all(config, paths)
    assert set(found(config, paths).values()) == {"done"}


def test_a_changed_rank_makes_train_and_what_follows_stale(
    config: RunConfig, config_file: Path, paths: RunPaths
) -> None:
    run_all(config, paths)
    changed = found(load_config(config_file, ["train.rank=4"]), paths)
    assert changed["base"] == changed["prepare"] == "done"
    assert changed["train"] == "stale config: rank 32 → 4"
    assert changed["merge"] == "stale train is stale"
    assert changed["eval"].startswith("stale")


def test_new_results_upstream_are_noticed(config: RunConfig, paths: RunPaths) -> None:
    run_all(config, paths)
    shutil.rmtree(paths.stage("train"))
    run_stage("train", config, paths, text="2")
    assert found(config, paths)["convert"] == "stale train has new results"


def test_only_the_files_a_stage_reads_count(config: RunConfig, paths: RunPaths) -> None:
    run_all(config, paths)
    shutil.rmtree(paths.stage("base"))

    def body(work: Work) -> None:
        (work.dir / "tokenizer.json").write_text("1")
        (work.dir / "model.safetensors").write_text("other weights")

    stage("base", config.base, paths, body)
    after = found(config, paths)
    assert after["prepare"] == "done"
    assert after["train"] == "stale base has new results"


def test_a_changed_dataset_makes_prepare_stale(config: RunConfig, paths: RunPaths) -> None:
    run_all(config, paths)
    rows = config.prepare.sources[0].path
    rows.write_text("[1]")
    assert found(config, paths)["prepare"] == f"stale {rows} has changed"


def test_a_stage_refuses_to_build_on_stale_work(
    config: RunConfig, config_file: Path, paths: RunPaths
) -> None:
    with pytest.raises(MedllmError, match="needs stage base, which is missing"):
        require_fresh_inputs("prepare", config, paths)
    run_all(config, paths)
    require_fresh_inputs("eval", config, paths)
    changed = load_config(config_file, ["train.rank=4"])
    require_fresh_inputs("train", changed, paths)
    with pytest.raises(MedllmError, match=r"needs stage train, which is stale: config: rank 32"):
        require_fresh_inputs("quantize", changed, paths)


def test_a_slice_is_touched_only_when_its_content_changed(
    config: RunConfig, config_file: Path, paths: RunPaths
) -> None:
    write_slices(config, paths)
    slices = {name: paths.root / "config" / f"{name}.json" for name in STAGES}
    for path in slices.values():
        os.utime(path, (1, 1))
    config_file.write_text(config_file.read_text() + "# a comment\n")
    write_slices(load_config(config_file), paths)
    assert {path.stat().st_mtime for path in slices.values()} == {1}
    write_slices(load_config(config_file, ["train.rank=4"]), paths)
    touched = {name for name, path in slices.items() if path.stat().st_mtime != 1}
    assert touched == {"train"}
    config.prepare.sources[0].path.write_text("[1, 2]")
    write_slices(load_config(config_file, ["train.rank=4"]), paths)
    touched = {name for name, path in slices.items() if path.stat().st_mtime != 1}
    assert touched == {"train", "prepare"}
