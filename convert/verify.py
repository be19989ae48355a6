"""A finished GGUF against the checkpoint that it was made from: header, shapes and every weight."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.inspect_gguf import GgufFacts, GgufTensor
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

_CONVERT_AGAIN = (
    "Run stage convert again; if it stays, report it with the versions in the manifest."
)
_DEFAULT_THETA = 10_000.0  # of transformers' Llama and of llama.cpp
# The converter drops these buffers of early Llama checkpoints; llama.cpp computes them.
_BUFFERS = (".rotary_emb.inv_freq",)
_INTEGERS = (
    *("num_hidden_layers", "max_position_embeddings", "hidden_size", "intermediate_size"),
    *("num_attention_heads", "vocab_size", "bos_token_id", "eos_token_id"),
)


def rope_theta(config: Mapping[str, Any]) -> float:
    """The base of the rotary frequencies, from transformers 5's key or from the older one."""
    found = [
        float(place["rope_theta"])
        for place in (config.get("rope_parameters") or {}, config)
        if place.get("rope_theta") is not None
    ]
    if len(set(found)) > 1:
        raise MedllmError(
            f"config.json gives rope_theta as {found[1]:g} and, in rope_parameters, as "
            f"{found[0]:g}.",
            "Leave the one that the model was trained with.",
        )
    return found[0] if found else _DEFAULT_THETA


def check_convertible(checkpoint: MergedCheckpoint) -> None:
    """Refuse a model that llama.cpp would run in another way than transformers does.

    llama.cpp's converter passes silently over most of this.
    """
    config, where = checkpoint.config, checkpoint.folder / "config.json"
    for field in _INTEGERS:
        if type(config.get(field)) is not int:
            raise MedllmError(
                f"{where}: {field} is {config.get(field)!r}, not an integer.",
                "Fetch the base again.",
            )
    for field, value, supported in (
        ("architectures", config.get("architectures"), (["LlamaForCausalLM"],)),
        ("hidden_act", config.get("hidden_act", "silu"), ("silu",)),
        ("the RoPE type", _rope_type(config), ("default", "linear")),
        ("quantization_config", config.get("quantization_config"), (None,)),
    ):
        if value not in supported:
            raise MedllmError(
                f"{where}: {field} is {value!r}; medllm converts {supported[0]!r} only.",
                "Use a model of the Llama-2 family in 16 bits.",
            )
    rope_theta(config)
    tied, head = config.get("tie_word_embeddings", False), "lm_head.weight"
    if tied == (head in checkpoint.tensors):
        raise MedllmError(
            f"{where} says tie_word_embeddings = {tied}, but the checkpoint has "
            f"{'a' if tied else 'no'} {head}.",
            "Save the model again with transformers.",
        )


