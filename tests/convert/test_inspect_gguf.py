import math
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medllm.convert.inspect_gguf import check_gguf
from medllm.convert.llama_cpp import vocab_cases
from medllm.pipeline.errors import MedllmError


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def tensor(name: str, shape: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


ARCHITECTURE = text("general.architecture") + struct.pack("<I", 8) + text("llama")
A_Q8 = tensor("a", (64, 3), 8, 0)  # 6 blocks of 34 bytes = 204, padded to 224
B_F32 = tensor("b", (5,), 0, 224)


def gguf(
    keys: tuple[bytes, ...] = (ARCHITECTURE,),
    tensors: tuple[bytes, ...] = (A_Q8, B_F32),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    counts: tuple[int, int] | None = None,
    data: int = 224 + 20,
    alignment: int = 32,
) -> bytes:
    """Bytes of a small GGUF, of which any part may be wrong."""
    tensor_count, key_count = counts or (len(tensors), len(keys))
    head = magic + struct.pack("<IQQ", version, tensor_count, key_count)
    head += b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + bytes(data)


def check(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    check_gguf(path)


def test_facts(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    numbers = text("n") + struct.pack("<IIQ3h", 9, 3, 3, -1, 0, 7)
    words = text("w") + struct.pack("<IIQ", 9, 8, 2) + text("é") + text("")
    flag = text("f") + struct.pack("<I?", 7, True)
    path.write_bytes(gguf((ARCHITECTURE, numbers, words, flag)))
    facts = check_gguf(path)
    assert facts.architecture == "llama"
    assert (facts.version, facts.nbytes) == (3, path.stat().st_size)
    assert dict(facts.metadata) == {
        "general.architecture": "llama",
        "n": (-1, 0, 7),
        "w": ("é", ""),
        "f": True,
    }
    assert list(facts.tensors) == ["a", "b"]
    a, b = facts.tensors.values()
    assert (a.shape, a.type.name, a.nbytes, a.offset % 32) == ((64, 3), "Q8_0", 204, 0)
    assert (b.shape, b.type.name, b.nbytes, b.offset - a.offset) == ((5,), "F32", 20, 224)
    assert b.offset + b.nbytes == facts.nbytes
    assert facts.elements == 197


def test_what_gguf_py_writes_reads_the_same(tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

    path = tmp_path / "x.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    for number in range(5):
        writer.add_tensor(f"t{number}", np.full((number + 1, 7), number, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    facts, reader = check_gguf(path), GGUFReader(path)
    for theirs in reader.tensors:
        ours = facts.tensors[theirs.name]
        assert ours.shape == tuple(theirs.shape)
        assert (ours.offset, ours.nbytes) == (theirs.data_offset, theirs.n_bytes)
        assert ours.type == theirs.tensor_type
    del reader


def test_llama_cpps_own_vocabulary() -> None:
    facts = check_gguf(vocab_cases())
    tokens = facts.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, tuple)
    assert (len(tokens), tokens[1], tokens[518]) == (32000, "<s>", "▁[")
    assert not facts.tensors


def test_a_file_cut_in_half(tmp_path: Path) -> None:
    whole = gguf(data=224 + 20_000, tensors=(A_Q8, tensor("b", (5000,), 0, 224)))
    with pytest.raises(MedllmError) as caught:
        check(tmp_path, whole[: len(whole) // 2])
    message = str(caught.value)
    assert f"{tmp_path / 'x.gguf'} is cut short" in message
    assert f"{len(whole):,} bytes and has {len(whole) // 2:,}" in message


def test_a_file_cut_anywhere(tmp_path: Path) -> None:
    whole = gguf()
    check(tmp_path, whole)
    for length in range(len(whole)):
        with pytest.raises(MedllmError, match=r"x\.gguf is (cut short|not a sound GGUF)"):
            check(tmp_path, whole[:length])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="No such file"):
        check_gguf(tmp_path / "x.gguf")
    with pytest.raises(MedllmError, match="Is a directory"):
        check_gguf(tmp_path)


def key(name: str, kind: int, raw: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + raw


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (gguf(magic=b"GGML"), "begins with b'GGML'"),
        (gguf(version=1), "version 1 not 2 or 3"),
        (gguf(version=0x03000000), "big-endian"),
        (gguf(counts=(2**63, 1)), "announces 9223372036854775808 tensors"),
        (gguf(counts=(2, 2**40)), "1099511627776 keys"),
        (gguf(keys=()), "names no general.architecture"),
        (gguf(keys=(key("general.architecture", 4, bytes(4)),)), "names no general.architecture"),
        (gguf(keys=(ARCHITECTURE, ARCHITECTURE)), "has the key general.architecture twice"),
        (gguf(keys=(ARCHITECTURE, key("k", 13, bytes(4)))), "unknown type 13"),
        (gguf(keys=(ARCHITECTURE, key("k", 9, struct.pack("<IQ", 9, 1)))), "unknown type 9"),
        (gguf(keys=(ARCHITECTURE, key("k", 7, b"\x02"))), "neither 0 nor 1"),
        (gguf(keys=(ARCHITECTURE, key("k", 9, struct.pack("<IQ", 10, 2**61)))), "cut short"),
        (gguf(keys=(ARCHITECTURE, key("k", 9, struct.pack("<IQ", 8, 2**61)))), "cut short"),
        (gguf(keys=(ARCHITECTURE, key("k", 8, struct.pack("<Q", 2**64 - 1)))), "cut short"),
        (gguf(keys=(ARCHITECTURE, key("k", 8, struct.pack("<Q", 2) + b"\xff\xfe"))), "not UTF-8"),
        (gguf(keys=(ARCHITECTURE, key("k" * 65_536, 7, b"\x00"))), "more than 65535"),
        (gguf(tensors=(A_Q8, A_Q8)), "has the tensor a twice"),
        (gguf(tensors=(tensor("n" * 64, (5,), 0, 0),)), "of 64 bytes, more than 63"),
        (gguf(tensors=(tensor("a", (5,), 99, 0),)), "unknown type 99"),
        (gguf(tensors=(tensor("a", (5,), 4, 0),)), "unknown type 4"),
        (gguf(tensors=(tensor("a", (), 0, 0),)), "0 dimensions"),
        (gguf(tensors=(tensor("a", (1,) * 5, 0, 0),)), "5 dimensions"),
        (gguf(tensors=(tensor("a", (5, 0), 0, 0),)), "the shape [5, 0]"),
        (gguf(tensors=(tensor("a", (2**32, 2**31), 0, 0),)), "the shape"),
        (gguf(tensors=(tensor("a", (48, 2), 8, 0),)), "blocks of 32, with rows of 48"),
        (gguf(tensors=(tensor("a_norm.weight", (5,), 1, 0),)), "F32 only"),
        (gguf(tensors=(A_Q8, tensor("b", (5,), 0, 208))), "not a multiple of 32"),
        (gguf(tensors=(A_Q8, tensor("b", (5,), 0, 192))), "tensors a and b overlap"),
        (gguf(tensors=(A_Q8, tensor("b", (5,), 0, 256))), "cut short"),
        (gguf(tensors=(A_Q8, tensor("b", (5,), 0, 2**64 - 32))), "cut short"),
        *(
            (gguf(keys=(ARCHITECTURE, key("general.alignment", 4, struct.pack("<I", n)))), f"t {n}")
            for n in (0, 48, 2**31)
        ),
        (
            gguf(keys=(ARCHITECTURE, key("general.alignment", 8, text("32")))),
            "alignment a value of",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(MedllmError) as caught:
        check(tmp_path, raw)
    message = str(caught.value)
    assert words in message
    assert str(tmp_path / "x.gguf") in message
    assert "\n" not in message


@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.one_of(st.none(), st.integers(0, 600)),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_pass_or_are_refused(
    tmp_path: Path, changes: list[tuple[int, int]], length: int | None
) -> None:
    """No other exception, no endless loop, and never data outside the file."""
    raw = bytearray(gguf((ARCHITECTURE, key("k", 9, struct.pack("<IQ3f", 6, 3, 1, 2, 3)))))
    for at, value in changes:
        raw[at % len(raw)] = value
    path = tmp_path / "x.gguf"
    path.write_bytes(raw[:length])
    try:
        facts = check_gguf(path)
    except MedllmError:
        return
    for found in facts.tensors.values():
        assert 0 < found.offset <= found.offset + found.nbytes <= facts.nbytes
        assert math.prod(found.shape) > 0
