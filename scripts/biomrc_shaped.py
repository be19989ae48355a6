"""Write a file of BioMRC's shape and of any size, from invented text, to measure reading with.

``python scripts/biomrc_shaped.py OUT --gigabytes 5`` writes one JSON object with the four columns
one after the other, as the real files do; under a name that ends in ``.gz`` packed, and then the
gigabytes (10^9 bytes) count unpacked. The same size gives the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import BinaryIO, cast


def _words(text: str) -> list[str]:
    return text.split()


_IN_ABSTRACT = 14  # sentences
_ENTITIES = 400
# Enough words that two abstracts share hardly a phrase, as real ones do not.
_NOUNS = _words(
    "sleep pain cough fever diet walking breathing balance hearing vision memory appetite weight "
    "pressure pulse skin muscle bone kidney liver stomach thyroid nerve heart lung joint blood "
    "vessel tooth gum ankle shoulder neck spine habit season region village clinic nurse family "
    "visit record survey trial cohort scale score sample tissue culture membrane enzyme receptor"
)
_ADJECTIVES = _words(
    "mild severe early late chronic acute stable rising falling regular rural urban elderly young "
    "female male active resting fasting fatty lean dry moist warm cold slow rapid narrow wide deep "
    "shallow bright dull sharp steady brief long short rare common painful silent treated "
    "untreated repeated single double inner outer upper lower left right “mixed” simple normal"
)
_VERBS = _words(
    "improved changed followed preceded predicted reduced raised delayed altered matched doubled "
    "halved explained masked revealed limited supported weakened widened shortened prolonged eased "
    "worsened restored replaced resembled outweighed mirrored shaped guided spared"
)


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


@lru_cache(_ENTITIES)
def _entities(row: int) -> list[int]:
    """The entities of a row, in the order of their sentences."""
    return Random(row).sample(range(_ENTITIES), _IN_ABSTRACT)


def _sentence(draw: Random, entity: int) -> str:
    one, other, third = draw.choices(_NOUNS, k=3)
    first, second, last = draw.choices(_ADJECTIVES, k=3)
    verb, after = draw.choices(_VERBS, k=2)
    return (
        f"In {draw.randint(20, 900)} people with @entity{entity} the {first} {one} {verb} the "
        f"{second} {other}, which {after} {last} {third} after {draw.randint(2, 90)} weeks.\\t"
    )


def _abstract(row: int) -> str:
    draw = Random(~row)
    sentences = (_sentence(draw, entity) for entity in _entities(row))
    return f'"\\"Abstract {row}: {" ".join(sentences)}"'


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
