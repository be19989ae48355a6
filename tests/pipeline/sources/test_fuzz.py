"""What every source promises: damage costs rows, which are counted, or ends in a clear refusal.

1,200 damaged files a source: 1,000 with broken bytes, 200 whose values are broken.
"""

import csv
import gzip
import io
import json
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import SOURCES, read_source
from medllm.pipeline.sources.turns import Dropped, Kept
from tests.pipeline.sources.samples import Sample, samples

NAMES = sorted(SOURCES)
CASES = 1_000
PIECES = [b"", b"\x00", b"\xff", b'"', b"'", b"\\ud800", b"[" * 5000, b"}\n{", b"\n", b"\r", b"\t"]
PIECES += [b"id=1\n", b"Patient:\n", b"9" * 5000, b"\xef\xbb\xbf", b"\xf0\x9f\x98", b"\xc2\xa0"]
PIECES += [b",", b"]", b"{}", b"null", b"NaN", b"1e999", b"-1", b'"x",' * 50, b"@entity9 :: "]


def sample(name: str) -> Sample:
    known = samples()
    assert name in known, f"{name} has no sample: give it one in tests/pipeline/sources/samples*.py"
    return known[name]


def check(config: SourceConfig) -> list[Kept | Dropped] | None:
    """Read a file to its end; None for a refusal. Anything else that is raised fails the test."""
    try:
        results = list(read_source(config))
    except MedllmError:
        return None
    for result in results:
        assert result.where
        if isinstance(result, Kept):
            assert result.dialogue.source == config.name
            line = result.dialogue.line().encode()
            assert Dialogue.model_validate_json(line) == result.dialogue
        else:
            assert result.reason
            assert len(result.reason) < 100  # a rule, not the words that broke it
    return results


def damaged(content: bytes, rng: random.Random) -> bytes:
    """One to four cuts, insertions, flips, repetitions or giant numbers; at times packed first."""
    packed = rng.random()
    if packed < 0.08:
        content = gzip.compress(content, mtime=0)
    elif packed < 0.12:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("data.json", content)
        content = buffer.getvalue()
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice([1, 1, 3, 10, 40]))
        match rng.choice(["flip", "cut", "insert", "replace", "repeat", "end", "number"]):
            case "flip" if at < len(content):
                byte = bytes([content[at] ^ 1 << rng.randrange(8)])
                content = content[:at] + byte + content[at + 1 :]
            case "cut":
                content = content[:at] + content[end:]
            case "insert":
                content = content[:at] + rng.choice(PIECES) + content[at:]
            case "replace":
                content = content[:at] + rng.choice(PIECES) + content[end:]
            case "repeat":
                content = content[:end] + content[at:]
            case "end":
                content = content[:at]
            case "number":
                digit = rng.choice(b"0123456789")
                content = content.replace(bytes([digit]), b"9" * rng.choice([5, 20, 400, 5000]), 1)
    return content


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read_whole(tmp_path: Path, name: str) -> None:
    given = sample(name)
    results = check(given.write(tmp_path, name))
    assert results
    assert [result for result in results if isinstance(result, Dropped)] == []
    assert given.kept in (None, len(results))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_nothing_and_gzip_is_unpacked(tmp_path: Path, name: str) -> None:
    given = sample(name)
    plain = check(given.write(tmp_path, name))
    config = given.write(tmp_path, name)
    assert config.path is not None
    (tmp_path / "x").write_bytes(gzip.compress(given.content))
    assert check(config.model_copy(update={"path": tmp_path / "x"})) == plain


@pytest.mark.parametrize("name", NAMES)
def test_damaged_bytes(tmp_path: Path, name: str) -> None:
    given, rng = sample(name), random.Random(name)
    read = 0
    for case in range(CASES):
        content = damaged(given.content, rng)
        config = given.write(tmp_path, name, content)
        try:
            read += check(config) is not None
        except Exception as error:
            raise AssertionError(f"case {case}: {content[:2000]!r}") from error
    assert 0 < read < CASES  # neither is every damage refused nor every file swallowed


