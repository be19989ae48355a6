"""Datasets that are one table, whatever it is written as."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, csv_rows, rows, shape
from medllm.pipeline.sources.turns import Dropped


def table(file: DataFile, columns: Sequence[str]) -> Iterator[Row | Dropped]:
    """The rows of a CSV, parquet, JSON list or JSON Lines file that have all ``columns``.

    CSV's values are text. Raises MedllmError for a file none of whose rows has the columns.
    """
    if shape(file) == "text":
        yield from csv_rows(file, need=columns)
        return
    read = good = 0
    for row in rows(file):
        read += 1
        lacking = (
            [name for name in columns if name not in row.value] if isinstance(row, Row) else []
        )
        good += isinstance(row, Row) and not lacking
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield Dropped(row.where, f"no key {lacking[0]}{more}") if lacking else row
    if read and not good:
        raise MedllmError(
            f"{file}: none of its {read:,} rows has all of {', '.join(columns)}.",
            "Check that it is the file of the dataset that the docs name.",
        )
