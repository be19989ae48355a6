"""What a GGUF's keys must be, and agree on, so that llama.cpp opens the file or says no.

llama.cpp ends the whole process over two equal pieces of a vocabulary, or when a text needs a byte
that is no piece, so what it takes for granted is checked here. What it checks itself is left to it.
Source: ``src/llama-vocab.cpp``, ``src/llama-model.cpp`` in github.com/ggml-org/llama.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING = 4, 5, 6, 7, 8
_VOCABULARY = "tokenizer.ggml."
_LISTS = {  # key -> type of its elements; the first three have one element a piece
    "tokenizer.ggml.tokens": _STRING,
    "tokenizer.ggml.scores": _FLOAT32,
    "tokenizer.ggml.token_type": _INT32,
    "tokenizer.ggml.merges": _STRING,
}
_MAX_LAYERS = 512  # llama.cpp's LLAMA_MAX_LAYERS
_MAX_EXPERTS = 512
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_TOKEN_TYPES = range(7)  # llama.cpp's, undefined to byte


def contradiction(metadata: Mapping[str, Any], kinds: Mapping[str, tuple[int, bool]]) -> str | None:
    """Say what is wrong with a GGUF's keys, or None.

    ``kinds`` maps each key to its GGUF value type and whether it is an array of that type.
    """
    return _wrong_type(kinds) or _wrong_vocabulary(metadata) or _wrong_hyperparameter(metadata)


def _wrong_type(kinds: Mapping[str, tuple[int, bool]]) -> str | None:
    for key, (kind, listed) in kinds.items():
        if key in _LISTS:
            fits = listed and kind == _LISTS[key]
        elif key == "general.alignment" or (
            key.startswith(_VOCABULARY) and key.endswith("_token_id")
        ):
            fits = kind == _UINT32 and not listed
        elif key.startswith(_VOCABULARY + "add_"):
            fits = kind == _BOOL and not listed
        else:
            continue
        if not fits:
            return f"gives {key} a value of the wrong type ({kind}{', a list' * listed})"
    return None


def _wrong_vocabulary(metadata: Mapping[str, Any]) -> str | None:
    pieces: Sequence[str] | None = metadata.get("tokenizer.ggml.tokens")
    if pieces is None:
        return None
    for key in ("tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        if key in metadata and len(metadata[key]) != len(pieces):
            return f"has {len(pieces)} tokens and {len(metadata[key])} {key.rpartition('.')[2]}"
    if any(map(math.isnan, metadata.get("tokenizer.ggml.scores", ()))):
        return "has a token whose score is not a number"
    for kind in set(metadata.get("tokenizer.ggml.token_type", ())):
        if kind not in _TOKEN_TYPES:
            return f"has a token of the unknown type {kind}"
    # llama.cpp reads pieces as C strings, and gives empty ones a name
    names = {piece.partition("\0")[0] or f"[EMPTY_{i}]" for i, piece in enumerate(pieces)}
    if len(names) != len(pieces):
        return "has the same token twice"
    if metadata.get("tokenizer.ggml.model") == "llama":
        for byte in range(256):
            if not {f"<0x{byte:02X}>", chr(byte) if byte < 128 else ""} & names:
                return f"has no token for the byte 0x{byte:02X}"
    for key, value in metadata.items():
        if key.startswith(_VOCABULARY) and key.endswith("_token_id") and value >= len(pieces):
            return f"says {key} = {value} of {len(pieces)} tokens"
    return None


def _wrong_hyperparameter(metadata: Mapping[str, Any]) -> str | None:
    """Numbers over which llama.cpp ends the process instead of refusing the file."""
    architecture = metadata["general.architecture"]

    def said(key: str) -> Any:
        return metadata.get(f"{architecture}.{key}")

    blocks = said("block_count")
    if blocks is not None and (type(blocks) is not int or not 0 < blocks <= _MAX_LAYERS):
        return f"says {architecture}.block_count = {blocks!r:.60}"
    experts, used = said("expert_count") or 0, said("expert_used_count") or 0
    if not all(type(value) is int for value in (experts, used)) or not (
        (experts == used == 0) or 0 < used <= experts <= _MAX_EXPERTS
    ):
        return f"uses {used!r:.60} of {experts!r:.60} experts"
    scaling = said("rope.scaling.type")
    if scaling is not None and scaling not in _ROPE_SCALINGS:
        return f"says {architecture}.rope.scaling.type = {scaling!r:.60}"
    for key in ("attention.layer_norm_rms_epsilon", "attention.layer_norm_epsilon"):
        epsilon = said(key)
        if epsilon is not None and not (isinstance(epsilon, float) and 0 <= epsilon < 1):
            return f"says {architecture}.{key} = {epsilon!r:.60}"
    width, heads, rotated = map(
        said, ("embedding_length", "attention.head_count", "rope.dimension_count")
    )
    width = said("attention.key_length") or width
    if architecture == "llama" and all(type(value) is int for value in (width, heads, rotated)):
        head = width if said("attention.key_length") else width // max(1, heads)
        if rotated != head or said("attention.value_length") not in (None, head):
            return f"rotates {rotated} of the {head} elements of a head"
    return None
