"""A small Llama with random weights, its adapter and files, for benchmarks that break things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

_WORDS = (
    *("the", "patient", "has", "had", "a", "fever", "cough", "headache", "since", "yesterday"),
    *("take", "rest", "drink", "water", "see", "doctor", "if", "pain", "gets", "worse", "blood"),
    *("pressure", "142/91", "mmHg", "38.6", "°C", "no", "shortness", "of", "breath"),
)


def make_small_model(folder: Path) -> tuple[Path, Path]:
    """A checkpoint and an adapter for it, in two folders below ``folder``."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

    checkpoint, adapter = folder / "checkpoint", folder / "adapter"
    checkpoint.mkdir()
    trained = _train_pieces(folder)
    tokenizer = build_tokenizer(trained)
    save_tokenizer(tokenizer, trained, checkpoint)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).half().save_pretrained(checkpoint)
    base = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(base, lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    model.save_pretrained(adapter)
    return checkpoint, adapter


def make_small_gguf(folder: Path) -> Path:
    """The small model as GGUF, converted."""
    from medllm.convert.gguf import convert_checkpoint
    from medllm.pipeline.config import ConvertConfig

    checkpoint, _ = make_small_model(folder)
    outfile = folder / "small-f16.gguf"
    convert_checkpoint(checkpoint, outfile, ConvertConfig(seed=0))
    return outfile


def small_safetensors() -> bytes:
    """A few tensors of every dtype that medllm reads, one of them a scalar."""
    import torch
    from safetensors.torch import save

    torch.manual_seed(0)
    raw: bytes = save(
        {
            "a": torch.randn(3, 5),
            "b.weight": torch.randn(4, 4).half(),
            "c": torch.randn(7).bfloat16(),
            "d": torch.zeros(()),
        }
    )
    return raw


def dialogues(number: int) -> Iterator[str]:
    """Lines of a prepared split, each of them another dialogue of invented words."""
    from medllm.pipeline.data.schema import Dialogue
    from medllm.pipeline.prompts import Message

    drawn = Random(1)
    for index in range(number):
        question, answer = (" ".join(drawn.choices(_WORDS, k=12)) for _ in range(2))
        messages = (
            Message(role="user", content=question),
            Message(role="assistant", content=answer),
        )
        yield Dialogue(id=f"made-{index}", source="made", messages=messages).line()


def _train_pieces(folder: Path) -> Path:
    import sentencepiece

    trained = folder / "tokenizer.model"
    with trained.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_sentences(),
            model_writer=file,
            model_type="bpe",
            vocab_size=420,
            hard_vocab_limit=False,
            byte_fallback=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            num_threads=1,
            minloglevel=2,
        )
    return trained


def _sentences() -> Iterator[str]:
    drawn = Random(0)
    for _ in range(300):
        yield " ".join(drawn.choices(_WORDS, k=8))
