"""MTS-Dialog: the real files, and the traps in them one by one."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept


def read(path: Path, source: str) -> list[Kept | Dropped]:
    return list(read_source(SourceConfig(name=source, path=path)))


def table(path: Path, dialogue: str, header: str = "GENHX", text: str = "Coughs.") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ID", "section_header", "section_text", "dialogue"])
        writer.writerow(["0", header, text, dialogue])
    return path


def talk(path: Path, dialogue: str) -> list[tuple[str, str]] | Dropped:
    [result] = read(table(path, dialogue), "mts_dialog")
    if isinstance(result, Dropped):
        return result
    return [(m.role[0], m.content) for m in result.dialogue.messages]


def test_the_real_files(shared_data: Path) -> None:
    folder = shared_data / "mts-dialog"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    talks, notes = read(folder, "mts_dialog"), read(folder, "mts_dialog_notes")
    assert len(talks) == len(notes) == 1201 + 100
    assert all(isinstance(note, Kept) for note in notes)
    assert Counter(t.reason for t in talks if isinstance(t, Dropped)) == {
        "no answer of the doctor": 142,
        "more than one clinician speaks": 59,
        "the patient says nothing": 2,
    }
    assert not any(t.broken for t in talks if isinstance(t, Dropped))
    for result in talks:  # no label is left in anybody's words
        if isinstance(result, Kept):
            for message in result.dialogue.messages:
                for line in message.content.split("\n"):
                    assert not line.lower().startswith(("doctor:", "patient:", "guest"))


def test_turns_with_guests_typing_errors_and_mixed_line_ends(tmp_path: Path) -> None:
    assert talk(
        tmp_path / "d",
        "Doctor: Hello. What is it?\r\n Patient: A cough:  at night, \nit hurts.\r\n"
        "Gest_family: Since Monday.\nGuest_family_2. He smokes.\nDocotr : I see.\nPatient: Thanks.",
    ) == [
        ("u", "A cough:  at night, \nit hurts.\nSince Monday.\nHe smokes."),
        ("a", "I see."),
    ]


def test_a_sentence_is_no_label(tmp_path: Path) -> None:
    assert talk(
        tmp_path / "d", "Patient: Help me,\nDoctor. I cough.\nNote: a lot\nDoctor: Yes."
    ) == [
        ("u", "Help me,\nDoctor. I cough.\nNote: a lot"),
        ("a", "Yes."),
    ]


@pytest.mark.parametrize(
    ("dialogue", "reason", "broken"),
    [
        ("Doctor: Any allergies?\nPatient: No.", "no answer of the doctor", False),
        ("Doctor: Alone here.", "the patient says nothing", False),
        ("Patient: q\nDoctor: a\nDoctor_2: b", "more than one clinician speaks", False),
        ("Guest_clinican: q\nDoctor: a\nPatient: b", "more than one clinician speaks", False),
        ("Hello.\nPatient: q\nDoctor: a", "words before the first speaker", True),
        ("", "no turns", True),
        ("Patient: q\x00\nDoctor: a", "NUL character in the text", True),
    ],
)
def test_what_is_no_talk(tmp_path: Path, dialogue: str, reason: str, broken: bool) -> None:
    assert talk(tmp_path / "d", dialogue) == Dropped("row 1", reason, broken=broken)


def test_a_note_is_asked_for_by_its_sections_name(tmp_path: Path) -> None:
    dialogue = "Doctor: What is it?\nPatient: A cough."
    [result] = read(table(tmp_path / "d", dialogue), "mts_dialog_notes")
    assert isinstance(result, Kept)
    question, answer = (message.content for message in result.dialogue.messages)
    assert '"history of present illness"' in question.split("\n")[0]
    assert question.endswith(f"\n\n{dialogue}")
    assert answer == "Coughs."
    [result] = read(table(tmp_path / "d", dialogue, header="NEW/ONE"), "mts_dialog_notes")
    assert isinstance(result, Kept)
    assert '"NEW/ONE"' in result.dialogue.question


def test_a_row_without_its_text(tmp_path: Path) -> None:
    assert read(table(tmp_path / "d", "Patient: q", text=" "), "mts_dialog_notes") == [
        Dropped("row 1", "section_header, section_text or dialogue is empty")
    ]


@pytest.mark.parametrize("source", ["mts_dialog", "mts_dialog_notes"])
def test_json_and_parquet_rows_of_the_same_columns(tmp_path: Path, source: str) -> None:
    good = '{"section_header": "CC", "section_text": "t", "dialogue": "Patient: q\\nDoctor: a"}'
    (tmp_path / "d").write_text(
        good + '\n{"section_header": "CC", "dialogue": "Patient: q"}\n[]\n'
        '{"section_header": "CC", "section_text": 1, "dialogue": "Patient: q"}'
    )
    kept, *dropped = read(tmp_path / "d", source)
    assert isinstance(kept, Kept)
    assert dropped == [
        Dropped("line 2", "no key section_text"),
        Dropped("line 3", "not a JSON object"),
        Dropped("line 4", "section_text is not text"),
    ]


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("ID,text\n1,x\n")
    with pytest.raises(MedllmError, match="header without section_header, section_text, dialogue"):
        read(tmp_path / "d", "mts_dialog")
