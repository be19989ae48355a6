"""Rows of dataset files, streamed: JSON list, JSON Lines, CSV, parquet, lines of text.

Nothing here trusts a file's name, and no more than one row (of a JSON list: one row and 64 kB,
of parquet: one batch of rows) is in memory. Bytes that are not UTF-8 become lone surrogates
(PEP 383), so that they cost one row, not the file: ``schema.fault`` finds them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.json_list import elements
from medllm.pipeline.sources.turns import Dropped

if TYPE_CHECKING:
    from pyarrow import RecordBatch

MAX_ROW = 64 * 2**20  # characters or bytes; no dialogue is longer, a damaged file may be
_CHUNK = 2**16
_BATCH = 128  # rows of parquet at once

Shape = Literal["parquet", "json list", "json lines", "text"]


@dataclass(frozen=True)
class Row:
    """One record of a file and where it stands there."""

    where: str
    value: Mapping[str, object]


def shape(file: DataFile) -> Shape:
    """What the first bytes say: parquet's magic, ``[``, ``{``, or anything else: text.

    Raises MedllmError when there is nothing but white space, or UTF-16.
    """
    with file.open() as stream:
        start = stream.read(_CHUNK)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise MedllmError(f"{file} is UTF-16.", "Save it as UTF-8.")
        head = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        while not head:
            start = stream.read(_CHUNK)
            if not start:
                raise MedllmError(f"{file} is empty.", "Fetch the dataset again.")
            head = start.lstrip()
    if head.startswith(b"PAR1"):
        return "parquet"
    return "json list" if head[:1] == b"[" else "json lines" if head[:1] == b"{" else "text"


def rows(file: DataFile) -> Iterator[Row | Dropped]:
    """The records of a JSON list, a JSON Lines or a parquet file, one result a row.

    A row that is no JSON object comes as Dropped. Raises MedllmError where no further row can be
    found: a JSON list cut off or broken between its rows, a damaged parquet file.
    """
    match shape(file):
        case "parquet":
            return _parquet(file)
        case "json list":
            return _json_list(file)
        case _:
            return _json_lines(file)


def lines(file: DataFile) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, without its line end and without a BOM."""
    number = 0
    with file.open() as stream:
        while line := stream.readline(MAX_ROW + 1):
            number += 1
            if len(line) > MAX_ROW:
                raise too_long(file, f"line {number}")
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield number, line.decode("utf-8", "surrogateescape").rstrip("\r\n")


def csv_rows(
    file: DataFile, delimiter: str = ",", need: Sequence[str] = ()
) -> Iterator[Row | Dropped]:
    """The rows under a header line, one result a row; values are text, ``row 1`` is the first.

    RFC 4180, with any line end. Columns in ``need`` must be in the header. A row with NUL, with
    more or fewer fields than the header or with stray quotes comes as Dropped. Raises MedllmError
    for a file that is no CSV, a header without the columns, and a quote that is never closed:
    whatever stands after it is lost.
    """
    if (found := shape(file)) == "parquet":
        raise MedllmError(f"{file} is {found}, not CSV.", "Give the dataset's CSV file.")
    csv.field_size_limit(MAX_ROW)  # of the process; the default of 128 KiB is less than a note
    with _Records(file, delimiter) as records:
        header = _header(file, records, need)
        number = 0
        while (fields := records.next()) is not None:
            number += 1
            where = f"row {number}"
            if isinstance(fields, str):
                yield Dropped(where, fields)
            elif any("\0" in field for field in fields):
                yield Dropped(where, "NUL character in the text")
            elif len(fields) != len(header):
                few = len(fields) < len(header)
                yield Dropped(where, f"{'fewer' if few else 'more'} fields than the header")
            else:
                yield Row(where, dict(zip(header, fields, strict=True)))


def too_long(file: DataFile, where: str) -> MedllmError:
    """The refusal of a row that would fill the memory."""
    return MedllmError(
        f"{file}: {where} is longer than {MAX_ROW // 2**20} MiB.",
        "Check that the file is undamaged and of the shape its adapter reads.",
    )


class _Records:
    """The records of a CSV file as lists of fields, or what is wrong with one."""

    def __init__(self, file: DataFile, delimiter: str) -> None:
        self._file = file
        # newline="" keeps the line ends that stand inside quotes, and splits at \r alone too
        self._text = io.TextIOWrapper(
            file.open(), encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        self._size, self._ended, self._read = 0, False, 0
        # strict: without it a quote that is never closed swallows what follows, unnoticed
        self._reader = csv.reader(self._lines(), delimiter=delimiter, strict=True)

    def __enter__(self) -> _Records:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def next(self) -> list[str] | str | None:
        """The next record that is not blank, the reason why it cannot be read, or None."""
        while True:
            self._size = 0
            try:
                fields = next(self._reader)
            except StopIteration:
                return None
            except csv.Error as error:
                if self._ended and "unexpected end" in str(error):
                    raise MedllmError(
                        f"{self._file} ends inside a quote that was opened after row "
                        f"{max(0, self._read - 1)}.",
                        "Fetch the file again or close the quote.",
                    ) from None
                self._read += 1
                return "quotes that are not as in CSV"
            if fields:
                self._read += 1
                return fields

    def _lines(self) -> Iterator[str]:
        while line := self._text.readline(MAX_ROW + 1):
            self._size += len(line)
            if self._size > MAX_ROW:
                raise too_long(self._file, f"the row after row {max(0, self._read - 1)}")
            yield line
        self._ended = True


def _header(file: DataFile, records: _Records, need: Sequence[str]) -> list[str]:
    fields = records.next()
    names = [name.strip() for name in fields] if isinstance(fields, list) else []
    named = [name for name in names if name]
    missing = [name for name in need if name not in names]
    if missing or not named or len(named) != len(set(named)):
        # The header may be a row of somebody's words: none of it is shown.
        what = f"without {', '.join(missing)}" if missing else "that cannot be read"
        if named and not missing:
            what = "with two columns of one name"
        raise MedllmError(
            f"{file} begins with a header {what}.",
            "Check that it is the dataset's own CSV, with the names of its columns first.",
        )
    return names


def _row(where: str, value: object) -> Row | Dropped:
    return Row(where, value) if isinstance(value, dict) else Dropped(where, "not a JSON object")


def _json_lines(file: DataFile) -> Iterator[Row | Dropped]:
    for number, line in lines(file):
        if not line.strip():
            continue
        try:
            value: object = json.loads(line, strict=False)
        except (ValueError, RecursionError):
            yield Dropped(f"line {number}", "not valid JSON")
        else:
            yield _row(f"line {number}", value)


def _json_list(file: DataFile) -> Iterator[Row | Dropped]:
    with file.open() as stream:
        for number, value in enumerate(elements(stream, str(file), MAX_ROW), 1):
            yield _row(f"row {number}", value)


def _parquet(file: DataFile) -> Iterator[Row | Dropped]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        # both settings keep a row group, which may be the whole file, out of memory
        options = {"buffer_size": 2**20, "pre_buffer": False}
        with file.local() as path, pq.ParquetFile(path, **options) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
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
            f"{file} is damaged parquet after row {number}: {reason}.", "Fetch the file again."
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
