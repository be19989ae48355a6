"""Rows come out of a file whatever its name, and damage costs as little as it can."""

import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import json_list, reading
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, lines, rows, shape
from medllm.pipeline.sources.turns import Dropped

ROWS = [{"a": "fever\n\tor “chills”"}, {"a": ['}"]', {"b": "\\"}]}, {}]


def parquet(path: Path, table_rows: list[dict[str, object]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(table_rows), path)
    return path


def values(path: Path) -> list[object]:
    return [row.value if isinstance(row, Row) else row.reason for row in rows(DataFile(path))]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps(ROWS), "json list"),
        (json.dumps(ROWS, indent=2, ensure_ascii=False) + "\n\n", "json list"),
        ("\n \t" + json.dumps(ROWS), "json list"),
        ("\n\n".join(json.dumps(row) for row in ROWS), "json lines"),
        ("\r\n".join(json.dumps(row) for row in ROWS) + "\r\n", "json lines"),
    ],
)
def test_the_content_decides_the_shape(
    tmp_path: Path, text: str, expected: str, bom: bytes
) -> None:
    path = tmp_path / "rows.parquet"  # a lie
    path.write_bytes(bom + text.encode())
    assert shape(DataFile(path)) == expected
    assert values(path) == ROWS


def test_parquet_under_any_name(tmp_path: Path) -> None:
    table: list[dict[str, object]] = [{"a": "x", "n": i} for i in range(2500)]
    path = parquet(tmp_path / "rows.json", table)
    assert shape(DataFile(path)) == "parquet"
    assert values(path) == table


def test_parquet_with_a_row_that_is_not_utf8(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    good = pa.array([b"one", b"tw\xff", b"three"]).cast(pa.binary())
    text = pa.StringArray.from_buffers(3, good.buffers()[1], good.buffers()[2])
    pq.write_table(pa.table({"a": text}), tmp_path / "rows")
    assert values(tmp_path / "rows") == [{"a": "one"}, "text is not valid UTF-8", {"a": "three"}]


@pytest.mark.parametrize("keep", [4, 40, 400])
def test_damaged_parquet(tmp_path: Path, keep: int) -> None:
    path = parquet(tmp_path / "rows", [{"a": str(i)} for i in range(100)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MedllmError, match="damaged parquet after row 0"):
        values(path)


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        max_size=8,
    ),
    st.booleans(),
    st.integers(1, 40),
)
@settings(max_examples=80, deadline=None)
def test_a_json_list_read_in_small_chunks_is_the_list(
    tmp_path_factory: pytest.TempPathFactory, items: list[object], ascii_: bool, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("list") / "rows"
    path.write_text(json.dumps(items, ensure_ascii=ascii_), encoding="utf-8", errors="replace")
    expected = json.loads(path.read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_list, "_CHUNK", chunk)  # edges of chunks fall everywhere
        found = values(path)
    assert found == [v if isinstance(v, dict) else "not a JSON object" for v in expected]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('[{"a": "x"}, {"a": "cut o', 1),
        ('[{"a": "x"}, {"a": "y"}', 1),
        ('[{"a": "x"} {"a": "y"}]', 0),
        ('[{"a": "x"},]', 1),
        ('[{"a": "x"}, {"a": }, {"a": "z"}]', 1),
        ("[", 0),
        ("[" + '{"a":' * 100_000, 0),
        ("[" + "9" * 10_000 + "]", 0),
    ],
)
def test_a_broken_json_list_is_refused_with_its_last_good_row(
    tmp_path: Path, text: str, row: int
) -> None:
    (tmp_path / "rows").write_text(text)
    with pytest.raises(MedllmError, match=f"cut off or not JSON after row {row}"):
        values(tmp_path / "rows")


def test_text_after_the_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('[{"a": 1}]\n[{"a": 2}]')
    with pytest.raises(MedllmError, match="goes on after its JSON list of 1 rows"):
        values(tmp_path / "rows")


def test_broken_lines_cost_themselves(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(
        b'{"a": 1}\n{"a": \n\n[1]\n"text"\nnull\n{"a": "\xff"}\n\xff{}\n' + b"[" * 10**6 + b"\n{}\n"
    )
    found = list(rows(DataFile(path)))
    assert [row.where for row in found] == [f"line {n}" for n in (1, 2, 4, 5, 6, 7, 8, 9, 10)]
    assert [row.reason for row in found if isinstance(row, Dropped)] == [
        "not valid JSON",
        *["not a JSON object"] * 3,
        *["not valid JSON"] * 2,
    ]


def test_a_line_of_five_megabytes_is_read_and_one_of_endless_length_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows"
    path.write_text(json.dumps({"a": "x" * 5_000_000}) + "\n{}\n")
    assert [
        len(str(row.value.get("a", ""))) for row in rows(DataFile(path)) if isinstance(row, Row)
    ] == [
        5_000_000,
        0,
    ]
    monkeypatch.setattr(reading, "MAX_ROW", 4 * 2**20)
    with pytest.raises(MedllmError, match=r"line 1 is longer than 4 MiB"):
        values(path)


def test_a_long_list_is_never_in_memory_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with path.open("w") as file:
        file.write("[")
        file.writelines(json.dumps({"a": "x" * 1000}) + ",\n" for _ in range(20_000))
        file.write("{}]")
    tracemalloc.start()
    assert sum(1 for _ in rows(DataFile(path))) == 20_001
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000 < path.stat().st_size


def test_lines_end_at_newlines_only(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes("\ufeffone\u2028still\x85one\r\n\r\ntwo".encode())
    assert list(lines(DataFile(path))) == [(1, "one\u2028still\x85one"), (2, ""), (3, "two")]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n" * 1, "is empty"),
        (b" " * 200_000, "is empty"),
        ('{"a": 1}'.encode("utf-16"), "is UTF-16"),
    ],
)
def test_files_without_a_shape(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(MedllmError, match=what):
        shape(DataFile(tmp_path / "rows"))


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="No such file"):
        rows(DataFile(tmp_path / "none"))
    with pytest.raises(MedllmError, match="Is a directory"):
        rows(DataFile(tmp_path))


def test_a_row_group_is_never_in_memory_whole(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = [os.urandom(1000).hex() for _ in range(20_000)]
    pq.write_table(pa.table({"a": words}), tmp_path / "rows", row_group_size=len(words))
    before, peak, number = pa.total_allocated_bytes(), 0, 0
    for row in rows(DataFile(tmp_path / "rows")):
        assert isinstance(row, Row)
        assert row.value == {"a": words[number]}
        number += 1
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert number == len(words)
    assert peak < 6_000_000 < (tmp_path / "rows").stat().st_size / 5
