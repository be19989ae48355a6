"""Damaged files in small numbers; benchmarks/convert_faults.py has thousands."""

import json
import struct
from pathlib import Path

import pytest

from benchmarks.mutations import gguf_fields
from benchmarks.small import small_safetensors
from benchmarks.untrusted import fuzz_ggufs, fuzz_safetensors
from medllm.convert.inspect_gguf import check_gguf
from medllm.convert.llama_cpp import vocab_cases
from medllm.convert.safetensors_io import SafetensorsFile
from medllm.pipeline.errors import MedllmError
from tests.ollama_server import write_tiny_gguf


def test_damaged_ggufs(tmp_path: Path) -> None:
    """Each is refused in one line or has all its data inside; llama.cpp survives the accepted."""
    small = write_tiny_gguf(tmp_path / "small.gguf").read_bytes()
    counts = fuzz_ggufs([("model", small)], 500, native=25, seed=1)
    assert counts["refused"] + counts["accepted"] == 500
    assert counts["refused"] > 300
    assert counts["llama.cpp: ok"] + counts["llama.cpp: refused"] == 25


def test_damaged_vocabularies() -> None:
    counts = fuzz_ggufs([("vocabulary", vocab_cases().read_bytes())], 60, native=5, seed=2)
    assert counts["refused"] > 20
    assert not any("crashed" in what for what in counts)


def test_damaged_safetensors() -> None:
    counts = fuzz_safetensors(small_safetensors(), 1500, seed=3)
    assert counts["refused"] + counts["accepted"] == sum(counts.values()) == 1500
    assert counts["accepted"] > 10
    assert counts["refused"] > 1000


