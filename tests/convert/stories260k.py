"""Karpathy's stories260K, from llama2.c's files to a Hugging Face folder.

Layout of the files: ``run.c`` in github.com/karpathy/llama2.c. It is a real, trained Llama with
grouped-query attention (8 heads over 4) and tied embeddings, small enough for a test.
"""

import json
import struct
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2

from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

THETA, EPSILON = 10_000.0, 1e-5


def write_checkpoint(source: Path, folder: Path, dtype: torch.dtype) -> None:
    """Write config, weights and tokenizer of ``source`` (a folder of llama2.c files)."""
    raw = (source / "checkpoint_legacy.bin").read_bytes()
    dim, hidden, layers, heads, kv_heads, vocab, context = struct.unpack_from("<7i", raw)
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": dim,
        "intermediate_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocab,
        "max_position_embeddings": context,
        "rms_norm_eps": EPSILON,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
        "hidden_act": "silu",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": True,
        "dtype": str(dtype).removeprefix("torch."),
    }
    (folder / "config.json").write_text(json.dumps(config))
    numbers = torch.from_numpy(np.frombuffer(raw, dtype="<f4", offset=28).copy())
    tensors = _tensors(numbers, config)
    save_file(
        {name: tensor.to(dtype).contiguous() for name, tensor in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    model_file = folder / "from_llama2_c.model"
    model_file.write_bytes(_tokenizer((source / "tokenizer.bin").read_bytes(), vocab))
    save_tokenizer(build_tokenizer(model_file), model_file, folder)
    model_file.unlink()


def _tensors(numbers: torch.Tensor, config: dict[str, object]) -> dict[str, torch.Tensor]:
    dim, hidden, layers, heads, kv_heads, vocab, context = (
        int(str(config[key]))
        for key in (
            *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
            *("num_key_value_heads", "vocab_size", "max_position_embeddings"),
        )
    )
    keys = dim // heads * kv_heads
    taken = 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal taken
        count = int(np.prod(shape))
        taken += count
        return numbers[taken - count : taken].reshape(shape)

    tensors = {"model.embed_tokens.weight": take(vocab, dim)}
    per_layer = {
        "input_layernorm": take(layers, dim),
        "self_attn.q_proj": _halves(take(layers, dim, dim), heads),
        "self_attn.k_proj": _halves(take(layers, keys, dim), kv_heads),
        "self_attn.v_proj": take(layers, keys, dim),
        "self_attn.o_proj": take(layers, dim, dim),
        "post_attention_layernorm": take(layers, dim),
        "mlp.gate_proj": take(layers, hidden, dim),
        "mlp.down_proj": take(layers, dim, hidden),
        "mlp.up_proj": take(layers, hidden, dim),
    }
    for name, stacked in per_layer.items():
        for layer in range(layers):
            tensors[f"model.layers.{layer}.{name}.weight"] = stacked[layer]
    tensors["model.norm.weight"] = take(dim)
    take(2, context, dim // heads // 2)  # tables of cosines and sines
    assert taken == len(numbers)
    return tensors


def _halves(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """From interleaved RoPE pairs, rows (2i, 2i + 1), to Hugging Face's (i, i + d/2)."""
    layers, rows, columns = weight.shape
    pairs = weight.reshape(layers, heads, rows // heads // 2, 2, columns)
    return pairs.transpose(2, 3).reshape(weight.shape)


def _tokenizer(raw: bytes, vocab: int) -> bytes:
    """A SentencePiece model with llama2.c's pieces and scores."""
    proto = sentencepiece_model_pb2.ModelProto()
    at = 4  # past the length of the longest piece
    for index in range(vocab):
        score, length = struct.unpack_from("<fi", raw, at)
        text = raw[at + 8 : at + 8 + length].decode().replace(" ", "▁")
        at += 8 + length
        kind = 2 if index == 0 else 3 if index < 3 else 6 if index < 259 else 1
        text = ("<unk>", "<s>", "</s>")[index] if index < 3 else text
        proto.pieces.add(piece=text, score=score, type=kind)
    assert at == len(raw)
    proto.trainer_spec.model_type = 2
    proto.trainer_spec.vocab_size = vocab
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = False
    proto.normalizer_spec.escape_whitespaces = True
    return bytes(proto.SerializeToString())
