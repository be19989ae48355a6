import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.weight_files import INDEX, check_weights


def write(path: Path, **names: torch.Tensor) -> Path:
    save_file(names or {"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, path)
    return path


def raw(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def entry(start: int, stop: int, shape: list[int], dtype: str = "F16") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def refusal(path: Path) -> str:
    with pytest.raises(MedllmError) as caught:
        SafetensorsFile(path)
    assert str(path) in caught.value.what
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_whole_file(tmp_path: Path) -> None:
    assert SafetensorsFile(write(tmp_path / "model.safetensors")).tensors == {
        "a": TensorInfo("F32", (2, 3)),
        "b": TensorInfo("BF16", (4,)),
    }


def test_every_cut_is_refused_with_both_sizes(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.safetensors").read_bytes()
    path = tmp_path / "model.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)
    assert f"is cut short: {len(whole)} bytes expected, {len(whole) - 1} found" in refusal(path)
    path.write_bytes(whole + b"x")
    assert "goes on past its tensors" in refusal(path)
    path.write_bytes(whole[:20])
    assert "cut short: its header is" in refusal(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_under_any_name(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"a": torch.ones(2)}, path, _use_new_zipfile_serialization=not legacy)
    assert "is a pickle of PyTorch" in refusal(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps({"a": list(range(50))}, protocol))
    assert "is a pickle of PyTorch" in refusal(path)


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "pointer of Git LFS" in refusal(path)
    for content in (b"", b"GGUF" + bytes(60), bytes(100), b"<html>" + bytes(100)):
        path.write_bytes(content)
        assert "is not safetensors" in refusal(path)
    path.unlink()
    assert "No such file" in refusal(path)


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": entry(0, 4, [2]), "b": entry(2, 6, [2])}, 6, "b starts at byte 2, not at 4"),
        ({"a": entry(0, 4, [2]), "b": entry(6, 10, [2])}, 10, "b starts at byte 6, not at 4"),
        ({"a": entry(0, 6, [2])}, 6, "takes 6 bytes, F16 [2] needs 4"),
        ({"a": entry(0, 40, [20])}, 4, "is cut short"),
        ({"a": entry(4, 0, [2])}, 4, "takes -4 bytes"),
        ({"a": entry(0, 4, [-2])}, 4, "has shape [-2]"),
        ({"a": entry(0, 4, [2.0])}, 4, "has shape [2.0]"),  # type: ignore[list-item]
        ({"a": entry(0, 4, [True, 2])}, 4, "has shape [True, 2]"),
        ({"a": entry(0, 4, [1 << 64])}, 4, "has shape"),
        ({"a": entry(0, 2, [1] * 9)}, 2, "has shape"),
        ({"a": entry(0, 2, [2], "I8")}, 2, "stored as 'I8', not as F32, F16 or BF16"),
        ({"a": entry(0, 2, [2], [])}, 2, "stored as []"),  # type: ignore[arg-type]
        ({"a\nb": entry(0, 4, [2])}, 4, r"called 'a\\nb'"),
        ({"a": {"dtype": "F16"}}, 0, "no dtype, shape and data_offsets"),
        ({"a": 3}, 0, "no dtype, shape and data_offsets"),
        (b'{"a": 1, "a": 2}', 0, "a name occurs twice"),
        (b'{"a": ', 0, "damaged header"),
        (b"{" + b"\xff" * 8, 0, "damaged header"),
        (b'{"a":' + b"[" * 100_000, 0, "damaged header"),
    ],
)
def test_damaged_headers(tmp_path: Path, header: object, data: int, words: str) -> None:
    message = refusal(raw(tmp_path / "model.safetensors", header, bytes(data)))
    assert words.replace("\\\\", "\\") in message


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 200), st.integers(0, 255))
def test_what_passes_is_what_the_library_accepts(
    tmp_path_factory: pytest.TempPathFactory, extra: bytes, place: int, byte: int
) -> None:
    """No damaged file passes that safetensors itself refuses."""
    path = write(tmp_path_factory.getbasetemp() / "fuzz.safetensors")
    content = bytearray(path.read_bytes())
    content[place % len(content)] = byte
    path.write_bytes(bytes(content) + extra)
    try:
        found = SafetensorsFile(path).tensors
    except MedllmError:
        return
    try:
        with safe_open(path, framework="pt") as file:
            assert set(file.keys()) == set(found)
    except SafetensorError as error:
        raise AssertionError(f"passed, yet {error}") from error


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """Two shards and their index."""
    write(tmp_path / "model-00001-of-00002.safetensors", a=torch.ones(2))
    write(tmp_path / "model-00002-of-00002.safetensors", b=torch.ones(3))
    put_index(tmp_path, a="model-00001-of-00002.safetensors", b="model-00002-of-00002.safetensors")
    return tmp_path


