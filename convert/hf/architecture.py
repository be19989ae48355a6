"""Whether llama.cpp will run a model as transformers does, and what its GGUF's header must say.

llama.cpp's converter passes silently over much of this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from medllm.convert.adapter import HEAD
from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.hf.handover import GgufType
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.weight_files import read_object

_INTEGERS = (
    *("num_hidden_layers", "max_position_embeddings", "hidden_size", "intermediate_size"),
    *("num_attention_heads", "vocab_size"),
)
_DEFAULT_THETA = 10_000.0  # of transformers' Llama and of llama.cpp
_REQUIRED = ("rms_norm_eps",)
_REQUIRED_BY_KIND: Mapping[str, tuple[str, ...]] = {
    "llama": (),
    "mistral": ("num_key_value_heads", "rope_theta", "sliding_window"),
}
_REQUIRED_ELSE = ("num_key_value_heads", "rope_theta")
_ROPE_TYPES = ("default", "linear", "llama3")
_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_PICK = "Use a 16-bit Llama, Mistral or Qwen2 model."


class Architecture:
    """A model's config.json.

    It is read without transformers, whose import costs a conversion seconds and 200 MB; so a field
    that transformers would fill with another default than llama.cpp has to be there.
    """

    def __init__(self, folder: Path) -> None:
        """Read it. Raises MedllmError when a field is missing, or asks for code to be run."""
        self.path = folder / "config.json"
        self.fields: Mapping[str, Any] = read_object(self.path)
        # llama.cpp's converter loads tokenizers with trust_remote_code=True.
        for path in (self.path, folder / "tokenizer_config.json"):
            if path.is_file() and "auto_map" in read_object(path):
                raise MedllmError(
                    f"{path} names Python code to run (auto_map).",
                    "Use a checkpoint that needs no code of its own.",
                )
        for field in _INTEGERS:
            if type(self.fields.get(field)) is not int:
                raise MedllmError(
                    f"{self.path}: {field} is {self.fields.get(field)!r}, not an integer.",
                    "Fetch the base again.",
                )
        kind = self.fields.get("model_type")
        for field in (*_REQUIRED, *_REQUIRED_BY_KIND.get(str(kind), _REQUIRED_ELSE)):
            if field not in self.fields and not (field == "rope_theta" and self.rope):
                raise MedllmError(
                    f"{self.path} has no {field}, and readers differ in what they take then.",
                    "Load the model with transformers and save it again.",
                )

    @property
    def rope(self) -> Mapping[str, Any]:
        """The parameters of the rotary embedding."""
        fields = self.fields
        return fields.get("rope_parameters") or fields.get("rope_scaling") or {}

    @property
    def rope_type(self) -> str:
        """``default``, ``linear``, ``llama3``, …."""
        return str(self.rope.get("rope_type") or self.rope.get("type") or "default")

    @cached_property
    def rope_theta(self) -> float:
        """The base of the rotary frequencies, from transformers 5's key or from the older one.

        Raises MedllmError when the two differ.
        """
        found = [
            float(place["rope_theta"])
            for place in (self.fields.get("rope_parameters") or {}, self.fields)
            if place.get("rope_theta") is not None
        ]
        if len(set(found)) > 1:
            raise MedllmError(
                f"{self.path} gives rope_theta as {found[1]:g} and, in rope_parameters, as "
                f"{found[0]:g}.",
                "Leave the one that the model was trained with.",
            )
        return found[0] if found else _DEFAULT_THETA

    @property
    def head_size(self) -> int:
        """Length of a query."""
        fields = self.fields
        return int(fields.get("head_dim") or fields["hidden_size"] // fields["num_attention_heads"])

    def check(self) -> None:
        """Refuse what llama.cpp would run in another way. Raises MedllmError naming the field."""
        raw, window = self.fields, self._window()
        for field, value, supported in (
            ("hidden_act", raw.get("hidden_act", "silu"), ("silu",)),
            ("the RoPE type", self.rope_type, _ROPE_TYPES),
            ("quantization_config", raw.get("quantization_config"), (None,)),
            ("partial_rotary_factor", raw.get("partial_rotary_factor", 1.0), (1.0, None)),
            ("a count of experts", next((raw[k] for k in _EXPERTS if raw.get(k)), None), (None,)),
            ("draft_vocab_size", raw.get("draft_vocab_size"), (None,)),
        ):
            if value not in supported:
                raise MedllmError(
                    f"{self.path}: {field} is {value!r}; medllm converts {supported[0]!r} only.",
                    _PICK,
                )
        _ = self.rope_theta
        context = self.fields["max_position_embeddings"]
        if window is not None and window < context:
            raise MedllmError(
                f"{self.path}: attention slides over a window of {window} of {context} tokens, "
                "and llama.cpp would attend to all of them.",
                f"Set max_position_embeddings to {window}, or use a model without a window.",
            )

    def check_tying(self, checkpoint: MergedCheckpoint) -> None:
        """The head is stored exactly when it is not the embedding. Raises MedllmError."""
        tied = bool(self.fields.get("tie_word_embeddings", False))
        if tied == (HEAD in checkpoint.tensors):
            raise MedllmError(
                f"{self.path} says tie_word_embeddings = {tied}, but the checkpoint has "
                f"{'a' if tied else 'no'} {HEAD}.",
                "Save the model again with transformers.",
            )

    def expected_header(self, graph: str, kind: GgufType) -> dict[str, Any]:
        """What the metadata of a GGUF must say; ``graph`` is its general.architecture.

        Floats are compared as float32 holds them; a key that must be absent is None.
        """
        from gguf import LlamaFileType

        fields = self.fields
        heads = fields["num_attention_heads"]
        file_types = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}
        linear = self.rope_type == "linear"
        own: dict[str, Any] = {
            "block_count": fields["num_hidden_layers"],
            "context_length": fields["max_position_embeddings"],
            "embedding_length": fields["hidden_size"],
            "feed_forward_length": fields["intermediate_size"],
            "attention.head_count": heads,
            "attention.head_count_kv": fields.get("num_key_value_heads") or heads,
            "attention.layer_norm_rms_epsilon": float(fields["rms_norm_eps"]),
            "attention.sliding_window": None,
            "rope.freq_base": self.rope_theta,
            "rope.scaling.type": "linear" if linear else None,
            "rope.scaling.factor": float(self.rope["factor"]) if linear else None,
        }
        if graph == "llama":
            own |= {"rope.dimension_count": self.head_size, "vocab_size": fields["vocab_size"]}
        if fields.get("head_dim"):
            own |= dict.fromkeys(("attention.key_length", "attention.value_length"), self.head_size)
        return {
            "general.architecture": graph,
            "general.file_type": int(LlamaFileType[file_types[kind]]),
            **{f"{graph}.{key}": value for key, value in own.items()},
        }

    def rope_factors(self) -> list[float] | None:
        """Llama 3.1's divisors of the rotary frequencies, None where there are none.

        The rule of github.com/meta-llama/llama-models: long waves are slowed by ``factor``, short
        ones are kept, and those between are interpolated.
        """
        if self.rope_type != "llama3":
            return None
        rope, size = self.rope, self.head_size
        factor, context = rope["factor"], rope["original_max_position_embeddings"]
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        factors = []
        for index in range(0, size, 2):
            wave = 2 * math.pi * self.rope_theta ** (index / size)  # tokens a turn
            share = min(1.0, max(0.0, (context / wave - low) / (high - low)))
            factors.append(1 / ((1 - share) / factor + share))
        return factors

    def _window(self) -> int | None:
        """Tokens that the narrowest layer attends to, None for all of them."""
        fields = self.fields
        window, uses = fields.get("sliding_window"), fields.get("use_sliding_window")
        if window is None or (fields["model_type"] == "qwen2" and not uses):
            return None
        kinds = fields.get("layer_types")
        slides = kinds is None or "sliding_attention" in kinds
        return int(window) if slides else None
