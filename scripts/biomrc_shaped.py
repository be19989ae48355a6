"""Write a file of BioMRC's shape and of any size, from invented text, to measure reading with.

``python scripts/biomrc_shaped.py OUT --gigabytes 5`` writes one JSON object with the four columns
one after the other, as the real files do; under a name that ends in ``.gz`` packed, and then the
gigabytes (10^9 bytes) count unpacked. The same size gives the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

_SENTENCES = 1009  # a prime: the strides below walk through all of them
_IN_ABSTRACT = 9
_ENTITIES = 400
_OPENINGS = ("We compared", "This study describes", "A survey asked about", "Little is known of")
_PLACES = ("a rural practice", "two teaching hospitals", "a school", "the “north” clinics")
_OUTCOMES = ("sleep was better", "fewer visits followed", "no difference was seen", "pain eased")


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    arguments = parser.parse_args()
    rows = write(arguments.out, arguments.gigabytes)
    print(f"{arguments.out}: {rows:,} rows, {arguments.out.stat().st_size:,} bytes on the disk")


def write(out: Path, gigabytes: float) -> int:
    """Write at least so many 10^9 bytes (unpacked) and return the number of rows."""
    from tqdm import tqdm

    columns: dict[str, Callable[[int], str]] = {
        "abstracts": _abstract,
        "titles": _title,
        "entities_list": _candidates,
        "answers": _answer,
    }
    sample = sum(len(column(index)) + 2 for index in range(1000) for column in columns.values())
    rows = max(1, round(gigabytes * 1e9 * 1000 / sample))
    with contextlib.ExitStack() as stack:
        file: BinaryIO = stack.enter_context(out.open("wb"))
        if out.suffix == ".gz":
            packed = gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0)
            file = cast("BinaryIO", stack.enter_context(packed))
        progress = stack.enter_context(tqdm(total=4 * rows, unit=" values", disable=None))
        for number, (name, column) in enumerate(columns.items()):
            file.write(f'{", " if number else "{"}"{name}": ['.encode())
            for start in range(0, rows, 1000):
                stop = min(start + 1000, rows)
                values = ", ".join(map(column, range(start, stop)))
                file.write(f"{', ' if start else ''}{values}".encode())
                progress.update(stop - start)
            file.write(b"]")
        file.write(b"}")
    return rows


def _sentences() -> Iterator[str]:
    for index in range(_SENTENCES):
        one, other = index % _ENTITIES, (index * 7 + 1) % _ENTITIES
        yield (
            f"{_OPENINGS[index % 4]} @entity{one} and its relation to @entity{other} "
            f"( @entity{one} ) among {50 + index} volunteers of {_PLACES[index // 4 % 4]}: after "
            f"{2 + index % 23} weeks {_OUTCOMES[index // 16 % 4]} in group {index}.\t"
        )


_ENCODED = [json.dumps(sentence)[1:-1] for sentence in _sentences()]


def _picked(row: int) -> list[int]:
    """The sentences of a row; neighbouring rows share none."""
    return [(row * 31 + (row // _SENTENCES + 1) * 17 * n) % _SENTENCES for n in range(_IN_ABSTRACT)]


def _entities(row: int) -> list[int]:
    return list(dict.fromkeys(index % _ENTITIES for index in _picked(row)))


def _abstract(row: int) -> str:
    return f'"\\"Abstract {row}: {" ".join(_ENCODED[index] for index in _picked(row))}"'


def _title(row: int) -> str:
    return f'"What is known of XXXX and @entity{_entities(row)[-1]} in study {row} .\\n"'


def _candidates(row: int) -> str:
    listed = (
        f"\"@entity{n} :: ('MESH:D{n:06}', 'Disease') :: ['condition {n}', 'Condition {n}']\""
        for n in sorted(_entities(row))
    )
    return f"[{', '.join(listed)}]"


def _answer(row: int) -> str:
    n = _entities(row)[0]
    return f"\"@entity{n} :: (MESH:D{n:06},Disease) :: ['Condition {n}']\\n\""


if __name__ == "__main__":
    main()