def put_index(folder: Path, **weight_map: object) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def folder_refusal(folder: Path) -> str:
    with pytest.raises(MedllmError) as caught:
        check_weights(folder)
    return str(caught.value)


def test_shards(sharded: Path) -> None:
    files, tensors = check_weights(sharded)
    assert files == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert tensors == {"a": TensorInfo("F32", (2,)), "b": TensorInfo("F32", (3,))}


def test_index_and_shards_must_agree(sharded: Path) -> None:
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    put_index(sharded, a=one, b=one)
    assert "puts b in" in folder_refusal(sharded)
    put_index(sharded, a=one, b=two, c=two)
    assert f"puts c in {two}, which lacks it" in folder_refusal(sharded)
    put_index(sharded, b=two, a=two)
    assert "puts a in" in folder_refusal(sharded)
    put_index(sharded, a=one, b=two)
    write(sharded / two, a=torch.ones(2), b=torch.ones(3))
    assert f"puts a in {one}, it is in {two}" in folder_refusal(sharded)
    (sharded / two).unlink()
    assert f"no {two} (1 of 2 weight files missing)" in folder_refusal(sharded)


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", "x.bin", 3, None])
def test_index_outside_the_folder(sharded: Path, name: object) -> None:
    put_index(sharded, a=name)
    assert "no safetensors file beside it" in folder_refusal(sharded)


def test_damaged_index(sharded: Path) -> None:
    for content in ("{}", '{"weight_map": []}', '{"weight_map": {}}'):
        (sharded / INDEX).write_text(content)
        assert "has no weight_map" in folder_refusal(sharded)
    (sharded / INDEX).write_bytes(b"\xff")
    assert "is not a JSON object" in folder_refusal(sharded)


def test_pickles_alone_are_refused_and_beside_safetensors_ignored(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model.bin")
    assert "only as pickles (pytorch_model.bin)" in folder_refusal(tmp_path)
    write(tmp_path / "model.safetensors")
    assert check_weights(tmp_path)[0] == ["model.safetensors"]


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "has no model.safetensors" in folder_refusal(tmp_path)


def test_rows_are_views_of_the_file_and_the_file_stays(tmp_path: Path) -> None:
    """Unaligned starts (an odd header) included."""
    whole = torch.arange(5000, dtype=torch.float32).reshape(1000, 5)
    for padding in range(4):
        path = tmp_path / f"{padding}.safetensors"
        header = {"a": entry(0, 20_000, [1000, 5], "F32"), "e": entry(20_000, 20_000, [0, 3])}
        raw(path, json.dumps(header).encode() + b" " * padding, whole.numpy().tobytes())
        before = path.read_bytes()
        file = SafetensorsFile(path)
        assert file.tensor("a").equal(whole)
        assert file.tensor("e").shape == (0, 3)
        for start, stop in ((0, 1), (7, 400), (999, 1000), (3, 3)):
            rows = file.rows("a", start, stop)
            assert rows.equal(whole[start:stop])
            rows.fill_(7.0)
        assert path.read_bytes() == before
        assert file.tensor("a").equal(whole)
