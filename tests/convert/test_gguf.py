import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medllm.convert.gguf import convert, convert_checkpoint, convert_model, server_template
from medllm.convert.inspect_gguf import GgufTensor, check_gguf
from medllm.pipeline.config import BaseConfig, ConvertConfig, RunPaths
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
        expected = {
            "general.architecture": "llama",
            "general.type": "model",
            "general.name": name,
            "general.size_label": "1.4M",
            "general.file_type": 1,
            "general.quantization_version": 2,
        }
        assert general.items() >= expected.items()
        assert name == "medllm" or general == expected
        values = [v for v in facts.metadata.values() if isinstance(v, str)]
        assert not any(str(converted_run.root.parent) in value for value in values)
    assert general["general.base_model.0.name"] == "invented"
    assert facts.metadata["medllm.prompt_format"] == "llama2"


def test_the_two_models_differ_where_the_adapter_changed_them(converted_run: RunPaths) -> None:
    base, merged = (
        check_gguf(converted_run.stage("convert") / f"{name}-f16.gguf")
        for name in ("base", "medllm")
    )
    changed = set()
    for name, tensor in base.tensors.items():
        if read(base.path, tensor) != read(merged.path, merged.tensors[name]):
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


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("GemmaForCausalLM", "which llama.cpp runs as gemma; medllm checks llama and qwen2"),
        ("NobodyForCausalLM", "does not know"),
    ],
)
def test_architectures_are_judged_by_the_converters_own_table(
    copy: Path, tmp_path: Path, architecture: str, words: str
) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architectures": [architecture]}))
    with pytest.raises(MedllmError) as caught:
        convert_checkpoint(copy, tmp_path / "x-f16.gguf", ConvertConfig(seed=0))
    assert words in str(caught.value)
    assert architecture in str(caught.value) or "config.json" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir() if p != copy] == []


def test_a_refusal_of_the_adapter_comes_back_from_the_converter(
    checkpoint: Path, adapter: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(adapter, tmp_path / "adapter")
    tensors = load_file(broken / "adapter_model.safetensors")
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name][0, 0] = torch.nan
    save_file(tensors, broken / "adapter_model.safetensors")
    with pytest.raises(MedllmError) as caught:
        convert_checkpoint(checkpoint, tmp_path / "x-f16.gguf", ConvertConfig(seed=0), broken)
    assert f"{name} holds NaN or Inf" in str(caught.value)
    assert "earlier checkpoint" in caught.value.fix
    assert [p.name for p in tmp_path.iterdir()] == ["adapter"]


def test_a_converter_that_fails_is_quoted(copy: Path, tmp_path: Path) -> None:
    (copy / "tokenizer.model").write_bytes(b"nothing")
    with pytest.raises(MedllmError, match=r"converter ended with 1: .*RuntimeError") as caught:
        convert_model(copy, tmp_path / "x-f16.gguf")
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["copy"]


def test_one_pass_writes_what_merging_first_would(converted_run: RunPaths, tmp_path: Path) -> None:
    """The merged checkpoint of stage merge, converted by llama.cpp's script: the same tensors."""
    from benchmarks.convert import run_converter_script

    run_converter_script(converted_run.stage("merge"), tmp_path / "two.gguf", "f16")
    one = check_gguf(converted_run.stage("convert") / "medllm-f16.gguf")
    two = check_gguf(tmp_path / "two.gguf")
    assert one.tensors.keys() == two.tensors.keys()
    for name, tensor in one.tensors.items():
        other = two.tensors[name]
        assert (tensor.type, tensor.shape) == (other.type, other.shape)
        assert read(one.path, tensor) == read(two.path, other), name


def read(path: Path, tensor: GgufTensor) -> bytes:
    with path.open("rb") as file:
        file.seek(tensor.offset)
        return file.read(tensor.nbytes)


def test_nothing_but_the_ggufs_is_written(
    converted_run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No merged copy: the largest thing beside the GGUFs is the tokenizer."""
    import medllm.convert.gguf as gguf

    seen: list[tuple[str, int]] = []
    run = gguf.run_converter

    def watch(request: gguf.Request, on_wait: Callable[[], None]) -> gguf.Answer:
        def look() -> None:
            files = [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_symlink()]
            seen.extend((p.name, p.stat().st_size) for p in files)
            on_wait()

        return run(request, look)

    monkeypatch.setattr(gguf, "run_converter", watch)
    base, train = (converted_run.stage(name) for name in ("base", "train"))
    out = tmp_path / "x-bf16.gguf"
    convert_checkpoint(base, out, ConvertConfig(seed=0, type="BF16"), train / "adapter")
    assert max(size for name, size in seen if name != out.name) < 100_000
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_a_base_shard_swapped_after_training_is_refused(
    merged_run: RunPaths, tmp_path: Path
) -> None:
    shutil.copytree(merged_run.root, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    shutil.rmtree(paths.stage("convert"), ignore_errors=True)
    shard = paths.stage("base") / "model.safetensors"
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 1
    shard.write_bytes(raw)
    with pytest.raises(MedllmError, match=r"model\.safetensors is not the file that stage base"):
        convert(ConvertConfig(seed=0), paths)
    shutil.copy(merged_run.stage("base") / "model.safetensors", shard)
    weights = paths.stage("train") / "adapter" / "adapter_model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(MedllmError, match=r"adapter_model\.safetensors is not the file that stage"):
        convert(ConvertConfig(seed=0), paths)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint to break."""
    return shutil.copytree(checkpoint, tmp_path / "copy")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"num_local_experts": 8}, "a count of experts is 8"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"),
        ({"model_type": "mistral", "sliding_window": 64}, "slides over a window of 64 of 256"),
        ({"model_type": "mistral"}, "has no sliding_window"),
        ({"auto_map": {"AutoConfig": "x.Y"}}, "names Python code to run"),
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


def test_a_tokenizer_with_its_own_code_is_refused(copy: Path, tmp_path: Path) -> None:
    (copy / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["evil.Evil", 0]}}')
    with pytest.raises(MedllmError, match=r"tokenizer_config\.json names Python code"):
        convert_checkpoint(copy, tmp_path / "x-f16.gguf", ConvertConfig(seed=0))
    assert not (tmp_path / "x-f16.gguf").exists()


def test_a_failed_stage_leaves_nothing_behind(
    copy: Path, put_stage: Callable[..., None], merged_run: RunPaths, tmp_path: Path
) -> None:
    shutil.copytree(merged_run.root, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    config = json.loads((copy / "config.json").read_text()) | {"hidden_act": "gelu"}
    (copy / "config.json").write_text(json.dumps(config))
    put_stage("base", paths, copy, config=BaseConfig(source="models/invented"))
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
