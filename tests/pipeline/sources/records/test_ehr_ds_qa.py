"""EHR-DS-QA joined to the notes: JSON and CSV, what a long note loses, what is refused."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.records.ehr_ds_qa import NOTE_CHARACTERS, head
from medllm.pipeline.sources.turns import Dropped, Kept

TEXT = 'Name:  ___\n \nChief Complaint:\nknee pain, "sudden"\n'
PAIRS: list[object] = [
    {"question": "Why did the patient come?", "answer": "It's for knee pain."},
    {"question": 'Was it "sudden"?', "answer": "Yes, as of today."},
]
ROW: dict[str, object] = {"subject_id": 1, "hadm_id": 10, "qa_pairs": PAIRS}


def notes(path: Path, *texts: str) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = ["note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime"]
        writer.writerow([*names, "storetime", "text"])
        for n, text in enumerate(texts, 1):
            writer.writerow([f"{n}-DS-{n}", n, n * 10, "DS", n, "", "", text])
    return path


def read(folder: Path, rows: list[object], *texts: str) -> list[Kept | Dropped]:
    (folder / "d").write_text(json.dumps(rows))
    discharge = notes(folder / "discharge.csv", *(texts or (TEXT,)))
    return list(read_source(SourceConfig(name="ehr_ds_qa", path=folder / "d", notes=discharge)))


def said(result: Kept | Dropped) -> list[str]:
    assert isinstance(result, Kept), result
    return [message.content for message in result.dialogue.messages]


DIALOGUE = [
    'Discharge summary:\n\nName:  ___\n \nChief Complaint:\nknee pain, "sudden"\n\n'
    "Question: Why did the patient come?",
    "It's for knee pain.",
    'Was it "sudden"?',
    "Yes, as of today.",
]


def test_the_pairs_of_a_note_are_turns_under_it(tmp_path: Path) -> None:
    [result] = read(tmp_path, [ROW])
    assert said(result) == DIALOGUE
    assert isinstance(result, Kept)
    assert not result.changes


@pytest.mark.parametrize("written", [json.dumps, repr], ids=["JSON", "Python literal"])
def test_the_csv_with_note_ids_and_pairs_as_text(
    tmp_path: Path, written: Callable[[object], str]
) -> None:
    with (tmp_path / "d.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["original_id", "note_id", "subject_id", "hadm_id", "qa_pairs"])
        writer.writerow([5, "1-DS-1", 1, "", written(PAIRS)])
        writer.writerow([6, "", "1.0", "10.0", written(PAIRS)])
        writer.writerow([7, "1-DS-1", 1, 10, "[{'question': open('x')}]"])
        writer.writerow([8, "1-DS-1", 1, 10, "[" * 300_000])
    config = SourceConfig(
        name="ehr_ds_qa", path=tmp_path / "d.csv", notes=notes(tmp_path / "n.csv", TEXT)
    )
    by_note, by_stay, *broken = read_source(config)
    assert said(by_note) == said(by_stay) == DIALOGUE
    assert broken == [
        Dropped("row 3", "qa_pairs is neither JSON nor a Python literal"),
        Dropped("row 4", "qa_pairs is longer than 262,144 characters"),
    ]


def test_a_long_note_loses_its_end_and_the_answers_that_need_it(tmp_path: Path) -> None:
    paragraph = "He walked in the ward and slept well.\n"
    start = "Chief Complaint: knee pain.\n \n" + (paragraph * 10 + " \n") * 40
    text = start + "Follow-up:\nSee the physiotherapist in 6 weeks.\n"
    assert len(text) > NOTE_CHARACTERS
    pairs = [
        {"question": "Why?", "answer": "Knee pain."},
        {"question": "Who next?", "answer": "The Physiotherapist."},
        {"question": "When?", "answer": "After 6 weeks."},
        {"question": "How was he?", "answer": "He slept well and walked."},
    ]
    [result] = read(tmp_path, [{**ROW, "qa_pairs": pairs}], text)
    question, *rest = said(result)
    assert rest == ["Knee pain.", "How was he?", "He slept well and walked."]
    kept = question.removeprefix("Discharge summary:\n\n").removesuffix("\n\nQuestion: Why?")
    assert text.startswith(kept)
    assert kept.endswith(paragraph.strip())
    assert NOTE_CHARACTERS - 400 < len(kept) <= NOTE_CHARACTERS
    assert isinstance(result, Kept)
    assert result.changes == {
        "notes cut to their beginning": 1,
        "pairs on the part of the note that was cut left out": 2,
    }


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("one\n\ntwo\n \nthree", "one\n\ntwo"),
        ("one two three four", "one two"),
        ("one\ntwo\nthree four", "one\ntwo"),
        ("onetwothreefour", "onetwothre"),
        ("one two", "one two"),
        ("\n\nonetwothree", "\n\nonetwoth"),
    ],
)
def test_where_a_note_is_cut(note: str, kept: str) -> None:
    assert head(note, 10) == kept


def test_pairs_that_cannot_be_used_are_left_out_and_counted(tmp_path: Path) -> None:
    odd: list[object] = [7, {}, {"question": "q"}, {"question": "q", "answer": " "}, ["q", "a"]]
    wrong = {"question": "q", "answer": "a", "correct": False}
    right = {"question": "Which knee?", "answer": "The left one.", "correct": True}
    first, second, third = read(
        tmp_path,
        [
            {**ROW, "qa_pairs": [*odd, wrong, right]},
            {**ROW, "qa_pairs": [wrong]},
            {**ROW, "qa_pairs": odd},
        ],
    )
    assert said(first)[1:] == ["The left one."]
    assert isinstance(first, Kept)
    assert first.changes == {
        "pairs without question or answer left out": 5,
        "pairs that a person found wrong left out": 1,
    }
    assert second == Dropped("row 2", "no pair that can be used", broken=False)
    assert third == Dropped("row 3", "no pair that can be used")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hadm_id": 99}, "its note is not in the file of notes"),
        ({"note_id": "9-DS-9"}, "its note is not in the file of notes"),
        ({"subject_id": 2}, "its note is another patient's"),
        ({"hadm_id": None}, "neither note_id nor hadm_id"),
        ({"hadm_id": "stay"}, "neither note_id nor hadm_id"),
        ({"qa_pairs": {}}, "qa_pairs is not a list"),
        ({"qa_pairs": "{}"}, "qa_pairs is not a list"),
        ({"subject_id": 2, "hadm_id": 20}, "its note is empty"),
        ({"qa_pairs": [{"question": "\ud83d", "answer": "a"}]}, "text is not valid UTF-8"),
    ],
)
def test_broken_rows(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    results = read(tmp_path, [ROW, {**ROW, **change}, ROW], TEXT, " \n")
    assert [type(result) for result in results] == [Kept, Dropped, Kept]
    assert results[1] == Dropped("row 2", reason)


def test_without_notes_there_is_one_clear_refusal(tmp_path: Path) -> None:
    (tmp_path / "d").write_text(json.dumps([ROW]))
    with pytest.raises(MedllmError, match="holds questions on notes, but not the notes") as error:
        list(read_source(SourceConfig(name="ehr_ds_qa", path=tmp_path / "d")))
    assert error.value.fix.startswith("Set notes")


def test_rows_without_the_keys_refuse_the_file(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="none of its 2 rows has all of subject_id, hadm_id"):
        read(tmp_path, [{"question": "q"}] * 2)
