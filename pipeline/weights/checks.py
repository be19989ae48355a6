"""Do a checkpoint's config, weights and tokenizer belong together? Asked before any of them loads.

A config that names other ids than its tokenizer trains without a word of complaint and then never
ends a reply, or ends it anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medllm.convert.safetensors_io import TensorInfo
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.weight_files import read_object


class ModelConfig(BaseModel):
    """The fields of a Llama config.json that its weights and its tokenizer must agree with."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    model_type: Literal["llama", "mistral"]
    architectures: list[Literal["LlamaForCausalLM", "MistralForCausalLM"]] = Field(
        ["LlamaForCausalLM"], min_length=1, max_length=1
    )
    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0, le=1000)
    num_attention_heads: int = Field(gt=0)
    num_key_value_heads: int | None = Field(None, gt=0)
    head_dim: int | None = Field(None, gt=0)
    hidden_act: Literal["silu"] = "silu"
    attention_bias: Literal[False] = False
    mlp_bias: Literal[False] = False
    tie_word_embeddings: bool = False
    auto_map: None = None  # Python code of its own
    quantization_config: None = None
    bos_token_id: int | None = 1  # the defaults of LlamaConfig and MistralConfig
    eos_token_id: int | list[int] | None = 2
    pad_token_id: int | None = None
    unk_token_id: int | None = None

    @model_validator(mode="after")
    def _heads_fit(self) -> ModelConfig:
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError("hidden_size is not a multiple of num_attention_heads")
        if self.num_attention_heads % (self.num_key_value_heads or 1):
            raise ValueError("num_attention_heads is not a multiple of num_key_value_heads")
        return self

    def expected_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor of the architecture (rows are outputs)."""
        hidden, inner = self.hidden_size, self.intermediate_size
        head = self.head_dim or hidden // self.num_attention_heads
        queries = head * self.num_attention_heads
        keys = head * (self.num_key_value_heads or self.num_attention_heads)
        shapes: dict[str, tuple[int, ...]] = {
            "model.embed_tokens.weight": (self.vocab_size, hidden),
            "model.norm.weight": (hidden,),
        }
        if not self.tie_word_embeddings:
            shapes["lm_head.weight"] = (self.vocab_size, hidden)
        layer: dict[str, tuple[int, ...]] = {
            "input_layernorm": (hidden,),
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "post_attention_layernorm": (hidden,),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        for number in range(self.num_hidden_layers):
            for part, shape in layer.items():
                shapes[f"model.layers.{number}.{part}.weight"] = shape
        return shapes


def read_config(path: Path) -> ModelConfig:
    """Check a config.json. Raises MedllmError naming the fields that are wrong."""
    try:
        return ModelConfig.model_validate(read_object(path))
    except ValidationError as error:
        clauses = "; ".join(_clause(problem) for problem in error.errors())
        raise MedllmError(
            f"{path}: {clauses}.",
            "Use a 16-bit Llama or Mistral checkpoint that needs no code of its own.",
        ) from None


def check_config_fits_tokenizer(path: Path, config: ModelConfig, proto: Any) -> None:
    """The ids of a config.json (at ``path``) are those of its SentencePiece model.

    Raises MedllmError naming every field that differs, with both values.
    """
    wrong = []
    if config.vocab_size != len(proto.pieces):
        wrong.append(f"vocab_size is {config.vocab_size}, the tokenizer has {len(proto.pieces)}")
    wrong += _wrong_ids(config.model_dump(), proto)
    _refuse(path, wrong)


def check_generation_ids(path: Path, proto: Any) -> None:
    """The ids of a generation_config.json, where it names any, are the tokenizer's."""
    _refuse(path, _wrong_ids(read_object(path), proto))


def check_tensors_fit_config(
    folder: Path, tensors: Mapping[str, TensorInfo], config: ModelConfig
) -> None:
    """The weights are exactly the tensors of the architecture, in its shapes.

    Old checkpoints also carry RoPE's frequencies (``rotary_emb.inv_freq``), and a tied head may be
    stored as well; both are left unread. Raises MedllmError naming the first tensor that is wrong.
    """
    expected = config.expected_shapes()
    ignored = {"lm_head.weight"} if config.tie_word_embeddings else set()
    wrong = ""
    for name, tensor in sorted(tensors.items()):
        if name in expected and tensor.shape != expected[name]:
            wrong = f"{name} has shape {tensor.shape}, config.json asks for {expected[name]}"
        elif name not in expected and name not in ignored and not name.endswith(".inv_freq"):
            wrong = f"{name} is no tensor of a {config.model_type} model"
        if wrong:
            break
    missing = sorted(expected.keys() - tensors.keys())
    if missing and not wrong:
        wrong = f"{missing[0]} is missing ({len(missing)} of {len(expected)} tensors are)"
    if wrong:
        raise MedllmError(f"{folder}: {wrong}.", "Use weights and config of the same model.")


def _wrong_ids(fields: Mapping[str, Any], proto: Any) -> Iterator[str]:
    """Differences between the special ids of a config and those of its SentencePiece model."""
    ids = {piece.piece: number for number, piece in enumerate(proto.pieces)}
    spec = proto.trainer_spec
    for key, piece in (("bos", spec.bos_piece), ("eos", spec.eos_piece), ("unk", spec.unk_piece)):
        found, right = fields.get(f"{key}_token_id"), ids[piece]
        if found is not None and found not in (right, [right]):
            yield f"{key}_token_id is {found}, the tokenizer's {piece} is {right}"
    pad = fields.get("pad_token_id")
    if pad not in (None, -1) and not (type(pad) is int and 0 <= pad < len(proto.pieces)):
        yield f"pad_token_id is {pad}, the tokenizer's ids end at {len(proto.pieces) - 1}"


def _refuse(path: Path, wrong: list[str] | Iterator[str]) -> None:
    clauses = "; ".join(wrong)
    if clauses:
        raise MedllmError(
            f"{path} does not fit its tokenizer.model: {clauses}.",
            "Use config, weights and tokenizer of the same model, without added tokens.",
        )


def _clause(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key} is {problem['input']!r:.60}: {message}" if key else message
