"""A large JSON object is read in step, in little memory, and never loses a row unnoticed."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literature import json_object
from medllm.pipeline.sources.literature.json_object import column, columns, members


def file(path: Path, content: bytes | str) -> DataFile:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(data)
    return DataFile(path)


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
@pytest.mark.parametrize("indent", [None, 2])
def test_columns_in_any_order_beside_others(tmp_path: Path, order: str, indent: int | None) -> None:
    given = {"a": ["x\n", "“y”"], "b": [[1, 2.5], []], "c": [None, {"k": "]"}]}
    whole = {"version": "1.0", **{key: given[key] for key in order}, "other": [[["]"]]], "n": {}}
    data = file(tmp_path / "d", json.dumps(whole, indent=indent))
    assert list(columns(data, "abc")) == [("x\n", [1, 2.5], None), ("“y”", [], {"k": "]"})]
    assert list(columns(data, "b")) == [([1, 2.5],), ([],)]


def test_no_rows_are_no_rows(tmp_path: Path) -> None:
    assert list(columns(file(tmp_path / "d", '{"a": [ ], "b": []}'), "ab")) == []


@given(
    st.dictionaries(
        st.text(max_size=4),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
        max_size=5,
    ),
    st.booleans(),
    st.integers(1, 30),
)
@settings(max_examples=80, deadline=None)
def test_members_read_in_small_chunks_are_the_object(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, object], ascii_: bool, chunk: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "object"
    text = json.dumps(value, ensure_ascii=ascii_).encode(errors="replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_object, "_CHUNK", chunk)  # edges of chunks fall everywhere
        assert dict(members(file(path, text))) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, 2], "b": [1]}', "b has 1 values and the other columns more"),
        ('{"a": [], "b": [1]}', "a has 0 values and the other columns more"),
        ('{"a": [1]}', "has no b"),
        ("{}", "has no a"),
        ('{"a": [1], "b": [1], "a": [2]}', "has a twice"),
        ('{"a": [1], "a": [2], "b": [1]}', "has a twice"),
        ('{"a": [1], "b": [1]', "cut off or not JSON after value"),
        ('{"a": [1], "b": [1', "cut off or not JSON after value"),
        ('{"a": [1], "b": ["1', "cut off or not JSON after value"),
        ('{"a": [1,], "b": [1]}', "cut off or not JSON after value"),
        ('{"a": [1.], "b": [1]}', "cut off or not JSON after value"),
        ('{"a": ["x"y], "b": [1]}', "cut off or not JSON after value"),
        ('{"a": [1 2], "b": [1]}', "cut off or not JSON after value"),
        ('{"a": "text", "b": [1]}', "cut off or not JSON after value"),
        ('{"a": [1], 7: [], "b": [1]}', "cut off or not JSON after value"),
        ('{"a": [1], "b": [1]}\n{"a": [2], "b": [2]}', "goes on after its JSON object"),
        ('[{"a": 1}]', "is not one JSON object"),
        ('{"a": [' + "[" * 100_000, "cut off or not JSON after value"),
        ('{"a": [' + "9" * 10_000 + '], "b": [1]}', "cut off or not JSON after value"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MedllmError, match=message):
        list(columns(file(tmp_path / "d", text), "ab"))


def test_rows_before_the_break_are_given_and_the_break_is_not_silent(tmp_path: Path) -> None:
    rows = columns(file(tmp_path / "d", '{"a": [1, 2, 3], "b": [4, 5]}'), "ab")
    assert [next(rows), next(rows)] == [(1, 4), (2, 5)]
    with pytest.raises(MedllmError, match=r"d: b has 2 values and the other columns more"):
        next(rows)


def test_a_gzip_that_was_cut_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps({"a": [str(n) * 50 for n in range(10_000)]}).encode())
    with pytest.raises(MedllmError, match="damaged or cut short"):
        list(column(file(tmp_path / "d", packed[: len(packed) // 2]), "a"))


def test_bytes_that_are_not_utf8_and_lone_surrogates_stay_in_their_value(tmp_path: Path) -> None:
    data = file(tmp_path / "d", b'\xef\xbb\xbf{"a": ["one", "tw\xff", "thr\\ud83d", "f\tour"]}')
    assert list(column(data, "a")) == ["one", "tw\udcff", "thr\ud83d", "f\tour"]


def test_a_value_of_endless_length_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_object, "MAX_ROW", 2**20)
    with pytest.raises(MedllmError, match="value 3 is longer than"):
        list(column(file(tmp_path / "d", '{"a": ["x", "' + "y" * 4 * 2**20 + '"]}'), "a"))


_READ = """
import resource, sys
from pathlib import Path
from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Kept
config = SourceConfig(name="biomrc", path=Path(sys.argv[1]))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
kept = sum(isinstance(result, Kept) for result in read_source(config))
print(kept, peak() - before)
"""


@pytest.mark.parametrize("name", ["shaped.json", "shaped.json.gz"])
def test_sixty_megabytes_of_columns_in_the_memory_of_a_few_rows(
    tmp_path: Path, root: Path, name: str
) -> None:
    path = tmp_path / name
    script = [sys.executable, str(root / "scripts" / "biomrc_shaped.py"), str(path)]
    made = subprocess.run(
        [*script, "--gigabytes", "0.06"], check=True, capture_output=True, text=True
    )
    rows = int(made.stdout.split(": ")[1].split(" rows")[0].replace(",", ""))
    run = subprocess.run(
        [sys.executable, "-c", _READ, str(path)], check=True, capture_output=True, text=True
    )
    kept, growth = map(int, run.stdout.split())
    assert kept == rows > 20_000
    assert growth < 8_000_000  # bytes: four readers with their buffers, whatever the file's size
