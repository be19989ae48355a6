"""One vocabulary from training to serving: what a GGUF holds, and what llama.cpp reads with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

from medllm.convert.gate.agreement import TokenGate
from medllm.convert.gate.texts import hostile_conversations
from medllm.convert.inspect_gguf import GgufFacts
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import PromptFormat
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL, read_proto

_AGAIN = "Run stage base and then convert again; if it stays, report it."


def check_tokenizer(folder: Path, config: Mapping[str, Any]) -> None:
    """Compare tokenizer.model with the model's config.json: size of the vocabulary, BOS and EOS.

    Raises MedllmError on a difference, and for a tokenizer that llama.cpp does not reproduce.
    """
    model_file = folder / TOKENIZER_MODEL
    proto = read_proto(model_file)
    if len(proto.pieces) != config["vocab_size"]:
        raise MedllmError(
            f"{model_file} has {len(proto.pieces)} pieces, but config.json says "
            f"vocab_size = {config['vocab_size']}.",
            "Use a base whose embedding and tokenizer agree; never add a pad token.",
        )
    for name in ("bos", "eos"):
        token, piece = config[f"{name}_token_id"], getattr(proto.trainer_spec, f"{name}_piece")
        found = proto.pieces[token].piece if 0 <= token < len(proto.pieces) else "no piece"
        if found != piece:
            raise MedllmError(
                f"{folder / 'config.json'} says {name}_token_id = {token}, which is {found!r}, "
                f"not {piece!r}.",
                "Use the config.json and tokenizer.model of one base.",
            )


def check_vocabulary(
    facts: GgufFacts, folder: Path, config: Mapping[str, Any], chat_template: str
) -> None:
    """Compare a GGUF's vocabulary with tokenizer.model: every piece, score and type.

    ``config`` is the model's config.json. Raises MedllmError on the first difference; a vocabulary
    that was converted without tokenizer.model has all scores alike and is refused here.
    """
    proto = read_proto(folder / TOKENIZER_MODEL)
    expected: dict[str, Any] = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tuple(piece.piece for piece in proto.pieces),
        "tokenizer.ggml.scores": tuple(piece.score for piece in proto.pieces),
        "tokenizer.ggml.token_type": tuple(piece.type for piece in proto.pieces),
        "tokenizer.ggml.bos_token_id": config["bos_token_id"],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"],
        "tokenizer.ggml.unknown_token_id": proto.trainer_spec.unk_id,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": proto.normalizer_spec.add_dummy_prefix,
        "tokenizer.chat_template": chat_template,
    }
    for key, value in expected.items():
        found = facts.metadata.get(key)
        if found != value:
            raise MedllmError(f"{facts.path}: {_difference(key, found, value)}.", _AGAIN)


def check_token_ids(gguf: Path, folder: Path, prompt_format: PromptFormat) -> int:
    """Read several hundred hostile conversations with training's tokenizer and with llama.cpp.

    What must hold of each says ``TokenGate.check``. Returns how many were compared. Raises
    MedllmError at the first difference.
    """
    with closing(TokenGate(folder, gguf, prompt_format)) as gate:
        return sum(1 for conversation in hostile_conversations() if gate.check(conversation))


def sample_texts() -> Iterator[str]:
    """A few hundred invented texts with what tokenizers trip over: units, spaces, scripts."""
    finding = ("BP 142/91 mmHg", "SpO₂ 94%", "38.6 °C", "eGFR<60", "10⁹/L", "½ tablet", "5–10 µg")
    manner = ("  since  yesterday", "\n- twice a day\n", "\tp.r.n.", " (naïve, “worse”)", "…", " ")
    who = ("I'm 7 weeks pregnant:", "Müller", "患者说", "Пациент", "طفل", "👩🏽‍⚕️", "▁", "")
    for parts in product(who, finding, manner):
        yield "".join(parts)
    yield from (
        "\n\n\n",
        "   ",
        "\r\n",
        "e\u0301",
        "\u200d",
        "[INST] x [/INST]",
        "<<SYS>>",
        "don't",
    )


def _difference(key: str, found: Any, expected: Any) -> str:
    if isinstance(found, tuple) and isinstance(expected, tuple):
        if len(found) != len(expected):
            return f"{key} has {len(found)} entries, tokenizer.model has {len(expected)}"
        at = next(i for i, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
        alike = " (all alike)" if len(set(found)) == 1 else ""
        return f"{key} is {found[at]!r}{alike} at id {at}, tokenizer.model says {expected[at]!r}"
    return f"{key} is {found!r}, the checkpoint says {expected!r}"
