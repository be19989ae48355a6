"""CSV as it is found: any line end, quotes, odd rows; nothing swallowed unnoticed."""

import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import reading
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, csv_rows
from medllm.pipeline.sources.turns import Dropped


def read(path: Path, content: bytes, **options: str) -> list[object]:
    path.write_bytes(content)
    return [
        list(row.value.values()) if isinstance(row, Row) else row
        for row in csv_rows(DataFile(path), **options)
    ]


def test_bom_mixed_line_ends_and_quoted_newlines(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfID, text\r\n1,"a ""b""\r\nc\n"\n2,d\r\n\r\n3,e\r4,"f'
    assert read(tmp_path / "t", content + b'"') == [
        ["1", 'a "b"\r\nc\n'],
        ["2", "d"],
        ["3", "e"],
        ["4", "f"],
    ]
    [first, *_] = csv_rows(DataFile(tmp_path / "t"))
    assert first == Row("row 1", {"ID": "1", "text": 'a "b"\r\nc\n'})


def test_rows_that_cannot_be_used_cost_themselves(tmp_path: Path) -> None:
    content = b'a,b\n1,2\n1\n1,2,3\n1,"x" y\n\x00,2\n"1",2\n\xff,2\n'
    assert read(tmp_path / "t", content) == [
        ["1", "2"],
        Dropped("row 2", "fewer fields than the header"),
        Dropped("row 3", "more fields than the header"),
        Dropped("row 4", "quotes that are not as in CSV"),
        Dropped("row 5", "NUL character in the text"),
        ["1", "2"],
        ["\udcff", "2"],
    ]


def test_a_quote_that_is_never_closed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="ends inside a quote that was opened after row 1"):
        read(tmp_path / "t", b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 1000)


def test_fields_longer_than_the_modules_default(tmp_path: Path) -> None:
    assert read(tmp_path / "t", b"a,b\n1," + b"x" * 500_000) == [["1", "x" * 500_000]]


def test_another_delimiter(tmp_path: Path) -> None:
    assert read(tmp_path / "t", b"a\tb,c\n1\t2,3\n", delimiter="\t") == [["1", "2,3"]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"I cough,at night\nSince,monday\n", "begins with a header without a, b"),
        (b"a,c\n1,2\n", "begins with a header without b"),
        (b"a,b,a\n1,2,3\n", "two columns of one name"),
        (b'"a",b" c\n1,2\n', "begins with a header"),
        (b",\n1,2\n", "begins with a header"),
        (b"", "is empty"),
        (b"\xff\xfea\x00,\x00", "is UTF-16"),
        (b"PAR1", "is parquet, not CSV"),
    ],
)
def test_a_header_that_is_not_there(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(MedllmError, match=what) as error:
        list(csv_rows(DataFile(tmp_path / "t"), need=("a", "b")))
    assert "cough" not in str(error.value)  # a header that is missing is somebody's words


@pytest.mark.parametrize("content", [b"a,b\n1," + b"x" * 3_000_000, b"a,b\n" + b'"x\n",' * 10**6])
def test_a_row_without_end_is_refused_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(reading, "MAX_ROW", 2**20)
    tracemalloc.start()
    with pytest.raises(MedllmError, match="row 0 is longer than 1 MiB"):
        read(tmp_path / "t", content)
    assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    tracemalloc.stop()


def test_a_long_table_is_never_in_memory_whole(tmp_path: Path) -> None:
    with (tmp_path / "t").open("w") as file:
        file.write("a,b\n")
        file.writelines(f'{n},"{"x" * 1000}\n"\n' for n in range(20_000))
    tracemalloc.start()
    assert sum(1 for _ in csv_rows(DataFile(tmp_path / "t"))) == 20_000
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


FIELD = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6
) | st.sampled_from(['"', "\r\n", "\r", "\n", ",", '",', '\n"', "\ufeff", "\u2028"])


@given(
    st.lists(st.tuples(FIELD, FIELD), max_size=6),
    # with QUOTE_MINIMAL the writer leaves a line end other than its own without quotes
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), *((e, csv.QUOTE_ALL) for e in ("\n", "\r"))]),
)
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[tuple[str, str]], how: tuple[str, int]
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=how[0], quoting=how[1])  # type: ignore[arg-type]
    writer.writerows([("a", "b"), *table])
    path = tmp_path_factory.getbasetemp() / "table"
    assert read(path, out.getvalue().encode()) == [list(row) for row in table]
