from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.provenance.identity import gguf_identity
from tests.ollama_server import write_tiny_gguf


def rewritten(source: Path, target: Path, **changed: Any) -> Path:
    """The same GGUF with its tensors in reverse order; keys may be changed or added."""
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader: Any = GGUFReader(source)
    writer: Any = GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith(("GGUF.", "general.architecture")):
            continue
        kind = field.types[0]
        value = changed.pop(field.name.replace(".", "_"), field.contents())
        sub = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, kind, sub_type=sub)
    if "general_name" in changed:
        writer.add_name(changed["general_name"])
    for tensor in reversed(reader.tensors):
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return write_tiny_gguf(tmp_path / "m.gguf")


def test_another_layout_of_the_same_model_is_the_same(gguf: Path, tmp_path: Path) -> None:
    other = rewritten(gguf, tmp_path / "o.gguf", general_name="renamed")
    assert other.read_bytes() != gguf.read_bytes()
    assert gguf_identity(other) == gguf_identity(gguf)


def test_one_bit_of_one_weight_is_seen(gguf: Path) -> None:
    before = gguf_identity(gguf)
    content = bytearray(gguf.read_bytes())
    content[-100] ^= 1
    gguf.write_bytes(content)
    after = gguf_identity(gguf)
    assert after.tensors != before.tensors
    assert after.metadata == before.metadata


def test_another_setting_is_seen(gguf: Path, tmp_path: Path) -> None:
    other = rewritten(gguf, tmp_path / "o.gguf", tokenizer_ggml_bos_token_id=2)
    assert gguf_identity(other).metadata != gguf_identity(gguf).metadata
    assert gguf_identity(other).tensors == gguf_identity(gguf).tensors


def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"no")
    with pytest.raises(MedllmError, match="cut short"):
        gguf_identity(tmp_path / "m.gguf")
