"""One large JSON object, read member by member or column by column.

A file of columns, ``{"abstracts": […], "titles": […]}``, has the parts of a row gigabytes apart.
``columns`` opens it once for each column; each reader decodes and forgets what stands before its
own column, so that memory holds one value and a buffer a column. With the columns in the order of
use that is about three and a half times the file to read (and to unpack), and nothing on the disk.

The decoder is the standard library's. ijson read about 1.75 times as fast, but turns a lone
surrogate into "?" without a word and refuses a whole file for a tab inside a string.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from itertools import count

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import MAX_ROW, too_long

_CHUNK = 2**16
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder(strict=False)  # raw tabs and newlines inside strings do occur
_END = object()


def members(file: DataFile) -> Iterator[tuple[str, object]]:
    """The keys and values of the object, in order. Raises MedllmError where it is broken."""
    with _Cursor(file) as cursor:
        for key in cursor.names():
            yield key, cursor.value()


def column(file: DataFile, name: str, others: Collection[str] = ()) -> Iterator[object]:
    """The elements of the list that the object holds as ``name``.

    Reading ends where another column, one of ``others``, comes next: its own reader goes on from
    there; else at the end of the file. Raises MedllmError where the file is broken, without such
    a list, or with one of the columns twice.
    """
    with _Cursor(file) as cursor:
        seen = set[str]()
        for key in cursor.names():
            if key in seen:
                raise MedllmError(f"{file} has {key} twice.", "Correct the file.")
            if name in seen and key in others:
                return
            if key == name or key in others:
                seen.add(key)
            if key == name:
                yield from cursor.elements()
            else:
                cursor.skip()
        if name not in seen:
            raise MedllmError(
                f"{file} has no {name}.", "Check that it is the file that the source reads."
            )


def columns(file: DataFile, names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """The rows of columns that lie one after the other, each a tuple in the order of ``names``.

    Raises MedllmError, besides what ``column`` raises, when one column ends before the others:
    which values belong together is then unknown, for the rows given before too.
    """
    with ExitStack() as stack:
        readers = [column(file, name, names) for name in names]
        for reader in readers:
            stack.callback(reader.close)  # type: ignore[attr-defined]
        for number in count():
            row = tuple(next(reader, _END) for reader in readers)
            if all(value is _END for value in row):
                return
            if _END in row:
                ended = [name for name, value in zip(names, row, strict=True) if value is _END]
                raise MedllmError(
                    f"{file}: {', '.join(ended)} {'has' if len(ended) == 1 else 'have'} {number:,} "
                    "values and the other columns more, so its rows are out of step.",
                    "Fetch the file again; it cannot be used.",
                )
            yield row


class _Cursor:
    """A place in the JSON of a file; only the text from there to the end of a chunk is held."""

    def __init__(self, file: DataFile) -> None:
        self._file, self._text, self._at, self._values = file, "", 0, 0

    def __enter__(self) -> _Cursor:
        self._stream = io.TextIOWrapper(
            self._file.open(), encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def names(self) -> Iterator[str]:
        """The keys of the object; the caller takes each one's value before the next key."""
        if self._next() != "{":
            raise MedllmError(
                f"{self._file} is not one JSON object.",
                "Check that it is the file that the source reads.",
            )
        if self._peek() == "}":
            self._at += 1
        else:
            mark = ","
            while mark == ",":
                key = self.value()
                if not isinstance(key, str) or self._next() != ":":
                    raise self._broken()
                yield key
                mark = self._next()
            if mark != "}":
                raise self._broken()
        if self._peek():
            raise MedllmError(
                f"{self._file} goes on after its JSON object.",
                "Check that it is the file that the source reads.",
            )

    def elements(self) -> Iterator[object]:
        """The elements of the list that comes next."""
        if self._next() != "[":
            raise self._broken()
        if self._peek() == "]":
            self._at += 1
            return
        mark = ","
        while mark == ",":
            yield self.value()
            mark = self._next()
        if mark != "]":
            raise self._broken()

    def skip(self) -> None:
        """Pass the value that comes next, a list element by element."""
        if self._peek() == "[":
            for _ in self.elements():
                pass
        else:
            self.value()

    def value(self) -> object:
        """Decode what comes next."""
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if not self._more():
                    raise self._broken() from None
                continue
            rest = self._text[end : end + 1]
            # A number may go on: "0" and "0." at the end of a chunk both decode as 0.
            if (not rest or rest in "0123456789.eE+-") and isinstance(value, int | float):
                if self._more():
                    continue
                if rest:
                    raise self._broken()
                end = len(self._text)
            self._at = end
            self._values += 1
            return value

    def _next(self) -> str:
        mark = self._peek()
        self._at += 1
        return mark

    def _peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            while (mark := self._text[self._at : self._at + 1]) and mark in _SPACE:
                self._at += 1
            if mark or not self._more():
                return mark

    def _more(self) -> bool:
        """Read on, forgetting what stands before the cursor; False at the end of the file."""
        left = len(self._text) - self._at
        if left > MAX_ROW:
            raise too_long(self._file, f"value {self._values + 1}")
        chunk = self._stream.read(max(_CHUNK, left))
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)

    def _broken(self) -> MedllmError:
        return MedllmError(
            f"{self._file} is cut off or not JSON after value {self._values:,}.",
            "Fetch the file again or correct it there.",
        )
