"""A table is the same rows whatever it is written as, and has its columns or is refused."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped

ROWS = [{"a": "1", "b": "x, “y”"}, {"a": "", "b": "z"}]


@pytest.mark.parametrize("shape", ["csv", "list", "lines", "parquet"])
def test_shapes(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "d"
    if shape == "csv":
        path.write_text('a,b\n1,"x, “y”"\n,z\n')
    elif shape == "list":
        path.write_text(json.dumps(ROWS))
    elif shape == "lines":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(ROWS), path)
    found = list(table(DataFile(path), ("a", "b")))
    assert [row.value for row in found if isinstance(row, Row)] == ROWS


def test_a_row_without_the_columns_costs_itself_a_file_without_them_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d"
    path.write_text('{"a": 1}\n{"a": 1, "b": 2}\n{"c": 1}\n[]\n')
    assert list(table(DataFile(path), ("a", "b"))) == [
        Dropped("line 1", "no key b"),
        Row("line 2", {"a": 1, "b": 2}),
        Dropped("line 3", "no key a and 1 more"),
        Dropped("line 4", "not a JSON object"),
    ]
    path.write_text('{"a": 1}\n' * 3)
    with pytest.raises(MedllmError, match="none of its 3 rows has all of a, b"):
        list(table(DataFile(path), ("a", "b")))
    path.write_text("a,c\n1,2\n")
    with pytest.raises(MedllmError, match="header without b"):
        list(table(DataFile(path), ("a", "b")))