@pytest.mark.parametrize("name", sorted(name for name, s in samples().items() if s.notes))
def test_a_damaged_companion(tmp_path: Path, name: str) -> None:
    given, rng = sample(name), random.Random(name)
    assert given.notes is not None
    for case in range(CASES // 4):
        notes = damaged(given.notes, rng)
        try:
            check(Sample(given.name, given.content, notes).write(tmp_path, name))
        except Exception as error:
            raise AssertionError(f"case {case}: {notes[:2000]!r}") from error


ODD = st.sampled_from([None, True, 0, -1, 10**30, 1e308, [], {}, [[]], [None], {"a": 1}])
ODD |= st.sampled_from(["", " ", "x", "\x00", "\ud800", "null", "__import__('os')", "x" * 1000])
ODD |= st.sampled_from(["[]", "['a', 'b']", "{'1': 2}", "[[1.0, 'year']]", "[" * 300])


def broken(value: object, data: st.DataObject) -> object:
    """The value with one of its parts left out, repeated, stringified or put in another's place."""
    inner = isinstance(value, dict | list) and bool(value)
    if inner and data.draw(st.integers(0, 3)):
        if isinstance(value, dict):
            key = data.draw(st.sampled_from(sorted(value)))
            rest = {k: v for k, v in value.items() if k != key}
            if not data.draw(st.integers(0, 7)):
                return rest | data.draw(st.sampled_from([{}, {key.upper(): value[key]}]))
            return {k: broken(v, data) if k == key else v for k, v in value.items()}
        assert isinstance(value, list)
        at = data.draw(st.integers(0, len(value) - 1))
        if not data.draw(st.integers(0, 7)):
            return data.draw(st.sampled_from([value[:at], value[at:] * 2, value[::-1]]))
        return [*value[:at], broken(value[at], data), *value[at + 1 :]]
    return data.draw(ODD | st.sampled_from([[value], str(value), json.dumps(value)]))


def restructured(content: bytes, data: st.DataObject) -> bytes:
    """The same kind of file with one to three broken values: of JSON, of CSV, or lines of text."""
    times = data.draw(st.integers(1, 3))
    text = content.decode()
    if text[0] in "[{":
        try:
            whole: object = json.loads(text)
            lines = False
        except ValueError:
            whole, lines = [json.loads(line) for line in text.splitlines()], True
        for _ in range(times):
            whole = broken(whole, data)
        if lines and isinstance(whole, list):
            return "".join(json.dumps(row) + "\n" for row in whole).encode()
        return json.dumps(whole).encode()
    table: list[list[str]] = list(csv.reader(io.StringIO(text, newline="")))
    if len(table[0]) > 1:
        for _ in range(times):
            row = table[data.draw(st.integers(0, len(table) - 1))]
            at = data.draw(st.integers(0, max(0, len(row) - 1)))
            row[at : at + data.draw(st.integers(0, 2))] = [str(data.draw(ODD)) + row[at]][
                : len(row)
            ]
        out = io.StringIO(newline="")
        csv.writer(out).writerows(table)
        return out.getvalue().encode(errors="surrogatepass")
    pieces = text.split("\n")
    for _ in range(times):
        at = data.draw(st.integers(0, len(pieces) - 1))
        other = data.draw(st.integers(0, len(pieces) - 1))
        pieces[at : at + data.draw(st.integers(0, 2))] = pieces[other : other + 2]
        pieces = pieces or [""]
    return "\n".join(pieces).encode()


@pytest.mark.parametrize("name", NAMES)
def test_broken_values(tmp_path: Path, name: str) -> None:
    given_sample = sample(name)

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        check(given_sample.write(tmp_path, name, restructured(given_sample.content, data)))

    run()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "table",
    [
        [{"unrelated": 1}] * 3,
        [{"input": None, "messages": None, "dialogue": 3, "text": b"\xff"}],
    ],
)
def test_parquet_without_the_columns(
    tmp_path: Path, name: str, table: list[dict[str, object]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(table), buffer)
    results = check(sample(name).write(tmp_path, name, buffer.getvalue()))
    assert results is None or all(isinstance(result, Dropped) for result in results)
    assert results is None or len(results) == len(table)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_fifty_megabytes(tmp_path: Path, name: str) -> None:
    given = sample(name)
    at = given.content.rindex(b"e")  # somewhere in the last row's words
    content = given.content[:at] + b"x" * 50_000_000 + given.content[at:]
    results = check(given.write(tmp_path, name, content))
    for result in results or []:
        if isinstance(result, Kept):
            assert len(result.dialogue.line()) < 2_000_000
    assert results is None or len(results) == len(list(read_source(given.write(tmp_path, name))))
