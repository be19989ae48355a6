"""MedDialog's raw text and JSON shapes, with the traps that the real files hold."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept


def read(path: Path) -> Iterator[Kept | Dropped]:
    return read_source(SourceConfig(name="meddialog", path=path))


RAW = """\
id=0
https://example.org/first

Description
Q. Is the knee worn out?

Dialogue
Patient:
Hello doctor,
My knee hurts.

It is worse at night. Doctor: that is what I call you.
Description
Doctor:
Hello.

Take this: one tablet.
id=0
https://example.org/ids-repeat

Description
Ear pain since
two days

Dialogue
Doctor:\u00a0
Which ear?
Patient:
The “left” one.
Patient:
And it’s hot.
Doctor:
I see.
Patient:
Thanks!


id=7
https://example.org/nobody-answers

Description
A cough

Dialogue
Patient:
I cough.
Doctor:

"""


def said(result: Kept | Dropped) -> list[tuple[str, str]]:
    assert isinstance(result, Kept), result
    return [(m.role[0], m.content) for m in result.dialogue.messages]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_raw_text(tmp_path: Path, line_end: str, bom: str) -> None:
    path = tmp_path / "meddialog.txt"
    path.write_bytes((bom + RAW.replace("\n", line_end)).encode())
    first, second, third = read(path)
    assert said(first) == [
        (
            "u",
            "Hello doctor,\nMy knee hurts.\n\nIt is worse at night. "
            "Doctor: that is what I call you.\nDescription",
        ),
        ("a", "Hello.\n\nTake this: one tablet."),
    ]
    assert said(second) == [
        ("u", "Ear pain since\ntwo days"),
        ("a", "Which ear?"),
        ("u", "The “left” one.\nAnd it’s hot."),
        ("a", "I see."),
    ]
    assert isinstance(second, Kept)
    assert dict(second.changes) == {
        "descriptions in place of missing first words": 1,
        "turns joined to the same speaker's turn before": 1,
        "last words of a patient without an answer left out": 1,
    }
    assert second.where == "line 18"
    assert third == Dropped("line 38", "no answer of the doctor")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello\nid=1\nDialogue\nPatient:\nq\nDoctor:\na\n", "text without an id= line above it"),
        ("id=1\nhttp://x\nDescription\nd\n", "no Dialogue header"),
        ("id=1\nDialogue\n", "no turns"),
        ("id=1\nDialogue\nq\nDoctor:\na\n", "words before the first speaker"),
        ("id=1\nDialogue\nDoctor:\na\n", "no words of the patient before the doctor's"),
        ("id=1\nDialogue\nPatient:\nq\x00\nDoctor:\na\n", "NUL character in the text"),
        ("just text", "text without an id= line above it"),
    ],
)
def test_broken_records(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "d").write_text(text)
    assert next(read(tmp_path / "d")) == Dropped("line 1", expected)


def test_bytes_that_are_not_utf8_cost_their_record(tmp_path: Path) -> None:
    record = b"id=1\nDialogue\nPatient:\nq%s\nDoctor:\na\n\n"
    (tmp_path / "d").write_bytes(record % b"1" + record % b"\xff" + record % b"2")
    results = list(read(tmp_path / "d"))
    assert results[1] == Dropped("line 8", "text is not valid UTF-8")
    assert [said(results[i])[0][1] for i in (0, 2)] == ["q1", "q2"]


UTTERANCES = {
    "description": "the knee",
    "utterances": [
        "patient: BP: 120/80 : fine?",
        "Doctor:\u00a0Yes.",
        " patient : Sure?",
        "doctor:",
    ],
}
TURNS = [{"speaker": 0, "utterance": "q"}, {"speaker": 1, "utterance": "a: b"}]
TRANSPOSED = {"speaker": [0, 1], "utterance": ["q", "a: b"]}


@pytest.mark.parametrize("shape", ["list", "lines", "parquet"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UTTERANCES, [("u", "BP: 120/80 : fine?"), ("a", "Yes.")]),
        ({"description": "d", "dialogue_turns": TURNS}, [("u", "q"), ("a", "a: b")]),
        ({"description": None, "dialogue_turns": TRANSPOSED}, [("u", "q"), ("a", "a: b")]),
        ({"description": "d", "utterances": ["doctor: a"]}, [("u", "d"), ("a", "a")]),
    ],
)
def test_rows(
    tmp_path: Path, value: dict[str, object], expected: list[tuple[str, str]], shape: str
) -> None:
    path = tmp_path / "d"
    if shape == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([value, value]), path)
    elif shape == "list":
        path.write_text(json.dumps([value, value]))
    else:
        path.write_text(f"{json.dumps(value)}\n{json.dumps(value)}\n")
    assert [said(result) for result in read(path)] == [expected, expected]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "no key utterances or dialogue_turns"),
        ({"utterances": "patient: q"}, "utterances is not a list"),
        ({"utterances": [1]}, "an utterance is not text"),
        ({"utterances": ["patient q"]}, "an utterance of neither patient nor doctor"),
        ({"utterances": ["nurse: q"]}, "an utterance of neither patient nor doctor"),
        ({"utterances": []}, "no turns"),
        ({"description": 1, "utterances": []}, "description is not text"),
        ({"dialogue_turns": 1}, "dialogue_turns is not a list"),
        ({"dialogue_turns": ["q"]}, "an utterance of neither patient nor doctor"),
        ({"dialogue_turns": [{"speaker": True}]}, "an utterance of neither patient nor doctor"),
        ({"dialogue_turns": [{"speaker": [0]}]}, "an utterance of neither patient nor doctor"),
        ({"dialogue_turns": [{"speaker": 1}]}, "an utterance is not text"),
        ({"dialogue_turns": {"speaker": [0]}}, "dialogue_turns without speaker or utterance"),
        (
            {"dialogue_turns": {"speaker": [0], "utterance": []}},
            "dialogue_turns has more speakers than utterances, or fewer",
        ),
    ],
)
def test_broken_rows(tmp_path: Path, value: object, reason: str) -> None:
    (tmp_path / "d").write_text(json.dumps(value))
    assert list(read(tmp_path / "d")) == [Dropped("line 1", reason)]