def check_header(facts: GgufFacts, checkpoint: MergedCheckpoint, kind: str) -> None:
    """Compare a converted GGUF's hyperparameters, tensors, shapes and types with its checkpoint.

    ``kind`` is the ggml type of the matrices; vectors stay F32. Raises MedllmError on a difference.
    """
    from gguf import LlamaFileType

    config = checkpoint.config
    heads = config["num_attention_heads"]
    file_types = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}
    expected: dict[str, Any] = {
        "general.architecture": "llama",
        "general.file_type": int(LlamaFileType[file_types[kind]]),
        "llama.block_count": config["num_hidden_layers"],
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": config.get("num_key_value_heads") or heads,
        "llama.rope.dimension_count": config.get("head_dim") or config["hidden_size"] // heads,
        "llama.vocab_size": config["vocab_size"],
        "llama.rope.scaling.type": "linear" if _rope_type(config) == "linear" else None,
    }
    found: dict[str, Any] = {key: facts.metadata.get(key) for key in expected}
    measures = {
        "llama.attention.layer_norm_rms_epsilon": float(config.get("rms_norm_eps", 1e-6)),
        "llama.rope.freq_base": rope_theta(config),
    }
    if _rope_type(config) == "linear":
        measures["llama.rope.scaling.factor"] = float(_rope(config)["factor"])
    for key, value in measures.items():  # float32 in the file
        stored = facts.metadata.get(key, _DEFAULT_THETA if key == "llama.rope.freq_base" else None)
        close = isinstance(stored, float) and math.isclose(stored, value, rel_tol=1e-6)
        expected[key], found[key] = value, value if close else stored
    for name, source in _sources(checkpoint).items():
        shape = checkpoint.tensors[source].shape
        expected[name] = (tuple(reversed(shape)), kind if len(shape) > 1 else "F32")
    found |= {name: (tensor.shape, tensor.type.name) for name, tensor in facts.tensors.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise MedllmError(
                f"{facts.path} has {key} = {found.get(key)}, the checkpoint says "
                f"{expected.get(key)}.",
                _CONVERT_AGAIN,
            )


def check_weights(facts: GgufFacts, checkpoint: MergedCheckpoint) -> int:
    """Compare every weight of a converted GGUF with its checkpoint, bit for bit.

    Returns how many weights the GGUF's type could not hold exactly (0 for a float16 checkpoint as
    F16); each of them must be the nearest number of that type. One tensor is in memory at a time.
    Raises MedllmError on a difference, and for a weight too large for the type.
    """
    from tqdm import tqdm

    sources, rounded = _sources(checkpoint), 0
    for name in tqdm(facts.tensors, desc=f"verify {facts.path.name}", disable=None):
        weight = checkpoint.tensor(sources[name])
        if "attn_q." in name or "attn_k." in name:
            heads = "head_count" if "attn_q." in name else "head_count_kv"
            weight = _interleave(weight, facts.metadata[f"llama.attention.{heads}"])
        stored = _read(facts, facts.tensors[name])
        expected = weight.to(stored.dtype).reshape(-1)
        if not expected.isfinite().all():
            raise MedllmError(
                f"{checkpoint.folder}: {sources[name]} holds a number too large for "
                f"{facts.tensors[name].type.name}.",
                "Set convert.type to BF16 or F32.",
            )
        if not expected.equal(stored):
            raise MedllmError(
                f"{facts.path}: {name} differs from {sources[name]} of {checkpoint.folder}.",
                _CONVERT_AGAIN,
            )
        if stored.dtype != weight.dtype:
            rounded += int((expected.to(weight.dtype) != weight.reshape(-1)).sum())
    return rounded


def _rope(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return config.get("rope_parameters") or config.get("rope_scaling") or {}


def _rope_type(config: Mapping[str, Any]) -> str:
    rope = _rope(config)
    return str(rope.get("rope_type") or rope.get("type") or "default")


def _sources(checkpoint: MergedCheckpoint) -> dict[str, str]:
    """GGUF tensor -> checkpoint tensor, by llama.cpp's own table of names."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH.LLAMA, checkpoint.config["num_hidden_layers"])
    sources = {}
    for name in checkpoint.tensors:
        if not name.endswith(_BUFFERS):
            target = table.get_name(name, try_suffixes=(".weight", ".bias"))
            if target is None:
                raise MedllmError(
                    f"{checkpoint.folder} holds {name}, which no Llama has.",
                    "Use a model of the Llama-2 family.",
                )
            sources[target] = name
    return sources


def _interleave(weight: torch.Tensor, heads: Any) -> torch.Tensor:
    """Put a head's rows in the order that ggml's RoPE pairs them: (0, d/2), (1, d/2 + 1), …

    Hugging Face's Llama rotates row i of a head with row i + d/2, llama.cpp's with row i + 1.
    """
    rows = weight.shape[0]
    halves = weight.reshape(heads, 2, rows // heads // 2, -1)
    return halves.transpose(1, 2).reshape(weight.shape)


def _read(facts: GgufFacts, tensor: GgufTensor) -> torch.Tensor:
    """One tensor's data, flat."""
    import numpy as np
    import torch

    dtype = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[tensor.type.name]
    raw = np.fromfile(facts.path, dtype=np.uint8, count=tensor.nbytes, offset=tensor.offset)
    return torch.from_numpy(raw).view(dtype)
