"""The elements of a JSON list, one by one, in the memory of one."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, TextIO

from medllm.pipeline.errors import MedllmError

_CHUNK = 2**16
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)  # raw tabs and newlines inside strings do occur
_NOTHING = object()


def elements(stream: BinaryIO, name: str, limit: int) -> Iterator[object]:
    """Decode element after element from a buffer that grows only while one does not fit.

    ``stream`` holds UTF-8, with a BOM or not; bytes that are not become lone surrogates. Raises
    MedllmError naming the file when the list is cut off, broken between elements or followed by
    something, or when an element is longer than ``limit`` characters.
    """
    file = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    text, position, number = _after_bracket(file), 0, 0
    while True:
        found = _element(text, position, first=number == 0)
        while found is None:
            left = len(text) - position
            more = file.read(max(_CHUNK, left)) if left <= limit else ""
            if not more:
                raise MedllmError(
                    f"{name} is cut off or not JSON after row {number}.",
                    "Fetch the file again or correct it there.",
                )
            text, position = text[position:] + more, 0
            found = _element(text, position, first=number == 0)
        value, position, closed = found
        if value is not _NOTHING:
            number += 1
            yield value
        if closed:
            break
    if text[position:].strip() or _goes_on(file):
        raise MedllmError(
            f"{name} goes on after its JSON list of {number} rows.",
            "Make it one list, or one JSON object a line.",
        )


def _goes_on(file: TextIO) -> bool:
    while text := file.read(_CHUNK):
        if text.strip():
            return True
    return False


def _after_bracket(file: TextIO) -> str:
    while text := file.read(_CHUNK):
        if text := text.lstrip():
            return text[1:]
    return ""


def _element(text: str, position: int, *, first: bool) -> tuple[object, int, bool] | None:
    """Value, where to go on and whether the list ended; None when the text does not hold it all.

    The comma or bracket after a value must be there: a number may go on in the next chunk.
    """
    start = _end_of_space(text, position)
    if first and text[start : start + 1] == "]":
        return _NOTHING, start + 1, True
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    end = _end_of_space(text, end)
    mark = text[end : end + 1]
    return (value, end + 1, mark == "]") if mark in (",", "]") else None


def _end_of_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None  # it matches the empty string too
    return match.end()
