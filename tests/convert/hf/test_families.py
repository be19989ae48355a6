"""Every family of the Llama kind: built small, converted with an adapter, read by llama.cpp."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from medllm.convert.gguf import convert_model
from medllm.convert.inspect_gguf import check_gguf
from medllm.convert.llama_cpp import silence_native_logs
from medllm.pipeline.errors import MedllmError
from tests.small_model import SENTENCES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

pytest_plugins = ("tests.small_model",)

CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 50_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def byte_level_bpe(digits: str, whole_words: bool, **special: str) -> "Tokenizer":
    """A byte-level BPE that cuts text as Llama 3 (``{1,3}``) or Qwen2 (no count) does."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(ignore_merges=whole_words))
    if not whole_words:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(
                Regex(CUT.replace(r"\p{N}|", rf"\p{{N}}{digits}|", 1)), "isolated"
            ),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=list(special.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 20, trainer)
    return tokenizer


def save_bpe(folder: Path, tokenizer: "Tokenizer", bos: str | None, eos: str) -> None:
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos)
    fast.save_pretrained(str(folder))


def llama3(folder: Path, _spm: Path) -> PreTrainedModel:
    tokenizer = byte_level_bpe("{1,3}", True, bos="<|begin_of_text|>", eos="<|end_of_text|>")
    save_bpe(folder, tokenizer, "<|begin_of_text|>", "<|end_of_text|>")
    ids = {"bos_token_id": 0, "eos_token_id": [1, 0], "vocab_size": tokenizer.get_vocab_size()}
    return LlamaForCausalLM(LlamaConfig(**SHAPE, **ids, rope_parameters=LLAMA3_ROPE))


def qwen2(folder: Path, _spm: Path) -> PreTrainedModel:
    tokenizer = byte_level_bpe("", False, eos="<|endoftext|>")
    save_bpe(folder, tokenizer, None, "<|endoftext|>")
    ids = {"bos_token_id": None, "eos_token_id": 0, "vocab_size": tokenizer.get_vocab_size() + 64}
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE, **ids, tie_word_embeddings=True))
    for name, parameter in model.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def sentencepiece_files(folder: Path, spm: Path) -> dict[str, int]:
    import shutil

    from sentencepiece import SentencePieceProcessor

    shutil.copytree(spm, folder, dirs_exist_ok=True)
    pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    return {"bos_token_id": 1, "eos_token_id": 2, "vocab_size": len(pieces)}


def mistral(folder: Path, spm: Path) -> PreTrainedModel:
    ids = sentencepiece_files(folder, spm)
    return MistralForCausalLM(MistralConfig(**SHAPE, **ids, head_dim=32, sliding_window=None))


def tinyllama(folder: Path, spm: Path) -> PreTrainedModel:
    ids = sentencepiece_files(folder, spm)
    config = LlamaConfig(**SHAPE, **ids, attention_bias=True)
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith(".bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    return model


FAMILIES: dict[str, Callable[[Path, Path], PreTrainedModel]] = {
    "llama3": llama3,
    "qwen2": qwen2,
    "mistral": mistral,
    "llama-with-biases": tinyllama,
}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(
    request: pytest.FixtureRequest, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path, PreTrainedModel]:
    """A family's checkpoint in bfloat16, an adapter of it, and the model that the two make."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(3)
    FAMILIES[request.param](folder, tokenizer_folder).to(torch.bfloat16).save_pretrained(folder)
    base = LlamaForCausalLM if "llama" in request.param else None
    kinds = {"qwen2": Qwen2ForCausalLM, "mistral": MistralForCausalLM}
    base = base or kinds[request.param]
    plain = base.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(plain, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    adapter = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(adapter)
    plain = base.from_pretrained(folder, dtype=torch.float32)
    merged = PeftModel.from_pretrained(plain, adapter).merge_and_unload()
    return request.param, folder, adapter, merged.to(torch.bfloat16).float()


def test_llama_cpp_computes_what_transformers_does(
    family: tuple[str, Path, Path, PreTrainedModel], tmp_path: Path
) -> None:
    from llama_cpp import GGML_TYPE_F32, Llama

    name, folder, adapter, model = family
    report = convert_model(folder, tmp_path / "x-f32.gguf", "F32", adapter)
    assert isinstance(report["texts_with_equal_ids"], int)
    assert report["texts_with_equal_ids"] > 200
    facts = check_gguf(tmp_path / "x-f32.gguf")
    assert facts.architecture == ("qwen2" if name == "qwen2" else "llama")
    silence_native_logs()
    ids = list(range(5, 105))
    with torch.inference_mode():
        ours = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    server = Llama(
        str(facts.path), n_ctx=128, logits_all=True, verbose=False, n_threads=1,
        type_k=GGML_TYPE_F32, type_v=GGML_TYPE_F32,
    )  # fmt: skip
    server.eval(ids)
    theirs = torch.tensor(server.scores[: len(ids)]).log_softmax(-1)
    server.close()
    assert ours.std() > 0.1
    assert (ours - theirs).abs().max() < 2e-3
    assert ours.argmax(-1).equal(theirs.argmax(-1))


def test_a_cut_that_llama_cpp_does_not_know_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    llama3(folder, tmp_path).save_pretrained(folder)
    path = folder / "tokenizer.json"
    settings = json.loads(path.read_text())
    split = settings["pre_tokenizer"]["pretokenizers"][0]
    split["pattern"]["Regex"] = split["pattern"]["Regex"].replace("{1,3}", "{1,2}")
    path.write_text(json.dumps(settings))
    with pytest.raises(
        MedllmError, match=r"cuts text in a way that llama\.cpp's converter does not"
    ):
        convert_model(folder, tmp_path / "x-f16.gguf")
    settings["model"]["ignore_merges"] = False
    split["pattern"]["Regex"] = split["pattern"]["Regex"].replace("{1,2}", "{1,3}")
    path.write_text(json.dumps(settings))
    with pytest.raises(MedllmError, match="cuts text in a way"):
        convert_model(folder, tmp_path / "x-f16.gguf")
