"""A Llama of random bfloat16 weights, with a tokenizer and a random LoRA adapter, of any size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

RANK, ALPHA, SEED = 16, 32, 0
ADAPTER, BASE = "adapter", "base"


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocab: int


SHAPES = {
    "small": Shape(hidden=256, inner=512, layers=2, heads=8, kv_heads=4, vocab=2000),
    "tinyllama": Shape(hidden=2048, inner=5632, layers=22, heads=32, kv_heads=4, vocab=32000),
    "llama2-7b": Shape(hidden=4096, inner=11008, layers=32, heads=32, kv_heads=32, vocab=32000),
}


def write_llama(folder: Path, shape: Shape) -> None:
    """Write ``base`` and ``adapter`` below a folder, one tensor at a time, the same every time."""
    import torch

    from medllm.convert.safetensors_io import TensorInfo, write_safetensors
    from medllm.pipeline.weights.merge import plan_shards
    from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

    (folder / BASE).mkdir()
    (folder / ADAPTER).mkdir()
    trained = folder / "trained.model"
    trained.write_bytes(_tokenizer(shape.vocab))
    save_tokenizer(build_tokenizer(trained), trained, folder / BASE)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": shape.hidden, "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocab,
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, "dtype": "bfloat16",
    }  # fmt: skip
    (folder / BASE / "config.json").write_text(json.dumps(config))
    shapes = dict(_tensor_shapes(shape))
    generator = torch.Generator().manual_seed(SEED)

    def random(name: str) -> torch.Tensor:
        tensor = torch.empty(shapes[name], dtype=torch.bfloat16)
        return tensor.normal_(0.0, 0.02, generator=generator)

    shards = plan_shards({name: TensorInfo("BF16", s) for name, s in shapes.items()}, 5 * 10**9)
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        many = f"-{number:05d}-of-{len(shards):05d}" if len(shards) > 1 else ""
        path = folder / BASE / f"model{many}.safetensors"
        write_safetensors(path, shard, random)
        weight_map |= dict.fromkeys(shard, path.name)
    if len(shards) > 1:
        index = folder / BASE / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    _make_adapter(folder / ADAPTER, shapes)


def _make_adapter(folder: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    import torch
    from peft import LoraConfig

    from medllm.convert.safetensors_io import TensorInfo, write_safetensors

    linear = [name for name in shapes if "_proj." in name]
    targets = sorted({name.split(".")[-2] for name in linear})
    LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=targets, task_type="CAUSAL_LM",
        inference_mode=True,
    ).save_pretrained(str(folder))  # fmt: skip
    matrices: dict[str, TensorInfo] = {}
    for name in linear:
        module, (rows, columns) = name.removesuffix(".weight"), shapes[name]
        matrices[f"base_model.model.{module}.lora_A.weight"] = TensorInfo("F32", (RANK, columns))
        matrices[f"base_model.model.{module}.lora_B.weight"] = TensorInfo("F32", (rows, RANK))
    generator = torch.Generator().manual_seed(SEED + 1)
    write_safetensors(
        folder / "adapter_model.safetensors",
        matrices,
        lambda name: torch.randn(matrices[name].shape, generator=generator) * 0.02,
    )


def _tensor_shapes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, inner, vocab = shape.hidden, shape.inner, shape.vocab
    keys = hidden // shape.heads * shape.kv_heads
    yield "model.embed_tokens.weight", (vocab, hidden)
    for layer in range(shape.layers):
        for part, size in (
            ("input_layernorm", (hidden,)),
            ("self_attn.q_proj", (hidden, hidden)),
            ("self_attn.k_proj", (keys, hidden)),
            ("self_attn.v_proj", (keys, hidden)),
            ("self_attn.o_proj", (hidden, hidden)),
            ("post_attention_layernorm", (hidden,)),
            ("mlp.gate_proj", (inner, hidden)),
            ("mlp.up_proj", (inner, hidden)),
            ("mlp.down_proj", (hidden, inner)),
        ):
            yield f"model.layers.{layer}.{part}.weight", size
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocab, hidden)


def _tokenizer(count: int) -> bytes:
    """A SentencePiece BPE of ``count`` pieces: bytes, letters, and strings of letters."""
    from itertools import chain, product

    from sentencepiece import sentencepiece_model_pb2

    letters = "▁abcdefghijklmnopqrstuvwxyz"
    strings = chain.from_iterable(product(letters, repeat=length) for length in range(1, 6))
    proto = sentencepiece_model_pb2.ModelProto()
    for piece, kind in (("<unk>", 2), ("<s>", 3), ("</s>", 3)):
        proto.pieces.add(piece=piece, score=0.0, type=kind)
    for byte in range(256):
        proto.pieces.add(piece=f"<0x{byte:02X}>", score=0.0, type=6)
    while len(proto.pieces) < count:
        text = "".join(next(strings))
        if "▁" not in text[1:]:
            proto.pieces.add(piece=text, score=-float(len(proto.pieces)), type=1)
    proto.trainer_spec.model_type = 2
    proto.trainer_spec.vocab_size = count
    proto.trainer_spec.byte_fallback = True
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = False
    proto.normalizer_spec.escape_whitespaces = True
    return bytes(proto.SerializeToString())
