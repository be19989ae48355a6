"""A structural check of a GGUF in pure Python, before native code opens the file.

Reads the header only and trusts nothing in it: every length is compared with what is left of the
file before it is used. A file that passes has its metadata, and every tensor's data, where the
header says. Format: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from medllm.convert.gguf_sense import contradiction
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType

Scalar = int | float | bool | str
Value = Scalar | tuple[Scalar, ...]

_MAX_HEADER = 256 * 2**20  # bytes; a vocabulary of 256,000 pieces needs about 20 MB
_MAX_KEY = 65_535  # bytes, the specification's limit
_MAX_TENSOR_NAME = 63  # bytes: ggml keeps names in 64, with the final zero
_MAX_DIMENSIONS = 4  # ggml's
_FULL_PRECISION = ("norm.weight", ".bias")  # llama.cpp ends the process over another type
_STRING, _ARRAY = 8, 9
_LAYOUTS = {  # GGUF value type -> its struct letter
    **{0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i"},
    **{6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"},
}


@dataclass(frozen=True)
class GgufTensor:
    """Where a tensor is and how it is stored."""

    shape: tuple[int, ...]  # ggml's order: the length of a row first
    type: GGMLQuantizationType
    offset: int  # bytes from the start of the file
    nbytes: int


@dataclass(frozen=True)
class GgufFacts:
    """What the header of a sound GGUF says."""

    path: Path
    version: int
    metadata: Mapping[str, Value]
    tensors: Mapping[str, GgufTensor]  # in the order of the file
    nbytes: int  # of the file

    @property
    def architecture(self) -> str:
        """``general.architecture``, for example ``llama``."""
        return str(self.metadata["general.architecture"])

    @property
    def elements(self) -> int:
        """Number of weights."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors.values())


