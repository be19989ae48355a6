import contextlib
import json
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

from medllm.pipeline.config import BaseConfig, RunPaths, TinyConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.base import base, write_config
from medllm.pipeline.weights.checks import read_config

pytest_plugins = ("tests.small_model",)

FILES = {
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path / "build")


@pytest.fixture
def local(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint as someone may have it: its tokenizer rebuilt wrongly, licences, a pickle."""
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    (folder / "LICENSE.txt").write_text("licence")
    (folder / "USE_POLICY.md").write_text("policy")
    (folder / "Notice").write_text("notice")
    (folder / "README.md").write_text("readme")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    (folder / "tokenizer.json").write_text("{}")
    torch.save({}, folder / "pytorch_model.bin")
    return folder


def refusal(config: BaseConfig, paths: RunPaths) -> str:
    with pytest.raises(MedllmError) as caught:
        base(config, paths)
    assert "\n" not in str(caught.value)
    assert not paths.stage("base").exists()
    return str(caught.value)


def test_a_local_folder_is_linked_and_its_tokenizer_rebuilt(local: Path, paths: RunPaths) -> None:
    manifest = base(BaseConfig(source=str(local)), paths)
    folder = paths.stage("base")
    assert set(manifest.outputs) == FILES | {"LICENSE.txt", "USE_POLICY.md", "Notice"}
    weights = folder / "model.safetensors"
    assert weights.is_symlink()
    assert weights.readlink() == (local / "model.safetensors").resolve()
    assert (folder / "tokenizer.model").read_bytes() == (local / "tokenizer.model").read_bytes()
    assert AutoTokenizer.from_pretrained(folder).encode("fever")[:1] == [1]
    assert manifest.report["dtype"] == "float16"
    model = LlamaForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float16
    assert model.num_parameters() == manifest.report["parameters"]


def test_nothing_is_done_twice_and_changes_are_noticed(
    local: Path, paths: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    config = BaseConfig(source=str(local))
    first = base(config, paths)
    assert base(config, paths).started == first.started
    assert "up to date" in capsys.readouterr().err
    (local / "LICENSE.txt").write_text("another licence")
    second = base(config, paths)
    assert second.started > first.started
    weights = bytearray((local / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (local / "model.safetensors").write_bytes(bytes(weights))
    third = base(config, paths)
    assert third.outputs["model.safetensors"] != second.outputs["model.safetensors"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tokenizer.model", r"tokenizer.model cannot be read: No such file"),
        ("config.json", r"config.json cannot be read: No such file"),
        ("model.safetensors", "only as pickles (pytorch_model.bin)"),
    ],
)
def test_a_folder_that_is_not_whole(local: Path, paths: RunPaths, name: str, words: str) -> None:
    (local / name).unlink()
    assert words in refusal(BaseConfig(source=str(local)), paths)


def test_weights_cut_short(local: Path, paths: RunPaths) -> None:
    path = local / "model.safetensors"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 1000)
    message = refusal(BaseConfig(source=str(local)), paths)
    assert f"is cut short: {size} bytes expected, {size - 1000} found" in message


def test_a_config_of_another_model(local: Path, paths: RunPaths) -> None:
    path = local / "config.json"
    right = json.loads(path.read_text())
    path.write_text(json.dumps(right | {"vocab_size": right["vocab_size"] + 1}))
    assert "does not fit its tokenizer.model" in refusal(BaseConfig(source=str(local)), paths)
    path.write_text(json.dumps(right | {"hidden_size": 512}))
    assert "config.json asks for" in refusal(BaseConfig(source=str(local)), paths)
    path.write_text(json.dumps(right))
    (local / "generation_config.json").write_text('{"eos_token_id": 1}')
    assert "eos_token_id is 1" in refusal(BaseConfig(source=str(local)), paths)


def test_shards(local: Path, paths: RunPaths) -> None:
    model = LlamaForCausalLM.from_pretrained(local)
    (local / "model.safetensors").unlink()
    model.save_pretrained(local, max_shard_size="2MB")
    manifest = base(BaseConfig(source=str(local)), paths)
    shards = [name for name in manifest.outputs if name.endswith("safetensors")]
    assert len(shards) > 1
    assert "model.safetensors.index.json" in manifest.outputs
    again = LlamaForCausalLM.from_pretrained(paths.stage("base"))
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)
    )


def test_mixed_dtypes_are_refused(local: Path, paths: RunPaths) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(local / "model.safetensors")
    tensors["lm_head.weight"] = tensors["lm_head.weight"].bfloat16()
    save_file(tensors, local / "model.safetensors", {"format": "pt"})
    assert "mixes BF16 and F16 weights" in refusal(BaseConfig(source=str(local)), paths)


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_theta": 5e5},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
        {"rope_theta": 5e5, "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}},
        {"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}},
    ],
)
def test_rope_theta_stands_under_both_keys(
    checkpoint: Path, tmp_path: Path, rope: dict[str, object]
) -> None:
    raw = json.loads((checkpoint / "config.json").read_text())
    del raw["rope_parameters"]
    write_config(raw | rope | {"torch_dtype": "float32"}, "bfloat16", tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["rope_theta"] == written["rope_parameters"]["rope_theta"] == 5e5
    assert written["dtype"] == "bfloat16"
    assert "torch_dtype" not in written
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert loaded.rope_parameters["rope_theta"] == 5e5
    assert loaded.rope_parameters.get("factor") == (2.0 if "rope_scaling" in rope else None)
    assert read_config(tmp_path / "config.json").vocab_size == raw["vocab_size"]


def test_a_config_that_transformers_refuses(checkpoint: Path, tmp_path: Path) -> None:
    raw = json.loads((checkpoint / "config.json").read_text())
    for wrong in ({"rope_parameters": "x"}, {"max_position_embeddings": "many"}):
        with pytest.raises(MedllmError, match=r"config\.json is refused"):
            write_config(raw | wrong, "float16", tmp_path)


def test_tiny(tmp_path: Path, paths: RunPaths) -> None:
    corpus = tmp_path / "corpus.txt"
    tiny = TinyConfig(
        corpus=corpus, layers=1, vocab_size=320, steps=2, batch_size=2, sequence_length=32
    )
    config = BaseConfig(source="tiny", tiny=tiny)
    assert "corpus.txt cannot be read" in refusal(config, paths)
    corpus.write_text("\n\n".join(f"Paragraph {n} is about sleep and rest." for n in range(40)))
    manifest = base(config, paths)
    assert set(manifest.outputs) == FILES
    assert set(manifest.inputs) == {"corpus"}
    assert manifest.report["validation_loss"] > 0
    written = json.loads((paths.stage("base") / "config.json").read_text())
    assert written["rope_theta"] == written["rope_parameters"]["rope_theta"] == 10000.0
    assert LlamaForCausalLM.from_pretrained(paths.stage("base")).dtype == torch.float16
    corpus.write_text(corpus.read_text() + "\n\nOne more paragraph.")
    assert base(config, paths).inputs != manifest.inputs


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12], COMMIT.upper()])
def test_a_hub_id_needs_a_commit(paths: RunPaths, revision: str | None) -> None:
    message = refusal(BaseConfig(source="org/name", revision=revision), paths)
    assert f"base.revision of org/name is {revision}, not a commit" in message


@pytest.mark.parametrize("source", ["./nowhere", "/nowhere", "a/b/c", "name", "../up"])
def test_a_source_that_does_not_exist(paths: RunPaths, source: str) -> None:
    assert "no folder here and no hub id" in refusal(BaseConfig(source=source), paths)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no way to the hub: as on a machine without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def test_a_hub_model_that_is_not_in_the_cache_offline(hub_cache: Path, paths: RunPaths) -> None:
    message = refusal(BaseConfig(source="org/name", revision=COMMIT), paths)
    assert f"org/name at {COMMIT} could not be downloaded" in message


def test_a_hub_whose_connections_break_off(
    hub_cache: Path, paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with contextlib.suppress(OSError):  # until the server is closed
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr(
            "huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}"
        )
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        message = refusal(BaseConfig(source="org/name", revision=COMMIT), paths)
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert f"org/name at {COMMIT} could not be downloaded" in message


def test_a_hub_model_from_the_cache(local: Path, hub_cache: Path, paths: RunPaths) -> None:
    repository = hub_cache / "models--org--name"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for number, path in enumerate(sorted(local.iterdir())):
        blob = repository / "blobs" / str(number)
        shutil.copyfile(path, blob)
        (snapshot / path.name).symlink_to(blob)
    manifest = base(BaseConfig(source="org/name", revision=COMMIT), paths)
    assert manifest.config["revision"] == COMMIT
    weights = paths.stage("base") / "model.safetensors"
    assert weights.readlink().parent == repository / "blobs"
    assert not (paths.stage("base") / "LICENSE.txt").is_symlink()
    assert (paths.stage("base") / "LICENSE.txt").read_text() == "licence"


def test_bfloat16_stays(make_checkpoint: Callable[..., Path], paths: RunPaths) -> None:
    folder = make_checkpoint(dtype="bfloat16")
    assert base(BaseConfig(source=str(folder)), paths).report["dtype"] == "bfloat16"
    assert LlamaForCausalLM.from_pretrained(paths.stage("base")).dtype == torch.bfloat16
