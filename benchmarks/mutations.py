"""Damaged GGUF and safetensors files, made from sound ones by a seed.

Half of the mutations know the format: they aim at counts, lengths, types, dimensions, offsets and
names. The others cut, insert, repeat and overwrite bytes anywhere.
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any, NamedTuple

_WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes by type
_STRING, _ARRAY = 8, 9
_FORMATS = {1: "<B", 2: "<H", 4: "<I", 8: "<Q"}


class Field(NamedTuple):
    """One number or name in a header."""

    start: int  # byte
    width: int  # bytes
    what: str  # "number" or "name"


def gguf_fields(raw: bytes) -> list[Field]:
    """Every number and name in the header of a sound GGUF, in order."""
    fields: list[Field] = []
    at = 4

    def number(width: int) -> int:
        nonlocal at
        fields.append(Field(at, width, "number"))
        at += width
        return int(struct.unpack_from(_FORMATS[width], raw, at - width)[0])

    def name() -> None:
        nonlocal at
        length = number(8)
        fields.append(Field(at, length, "name"))
        at += length

    def values(kind: int, count: int) -> None:
        nonlocal at
        for index in range(count):
            if kind == _STRING:
                name()
            elif index < 4 or index == count - 1:
                number(_WIDTHS[kind])
            else:
                at += _WIDTHS[kind]

    number(4)
    tensors, keys = number(8), number(8)
    for _ in range(keys):
        name()
        kind = number(4)
        if kind == _ARRAY:
            inner = number(4)
            values(inner, number(8))
        else:
            values(kind, 1)
    for _ in range(tensors):
        name()
        for _ in range(number(4)):
            number(8)
        number(4)
        number(8)
    return fields


def mutated_gguf(raw: bytes, fields: list[Field], drawn: random.Random) -> bytes:
    """A GGUF with one to three changes."""
    data = bytearray(raw)
    for _ in range(drawn.choice((1, 1, 2, 3))):
        if drawn.random() < 0.7:
            _change_field(data, fields, drawn)
        else:
            _change_bytes(data, drawn, fields[-1].start + 64)
    return bytes(data)


def mutated_safetensors(raw: bytes, drawn: random.Random) -> bytes:
    """A safetensors file with one to three changes."""
    length = int.from_bytes(raw[:8], "little")
    header: Any = json.loads(raw[8 : 8 + length])
    data = raw[8 + length :]
    if drawn.random() < 0.3:
        damaged = bytearray(raw)
        for _ in range(drawn.choice((1, 1, 2, 3))):
            _change_bytes(damaged, drawn, 8 + length)
        return bytes(damaged)
    for _ in range(drawn.choice((1, 1, 2, 3))):
        _change_entry(header, drawn)
    text = json.dumps(header)
    kind = drawn.randrange(12)
    if kind == 0:
        names = [name for name in header if name != "__metadata__"]
        text = text[:-1] + f", {json.dumps(drawn.choice(names))}: {{}}}}"  # a name twice
    elif kind == 1:
        text = "[" * drawn.choice((1, 100_000)) + text
    elif kind == 2:
        text = text.replace("[", drawn.choice(("[[", "[-", "[1e400,", "[NaN,")), 1)
    elif kind == 3:
        data += bytes(drawn.randrange(40))
    elif kind == 4:
        data = data[: drawn.randrange(len(data))]
    encoded = text.encode()
    announced = drawn.choice((len(encoded),) * 9 + (0, len(encoded) + 1, 2**63, _extreme(drawn, 8)))
    return announced.to_bytes(8, "little") + encoded + data


def _change_field(data: bytearray, fields: list[Field], drawn: random.Random) -> None:
    field = drawn.choice(fields if drawn.random() < 0.5 else _rare(fields))
    if field.start + field.width > len(data) or not field.width:
        return
    if field.what == "name":
        other = drawn.choice([f for f in fields if f.what == "name" and f.width == field.width])
        if drawn.random() < 0.5:
            data[field.start] = drawn.randrange(256)
        else:
            data[field.start : field.start + field.width] = data[
                other.start : other.start + field.width
            ]
        return
    layout = _FORMATS[field.width]
    (old,) = struct.unpack_from(layout, data, field.start)
    value = drawn.choice((_extreme(drawn, field.width), old + 1, old - 1, old * 2, old // 2, 13))
    struct.pack_into(layout, data, field.start, value % 2 ** (8 * field.width))


def _rare(fields: list[Field]) -> list[Field]:
    """Fields outside the long lists of a vocabulary, whose pieces would drown all others."""
    return fields[:120] + fields[-120:]


def _change_bytes(data: bytearray, drawn: random.Random, header: int) -> None:
    """Change bytes, mostly in the header."""
    at = drawn.randrange(min(header, len(data)) if drawn.random() < 0.8 else len(data) or 1)
    kind, count = drawn.randrange(5), drawn.choice((1, 1, 4, 8, 100))
    if kind == 0:
        data[at : at + count] = drawn.randbytes(count)
    elif kind == 1:
        del data[at : at + count]
    elif kind == 2:
        data[at:at] = drawn.randbytes(count)
    elif kind == 3:
        data[at:at] = data[at : at + count]
    else:
        del data[at:]


def _change_entry(header: Any, drawn: random.Random) -> None:
    name = drawn.choice([name for name in header if name != "__metadata__"])
    entry = header[name]
    if not isinstance(entry, dict):
        return
    kind = drawn.randrange(8)
    if kind == 0:
        entry["dtype"] = drawn.choice(("F64", "I8", "BF16", "F32", "F16", "", None, 3, "F8_E4M3"))
    elif kind == 1 and entry.get("shape"):
        entry["shape"][drawn.randrange(len(entry["shape"]))] = _odd_number(drawn)
    elif kind == 2 and isinstance(entry.get("shape"), list):
        entry["shape"].append(_odd_number(drawn))
    elif kind == 3 and entry.get("data_offsets"):
        entry["data_offsets"][drawn.randrange(2)] = _odd_number(drawn)
    elif kind == 4:
        entry.pop(drawn.choice(sorted(entry)) if entry else "", None)
    elif kind == 5:
        header[drawn.choice(("", "x" * 300, "a\nb", "__metadata__", "\ud800"))] = header.pop(name)
    elif kind == 6:
        header[name] = drawn.choice((None, [], {}, 7, "x", [entry]))
    else:
        other = drawn.choice([n for n in header if n != "__metadata__"])
        header[name], header[other] = header[other], entry


def _odd_number(drawn: random.Random) -> object:
    return drawn.choice(
        (0, 1, -1, 3, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30, 1.0, 1e308, True, None, "4", [4])
    )


def _extreme(drawn: random.Random, width: int) -> int:
    bits = 8 * width
    highest = 2**bits - 1
    return drawn.choice(
        (
            *(0, 1, highest, highest // 2, 2 ** (bits - 1), highest - 31),
            *(drawn.randint(0, highest), 2 ** drawn.randrange(bits)),
        )
    )