def check_gguf(path: Path) -> GgufFacts:
    """Check the structure of a GGUF file; the tensors' data are not read.

    Raises MedllmError, naming the file and what is wrong at which byte, for a file that is cut
    short, is no GGUF of version 2 or 3, or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            return _Header(path, file).read()
    except OSError as error:
        raise MedllmError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None


class _Header:
    """A cursor over the header that never passes the end of the file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._size = path.stat().st_size
        self._at = 0

    def read(self) -> GgufFacts:
        self._magic()
        version = self._version()
        tensor_count, key_count = self._u64(), self._u64()
        # The smallest tensor entry takes 33 bytes, the smallest key 14.
        if tensor_count * 33 + key_count * 14 > self._size:
            raise self._wrong(f"announces {tensor_count} tensors and {key_count} keys")
        metadata: dict[str, Value] = {}
        kinds: dict[str, tuple[int, bool]] = {}
        for _ in range(key_count):
            key = self._string("a key", _MAX_KEY)
            if key in metadata:
                raise self._wrong(f"has the key {key} twice")
            if not key.isprintable() or not key:
                raise self._wrong(f"has a key called {key!r:.60}")
            metadata[key], kinds[key] = self._value(key)
        if not isinstance(metadata.get("general.architecture"), str):
            raise self._wrong("names no general.architecture")
        if (wrong := contradiction(metadata, kinds)) is not None:
            raise self._wrong(wrong)
        tensors: dict[str, GgufTensor] = {}
        for _ in range(tensor_count):
            name = self._string("a tensor's name", _MAX_TENSOR_NAME)
            if name in tensors:
                raise self._wrong(f"has the tensor {name} twice")
            if not name.isprintable() or not name:
                raise self._wrong(f"has a tensor called {name!r}")
            tensors[name] = self._tensor(name)
        placed = self._placed(tensors, self._alignment(metadata))
        return GgufFacts(self._path, version, metadata, placed, self._size)

    def _magic(self) -> None:
        magic = self._take(4)
        if magic != b"GGUF":
            raise self._wrong(f"begins with {magic!r}, not with b'GGUF'")

    def _version(self) -> int:
        version = self._u32()
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in (2, 3)
            order = ", big-endian," if swapped else ""
            raise self._wrong(f"is of version {version}{order} not 2 or 3")
        return version

    def _alignment(self, metadata: Mapping[str, Value]) -> int:
        from gguf import GGUF_DEFAULT_ALIGNMENT

        alignment = metadata.get("general.alignment", GGUF_DEFAULT_ALIGNMENT)
        if type(alignment) is not int or not 0 < alignment <= 2**20 or alignment & (alignment - 1):
            raise self._wrong(f"has the alignment {alignment!r}, not a power of two")
        return alignment

    def _tensor(self, name: str) -> GgufTensor:
        """One tensor's entry; its offset still counts from the start of the data."""
        from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

        dimensions = self._u32()
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise self._wrong(f"gives {name} {dimensions} dimensions")
        shape = tuple(self._u64() for _ in range(dimensions))
        number, offset = self._u32(), self._u64()
        if 0 in shape or math.prod(shape) >= 2**63:
            raise self._wrong(f"gives {name} the shape {list(shape)}")
        try:
            kind = GGMLQuantizationType(number)
            block, block_bytes = GGML_QUANT_SIZES[kind]
        except (ValueError, KeyError):
            raise self._wrong(f"stores {name} as the unknown type {number}") from None
        if name.endswith(_FULL_PRECISION) and kind is not GGMLQuantizationType.F32:
            raise self._wrong(f"stores {name} as {kind.name}, which llama.cpp computes in F32 only")
        if shape[0] % block:
            raise self._wrong(
                f"stores {name} as {kind.name}, in blocks of {block}, with rows of {shape[0]}"
            )
        return GgufTensor(shape, kind, offset, math.prod(shape) // block * block_bytes)

    def _placed(self, tensors: Mapping[str, GgufTensor], alignment: int) -> dict[str, GgufTensor]:
        """The tensors with offsets from the start of the file: inside it, aligned, apart."""
        data = self._at + -self._at % alignment
        placed = {
            name: GgufTensor(tensor.shape, tensor.type, data + tensor.offset, tensor.nbytes)
            for name, tensor in tensors.items()
        }
        by_offset = sorted(placed.items(), key=lambda item: item[1].offset)
        before, end = "", data if placed else self._at
        for name, tensor in by_offset:
            if tensor.offset % alignment:
                raise self._wrong(
                    f"puts {name} at byte {tensor.offset}, not a multiple of {alignment}"
                )
            if tensor.offset < end:
                raise self._wrong(f"lets the tensors {before} and {name} overlap")
            before, end = name, tensor.offset + tensor.nbytes
        if end > self._size:
            raise self._cut(end)
        return placed

    def _value(self, key: str) -> tuple[Value, tuple[int, bool]]:
        """The value of a key, its type, and whether it is a list of that type."""
        kind = self._u32()
        if kind != _ARRAY:
            return self._scalars(key, kind, 1)[0], (kind, False)
        kind, count = self._u32(), self._u64()
        return self._scalars(key, kind, count), (kind, True)

    def _scalars(self, key: str, kind: int, count: int) -> tuple[Scalar, ...]:
        if kind == _STRING:
            if count * 8 > self._size - self._at:
                raise self._cut(self._at + count * 8)
            return tuple(self._string(f"the value of {key}", _MAX_HEADER) for _ in range(count))
        if kind not in _LAYOUTS:
            raise self._wrong(f"gives {key} a value of the unknown type {kind}")
        layout = _LAYOUTS[kind]
        raw = self._take(count * struct.calcsize("<" + layout))
        if layout == "?" and raw.strip(b"\x00\x01"):
            raise self._wrong(f"gives {key} a truth value that is neither 0 nor 1")
        return struct.unpack(f"<{count}{layout}", raw)

    def _string(self, what: str, limit: int) -> str:
        length = self._u64()
        if length > limit and length <= self._size - self._at:
            raise self._wrong(f"has {what} of {length} bytes, more than {limit}")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._wrong(f"has {what} that is not UTF-8") from None

    def _u32(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def _u64(self) -> int:
        return int.from_bytes(self._take(8), "little")

    def _take(self, count: int) -> bytes:
        if count > self._size - self._at:
            raise self._cut(self._at + count)
        if self._at + count > _MAX_HEADER:
            raise self._wrong(f"has a header of more than {_MAX_HEADER} bytes")
        raw = self._file.read(count)
        if len(raw) != count:  # the file shrank while it was read
            raise self._cut(self._at + count)
        self._at += count
        return raw

    def _cut(self, needed: int) -> MedllmError:
        return MedllmError(
            f"{self._path} is cut short or damaged: it needs at least {needed:,} bytes and has "
            f"{self._size:,}.",
            "Write or download it again.",
        )

    def _wrong(self, what: str) -> MedllmError:
        return MedllmError(
            f"{self._path} is not a sound GGUF file: it {what:.300} (byte {self._at:,}).",
            "Write or download it again.",
        )