def test_the_fields_of_a_gguf_are_found(tmp_path: Path) -> None:
    """The mutations aim at what they say they aim at."""
    raw = write_tiny_gguf(tmp_path / "small.gguf").read_bytes()
    names = [raw[f.start : f.start + f.width] for f in gguf_fields(raw) if f.what == "name"]
    assert b"general.architecture" in names
    assert b"blk.0.ffn_down.weight" in names
    assert b"</s>" in names


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def vocabulary(**changes: bytes | None) -> bytes:
    """A GGUF of a Llama vocabulary without tensors; keys may be replaced or left out."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    count = struct.pack("<Q", len(pieces))
    keys: dict[str, bytes | None] = {
        "general.architecture": struct.pack("<I", 8) + text("llama"),
        "tokenizer.ggml.model": struct.pack("<I", 8) + text("llama"),
        "tokenizer.ggml.tokens": struct.pack("<II", 9, 8) + count + b"".join(map(text, pieces)),
        "tokenizer.ggml.scores": struct.pack("<II", 9, 6) + count + bytes(4 * len(pieces)),
        "tokenizer.ggml.token_type": struct.pack("<II", 9, 5) + count + bytes(4 * len(pieces)),
        "tokenizer.ggml.bos_token_id": struct.pack("<II", 4, 1),
        "tokenizer.ggml.add_bos_token": struct.pack("<I?", 7, True),
    }
    keys |= {name.replace("__", "."): value for name, value in changes.items()}
    kept = {name: value for name, value in keys.items() if value is not None}
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(kept))
    return head + b"".join(text(name) + value for name, value in kept.items())


def pieces(*listed: str) -> bytes:
    return struct.pack("<IIQ", 9, 8, len(listed)) + b"".join(map(text, listed))


BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
SCORES = struct.pack("<IIQ", 9, 6, 259)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"tokenizer__ggml__scores": None, "tokenizer__ggml__token_type": None}, ""),
        ({"tokenizer__ggml__tokens": pieces("<unk>", "<s>", "<s>", *BYTES)}, "same token twice"),
        # llama.cpp reads both as "a"
        ({"tokenizer__ggml__tokens": pieces("a\0b", "a", "c", *BYTES)}, "same token twice"),
        ({"tokenizer__ggml__tokens": pieces("[EMPTY_1]", "", "c", *BYTES)}, "same token twice"),
        ({"tokenizer__ggml__tokens": pieces("a", "", "c", *BYTES)}, ""),
        ({"tokenizer__ggml__tokens": pieces("a", "b", "c", "d", *BYTES[1:])}, "the byte 0x00"),
        ({"tokenizer__ggml__tokens": pieces(*BYTES)}, "256 tokens and 259 scores"),
        ({"tokenizer__ggml__tokens": struct.pack("<I", 8) + text("x")}, "tokens a value of the"),
        ({"tokenizer__ggml__tokens": struct.pack("<IIQI", 9, 4, 1, 7)}, "wrong type (4, a list)"),
        ({"tokenizer__ggml__scores": SCORES + b"\xff" * 4 * 259}, "score is not a number"),
        ({"tokenizer__ggml__scores": struct.pack("<IIQ", 9, 5, 259) + bytes(4 * 259)}, "wrong"),
        ({"tokenizer__ggml__token_type": struct.pack("<IIQi", 9, 5, 1, 1)}, "1 token_type"),
        (
            {"tokenizer__ggml__token_type": struct.pack("<IIQ", 9, 5, 259) + b"\x07" * 4 * 259},
            "unknown type",
        ),
        ({"tokenizer__ggml__bos_token_id": struct.pack("<II", 4, 259)}, "259 of 259 tokens"),
        ({"tokenizer__ggml__bos_token_id": struct.pack("<Ii", 5, -1)}, "wrong type (5)"),
        ({"tokenizer__ggml__add_bos_token": struct.pack("<IB", 0, 1)}, "wrong type (0)"),
        ({"general__alignment": struct.pack("<Ii", 5, 32)}, "general.alignment a value of the"),
        ({"llama__block_count": struct.pack("<II", 4, 513)}, "block_count = 513"),
        ({"llama__block_count": struct.pack("<II", 4, 0)}, "block_count = 0"),
        (
            {"llama__attention__layer_norm_rms_epsilon": struct.pack("<If", 6, float("nan"))},
            "epsilon = nan",
        ),
        ({"llama__block_count": struct.pack("<II", 4, 32)}, ""),
        ({"llama__expert_count": struct.pack("<II", 4, 8)}, "uses 0 of 8 experts"),
        ({"llama__rope__scaling__type": struct.pack("<I", 8) + text("x")}, "scaling.type = 'x'"),
        (
            {
                "llama__embedding_length": struct.pack("<II", 4, 256),
                "llama__attention__head_count": struct.pack("<II", 4, 4),
                "llama__rope__dimension_count": struct.pack("<II", 4, 63),
            },
            "rotates 63 of the 64 elements",
        ),
        ({"": struct.pack("<I?", 7, True)}, "a key called ''"),
        ({"a\nb": struct.pack("<I?", 7, True)}, "a key called 'a\\nb'"),
    ],
)
def test_vocabularies_that_llama_cpp_would_trip_over(
    tmp_path: Path, changes: dict[str, bytes | None], words: str
) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(vocabulary(**changes))
    if not words:
        assert check_gguf(path).architecture == "llama"
        return
    with pytest.raises(MedllmError) as caught:
        check_gguf(path)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J"])
def test_tensor_names_that_would_spoil_a_terminal(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.gguf"
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text(name) + struct.pack("<IQIQ", 1, 8, 0, 0)
    path.write_bytes(head + bytes(-len(head) % 32) + bytes(32))
    with pytest.raises(MedllmError, match="has a tensor called") as caught:
        check_gguf(path)
    assert str(caught.value).isprintable()


def test_a_pickle_under_a_safetensors_name(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(MedllmError, match="pickle of PyTorch"):
        SafetensorsFile(path)


def test_a_header_of_endless_nesting(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    header = json.dumps({"a": 0})[:-2].encode() + b"[" * 200_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(MedllmError, match="damaged header"):
        SafetensorsFile(path)
