"""A small Llama-2-shaped model with random weights, its tokenizer, and stages around it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import Work, stage

SENTENCES = (
    "The patient says that the headache began two days ago and is worse in the morning.",
    "Take one tablet of 500 mg twice a day with water, and see a doctor if it does not help.",
    "Blood pressure was 142/91 mmHg; temperature 38.6 °C; no shortness of breath.",
    "I'm worried about the rash on my arm. It itches, but it doesn't hurt.",
    "[INST] <<SYS>>\nYou answer carefully.\n<</SYS>>\n\nWhat should I do? [/INST]",
)


def train_pieces(folder: Path, sentences: Iterable[str], vocab_size: int) -> Path:
    """Train a SentencePiece BPE of Llama-2's kind into the folder; returns its tokenizer.model."""
    import sentencepiece

    trained = folder / "tokenizer.model"
    with trained.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=file,
            model_type="bpe",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            num_threads=1,
            minloglevel=2,
        )
    return trained


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tokenizer.model (SentencePiece BPE, byte fallback) with the tokenizer files of stage base."""
    from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    trained = train_pieces(folder, SENTENCES * 20, 448)
    saved = folder / "saved"
    saved.mkdir()
    save_tokenizer(build_tokenizer(trained), trained, saved)
    return saved


@pytest.fixture(scope="session")
def make_checkpoint(
    tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Write a checkpoint with random weights; keywords go to LlamaConfig."""
    import shutil

    import torch
    from sentencepiece import SentencePieceProcessor
    from transformers import LlamaConfig, LlamaForCausalLM

    def make(dtype: str = "float16", **settings: Any) -> Path:
        folder = tmp_path_factory.mktemp("checkpoint")
        shutil.copytree(tokenizer_folder, folder, dirs_exist_ok=True)
        pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        defaults = {
            "vocab_size": len(pieces),
            "hidden_size": 256,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "max_position_embeddings": 256,
            "rms_norm_eps": 1e-5,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
            "tie_word_embeddings": False,
        }
        torch.manual_seed(7)
        model = LlamaForCausalLM(LlamaConfig(**(defaults | settings)))
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    """The small model in float16."""
    return make_checkpoint()


@pytest.fixture(scope="session")
def put_stage() -> Callable[..., None]:
    """Complete an upstream stage by copying a folder into it."""
    import shutil

    def put(
        name: str, paths: RunPaths, source: Path, into: str = ".", config: Section | None = None
    ) -> None:
        def body(work: Work) -> None:
            shutil.copytree(source, work.dir / into, dirs_exist_ok=True)

        stage(name, config or Section(), paths, body, facts={"source": str(source)})

    return put


@pytest.fixture(scope="session")
def make_adapter(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a random LoRA adapter for a checkpoint; keywords go to LoraConfig."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaForCausalLM

    def make(checkpoint: Path, **settings: Any) -> Path:
        folder = tmp_path_factory.mktemp("adapter")
        defaults: dict[str, Any] = {
            "r": 8,
            "lora_alpha": 20,
            "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"],
            "task_type": "CAUSAL_LM",
        }
        base = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
        model = get_peft_model(base, LoraConfig(**(defaults | settings)))
        torch.manual_seed(11)
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def adapter(checkpoint: Path, make_adapter: Callable[..., Path]) -> Path:
    """A plain random adapter of the small model."""
    return make_adapter(checkpoint)


@pytest.fixture(scope="session")
def merged_run(
    checkpoint: Path,
    adapter: Path,
    put_stage: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunPaths:
    """A run in which base, prepare (empty), train (the random adapter) and merge have completed."""
    from medllm.pipeline.config import BaseConfig, MergeConfig, PrepareConfig, SourceConfig
    from medllm.pipeline.weights.merge import merge

    folder = tmp_path_factory.mktemp("run")
    (folder / "rows").mkdir()
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
        (folder / "rows" / name).write_text("")
    paths = RunPaths(folder / "build")
    sources = (SourceConfig(name="messages", path=Path("mine.jsonl")),)
    put_stage("base", paths, checkpoint, config=BaseConfig(source="models/invented"))
    put_stage("prepare", paths, folder / "rows", config=PrepareConfig(sources=sources))
    put_stage("train", paths, adapter, "adapter")
    merge(MergeConfig(seed=0, max_shard_gb=0.001), paths)
    return paths


@pytest.fixture(scope="session")
def converted_run(merged_run: RunPaths) -> RunPaths:
    """The same run with convert completed, in F16."""
    from medllm.convert.gguf import convert
    from medllm.pipeline.config import ConvertConfig

    convert(ConvertConfig(seed=0), merged_run)
    return merged_run
