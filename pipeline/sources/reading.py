"""Rows of dataset files, streamed: JSON list, JSON Lines, parquet, lines of text.

Nothing here trusts a file's name, and no more than one row (of a JSON list: one row and 64 kB,
of parquet: one batch of rows) is in memory. Bytes that are not UTF-8 become lone surrogates
(PEP 383), so that they cost one row, not the file: ``schema.fault`` finds them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TextIO

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.turns import Dropped

if TYPE_CHECKING:
    from pyarrow import RecordBatch

MAX_ROW = 64 * 2**20  # characters or bytes; no dialogue is longer, a damaged file may be
_CHUNK = 2**16
_BATCH = 1024  # rows of parquet at once
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(strict=False)  # raw tabs and newlines inside strings do occur

Shape = Literal["parquet", "json list", "json lines", "text"]


@dataclass(frozen=True)
class Row:
    """One record of a file and where it stands there."""

    where: str
    value: Mapping[str, object]


def shape(path: Path) -> Shape:
    """What the first bytes say: parquet's magic, ``[``, ``{``, or anything else: text.

    Raises MedllmError when there is nothing but white space, or UTF-16.
    """
    with _opened(path) as file:
        start = file.read(_CHUNK)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise MedllmError(f"{path} is UTF-16.", "Save it as UTF-8.")
        head = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        while not head:
            start = file.read(_CHUNK)
            if not start:
                raise MedllmError(f"{path} is empty.", "Fetch the dataset again.")
            head = start.lstrip()
    if head.startswith(b"PAR1"):
        return "parquet"
    return "json list" if head[:1] == b"[" else "json lines" if head[:1] == b"{" else "text"


def rows(path: Path) -> Iterator[Row | Dropped]:
    """The records of a JSON list, a JSON Lines or a parquet file, one result a row.

    A row that is no JSON object comes as Dropped. Raises MedllmError where no further row can be
    found: a JSON list cut off or broken between its rows, a damaged parquet file.
    """
    match shape(path):
        case "parquet":
            return _parquet(path)
        case "json list":
            return _json_list(path)
        case _:
            return _json_lines(path)


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, without its line end and without a BOM."""
    number = 0
    with _opened(path) as file:
        while line := file.readline(MAX_ROW + 1):
            number += 1
            if len(line) > MAX_ROW:
                raise too_long(path, f"line {number}")
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield number, line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def too_long(path: Path, where: str) -> MedllmError:
    """The refusal of a row that would fill the memory."""
    return MedllmError(
        f"{path}: {where} is longer than {MAX_ROW // 2**20} MiB.",
        "Check that the file is undamaged and of the shape its adapter reads.",
    )


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise MedllmError(
            f"{path} cannot be read: {error.strerror}.", "Check the path in the config."
        ) from error


def _row(where: str, value: object) -> Row | Dropped:
    return Row(where, value) if isinstance(value, dict) else Dropped(where, "not a JSON object")


def _json_lines(path: Path) -> Iterator[Row | Dropped]:
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            value: object = json.loads(line, strict=False)
        except (ValueError, RecursionError):
            yield Dropped(f"line {number}", "not valid JSON")
        else:
            yield _row(f"line {number}", value)


def _json_list(path: Path) -> Iterator[Row | Dropped]:
    """Decode element after element from a buffer that grows only while one does not fit."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        text, position, number = _after_bracket(file), 0, 0
        while True:
            found = _element(text, position, first=number == 0)
            while found is None:
                left = len(text) - position
                more = file.read(max(_CHUNK, left)) if left <= MAX_ROW else ""
                if not more:
                    raise MedllmError(
                        f"{path} is cut off or not JSON after row {number}.",
                        "Fetch the file again or correct it there.",
                    )
                text, position = text[position:] + more, 0
                found = _element(text, position, first=number == 0)
            value, position, closed = found
            if value is not _NOTHING:
                number += 1
                yield _row(f"row {number}", value)
            if closed:
                break
        if text[position:].strip() or file.read(_CHUNK).strip():
            raise MedllmError(
                f"{path} goes on after its JSON list of {number} rows.",
                "Make it one list, or one JSON object a line.",
            )


_NOTHING = object()


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


def _parquet(path: Path) -> Iterator[Row | Dropped]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for value in _batch_values(batch):
                    number += 1
                    where = f"row {number}"
                    if value is None:
                        yield Dropped(where, "text is not valid UTF-8")
                    else:
                        yield Row(where, value)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise MedllmError(
            f"{path} is damaged parquet after row {number}: {reason}.", "Fetch the file again."
        ) from error


def _batch_values(batch: RecordBatch) -> list[dict[str, object] | None]:
    """A batch's rows as Python objects, None for one whose text is not UTF-8."""
    try:
        values: list[dict[str, object] | None] = batch.to_pylist()
        return values
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [v for i in range(batch.num_rows) for v in _batch_values(batch.slice(i, 1))]
