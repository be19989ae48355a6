"""The registry of adapters, and what all adapters promise about damaged files."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import ADAPTERS, adapter
from medllm.pipeline.sources.turns import Dropped, Kept


def test_each_adapter_is_found_by_its_name() -> None:
    assert {name: adapter(name) for name in ADAPTERS} == ADAPTERS


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("healthcare_magic", "Did you mean healthcaremagic?"),
        ("x", "Known are healthcaremagic, meddialog."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, fix: str) -> None:
    with pytest.raises(MedllmError, match=f"no adapter {name}") as error:
        adapter(name)
    assert error.value.fix == fix


def parquet() -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    row = {"instruction": "i", "input": "q", "output": "a", "utterances": ["patient: q"]}
    pq.write_table(pa.Table.from_pylist([row] * 5), sink)
    return sink.getvalue()


ROW = {
    "instruction": "i",
    "input": "q“”\n",
    "output": "a",
    "utterances": ["patient: q", "doctor: a"],
}
RECORD = "id=0\nhttp://x\n\nDescription\nd\n\nDialogue\nPatient:\nq\n\nDoctor:\na\n\n"
FILES = [
    json.dumps([ROW] * 5).encode(),
    json.dumps([ROW] * 5, indent=2, ensure_ascii=False).encode(),
    (json.dumps(ROW) + "\n").encode() * 5,
    (RECORD * 5).encode(),
    parquet(),
]
PIECES = [b"", b"\x00", b"\xff", b'"', b"\\ud800", b"[" * 5000, b"}\n{", b"\n", b"id=1\n", b"null"]
PIECES += [b"Patient:\n", b"9" * 5000, b"\xef\xbb\xbf", "\u00a0".encode(), b",", b"]", b"{}"]


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(sorted(ADAPTERS)),
    content=st.sampled_from(FILES),
    cuts=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES) | st.binary()),
        max_size=4,
    ),
)
def test_damage_costs_rows_or_ends_in_a_refusal(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    content: bytes,
    cuts: list[tuple[float, int, bytes]],
) -> None:
    for where, removed, inserted in cuts:
        start = int(where * len(content))
        content = content[:start] + inserted + content[start + removed :]
    path = tmp_path_factory.getbasetemp() / f"damaged-{name}"
    path.write_bytes(content)
    try:
        results = list(adapter(name)(path))
    except MedllmError:
        return
    assert all(isinstance(result, Kept | Dropped) for result in results)
    places = [result.where for result in results]
    assert len(places) == len(set(places))  # no row twice
    for result in results:
        if isinstance(result, Kept):
            assert result.dialogue.source == name
            result.dialogue.line().encode()


def test_a_real_path_is_never_needed_to_have_an_ending(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(FILES[0])
    for name in ADAPTERS:
        assert len(list(adapter(name)(tmp_path / "x"))) == 5
