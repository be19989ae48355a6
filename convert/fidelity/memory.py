"""The memory that a GGUF is expected to take while it serves one conversation.

weights + KV cache + compute buffer, in bytes, each as llama.cpp allocates it (one sequence, batches
of 512 tokens, 16-bit cache):

- weights: the bytes of all tensors;
- KV cache: context × layers × KV heads × (key + value length) × 2; with grouped queries there are
  fewer KV heads than heads;
- compute buffer: 512 × 4 × the larger of (vocabulary + 2 × width), which the last layer takes, and
  ((heads + 1) × context + 8 × width), which attention without flash attention takes. With flash
  attention it is less, so this is the upper side.

The program around it (a server, a desktop) is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from medllm.convert.inspect_gguf import GgufFacts
from medllm.pipeline.errors import MedllmError

_BATCH = 512
_FLOAT, _HALF = 4, 2  # bytes


@dataclass(frozen=True)
class Memory:
    """Expected bytes."""

    weights: int
    kv_cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.compute


def expected_memory(facts: GgufFacts, context: int) -> Memory:
    """Memory at ``context`` tokens (num_ctx). Raises MedllmError for an incomplete header."""
    layers = _number(facts, "block_count")
    heads, width = _number(facts, "attention.head_count"), _number(facts, "embedding_length")
    kv_heads = _number(facts, "attention.head_count_kv", heads)
    key = _number(facts, "attention.key_length", width // heads)
    value = _number(facts, "attention.value_length", width // heads)
    tokens = facts.metadata.get("tokenizer.ggml.tokens")
    vocabulary = len(tokens) if isinstance(tokens, tuple) else 0
    per_token = max(vocabulary + 2 * width, (heads + 1) * context + 8 * width)
    return Memory(
        weights=sum(tensor.nbytes for tensor in facts.tensors.values()),
        kv_cache=context * layers * kv_heads * (key + value) * _HALF,
        compute=_BATCH * _FLOAT * per_token,
    )


def _number(facts: GgufFacts, name: str, otherwise: int | None = None) -> int:
    value = facts.metadata.get(f"{facts.architecture}.{name}", otherwise)
    if type(value) is not int or value < 1:
        raise MedllmError(
            f"{facts.path} gives {facts.architecture}.{name} as {value!r}.", "Convert it again."
        )
    return value
