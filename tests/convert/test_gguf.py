import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medllm.convert.gguf import convert, convert_checkpoint, server_template
from medllm.convert.inspect_gguf import check_gguf
from medllm.pipeline.config import ConvertConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.prompts import FORMATS

pytest_plugins = ("tests.small_model",)


def test_both_files_are_written_checked_and_reported(converted_run: RunPaths) -> None:
    folder = converted_run.stage("convert")
    manifest = read_manifest(folder)
    assert set(manifest.outputs) == {"base-f16.gguf", "medllm-f16.gguf"}
    for name, record in manifest.outputs.items():
        facts = manifest.report[name]
        assert isinstance(facts, dict)
        assert facts["bytes"] == record.bytes
        assert (facts["tensors"], facts["rounded_weights"]) == (21, 0)
        assert isinstance(facts["texts_with_equal_ids"], int)
        assert facts["texts_with_equal_ids"] > 300


def test_metadata_says_nothing_of_this_machine_or_moment(converted_run: RunPaths) -> None:
    """llama.cpp takes names from folders: a temporary one would make every run another file."""
    for name in ("base", "medllm"):
        facts = check_gguf(converted_run.stage("convert") / f"{name}-f16.gguf")
        general = {k: v for k, v in facts.metadata.items() if k.startswith("general.")}
        assert general == {
            "general.architecture": "llama",
            "general.type": "model",
            "general.name": name,
            "general.size_label": "1.4M",
            "general.file_type": 1,
            "general.quantization_version": 2,
        }


def test_the_two_models_differ_where_the_adapter_changed_them(converted_run: RunPaths) -> None:
    base, merged = (
        check_gguf(converted_run.stage("convert") / f"{name}-f16.gguf")
        for name in ("base", "medllm")
    )
    changed = set()
    for name, tensor in base.tensors.items():
        data = []
        for facts in (base, merged):
            with facts.path.open("rb") as file:
                file.seek(tensor.offset)
                data.append(file.read(tensor.nbytes))
        if data[0] != data[1]:
            changed.add(name.split(".")[-2])
    assert changed == {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_down"}


def test_a_second_run_has_nothing_to_do(
    converted_run: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(ConvertConfig(seed=0), converted_run)
    assert "convert: up to date" in capsys.readouterr().err


def test_llama_cpp_continues_as_transformers_does(converted_run: RunPaths) -> None:
    """Random weights, so that a wrong permutation, theta or head count shows at once."""
    from llama_cpp import Llama
    from transformers import LlamaForCausalLM

    from medllm.convert.llama_cpp import silence_native_logs

    silence_native_logs()
    ids = [1, *range(260, 300)]
    model = LlamaForCausalLM.from_pretrained(converted_run.stage("merge"), dtype=torch.float32)
    with torch.inference_mode():
        ours = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    path = converted_run.stage("convert") / "medllm-f16.gguf"
    server = Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=2)
    server.eval(ids)
    theirs = torch.tensor(server.scores[: len(ids)]).log_softmax(-1)
    server.close()
    assert (ours - theirs).abs().max() < 0.02
    assert ours.std() > 0.1


def test_bfloat16_and_rope_theta(make_checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    """A rope_theta inside transformers 5's rope_parameters arrives; bfloat16 loses bits in F16."""
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 77_000.0}
    folder = make_checkpoint("bfloat16", num_hidden_layers=1, rope_parameters=rope)
    assert "rope_theta" not in json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][0] = 1e-30  # vectors stay F32: exact
    tensors["lm_head.weight"][5, :3] = torch.tensor([1e-30, 2.0**-24, 1.0])  # 0, exact, exact
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    report = convert_checkpoint(folder, tmp_path / "x-f16.gguf", ConvertConfig(seed=0))
    metadata = check_gguf(tmp_path / "x-f16.gguf").metadata
    assert metadata["llama.rope.freq_base"] == 77_000.0
    assert metadata["llama.rope.scaling.factor"] == 2.0
    expected = sum(int((t.half().bfloat16() != t).sum()) for t in tensors.values() if t.ndim > 1)
    assert report["rounded_weights"] == expected > 0
    assert [p.name for p in tmp_path.iterdir()] == ["x-f16.gguf"]
    tensors["lm_head.weight"][0, 0] = 1e30
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(MedllmError, match=r"lm_head\.weight holds a number too large for F16"):
        convert_checkpoint(folder, tmp_path / "y-f16.gguf", ConvertConfig(seed=0))


def test_vocabulary_that_outgrew_the_tokenizer(
    make_checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    folder = make_checkpoint(vocab_size=449, num_hidden_layers=1)
    with pytest.raises(MedllmError, match=r"has 448 pieces.*vocab_size = 449.*never add a pad"):
        convert_checkpoint(folder, tmp_path / "x-f16.gguf", ConvertConfig(seed=0))


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint to break."""
    return shutil.copytree(checkpoint, tmp_path / "copy")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"architectures": ["MistralForCausalLM"]}, "architectures is ['MistralForCausalLM']"),
        ({"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "RoPE type is 'dynamic'"),
        ({"rope_parameters": None, "rope_scaling": {"type": "yarn"}}, "RoPE type is 'yarn'"),
        ({"rope_theta": 500.0}, "rope_theta as 500 and, in rope_parameters, as 10000"),
        ({"quantization_config": {"load_in_4bit": True}}, "quantization_config is"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings = True, but the checkpoint has a"),
        ({"num_attention_heads": None}, "num_attention_heads is None, not an integer"),
    ],
)
def test_models_that_llama_cpp_would_run_otherwise(
    copy: Path, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(MedllmError) as caught:
        convert_checkpoint(copy, tmp_path / "x-f16.gguf", ConvertConfig(seed=0))
    assert words in str(caught.value)
    assert not (tmp_path / "x-f16.gguf").exists()


def test_a_failed_stage_leaves_nothing_behind(
    copy: Path, put_stage: Callable[..., None], merged_run: RunPaths, tmp_path: Path
) -> None:
    shutil.copytree(merged_run.root, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    config = json.loads((copy / "config.json").read_text()) | {"hidden_act": "gelu"}
    (copy / "config.json").write_text(json.dumps(config))
    put_stage("base", paths, copy)
    shutil.rmtree(paths.stage("convert"), ignore_errors=True)
    with pytest.raises(MedllmError, match="hidden_act"):
        convert(ConvertConfig(seed=0), paths)
    assert not paths.stage("convert").exists()
    assert not (paths.root / ".convert.partial").exists()


def test_a_disk_that_is_too_small_is_said_beforehand(
    merged_run: RunPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(merged_run.root, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "convert", ignore_errors=True)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**6))
    with pytest.raises(MedllmError, match=r"Stage convert needs 0\.0 GB of disk"):
        convert(ConvertConfig(seed=0), RunPaths(tmp_path / "run"))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_servers_template_has_no_training_marks(name: str) -> None:
    assert "generation -%}" in FORMATS[name].jinja
    assert "generation -%}" not in server_template(FORMATS[name])


def test_a_template_that_renders_otherwise_is_refused() -> None:
    from medllm.convert.gguf import _check_rendering

    llama2 = FORMATS["llama2"]
    with pytest.raises(MedllmError, match="for servers renders"):
        _check_rendering(server_template(llama2).replace("' [/INST]'", "'[/INST]'"), llama2)
