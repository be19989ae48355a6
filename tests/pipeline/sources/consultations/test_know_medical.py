"""Both layouts of v1, and v2 with its mostly empty inputs."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Kept


def read(path: Path, source: str, *rows: object) -> list[list[tuple[str, str]] | str]:
    path.write_text(json.dumps(rows))
    return [
        [(m.role[0], m.content) for m in result.dialogue.messages]
        if isinstance(result, Kept)
        else result.reason
        for result in read_source(SourceConfig(name=source, path=path))
    ]


def test_v1_as_its_card_says_and_as_its_files_are(tmp_path: Path) -> None:
    assert read(
        tmp_path / "d",
        "know_medical_v1",
        {"description": "gout", "utterances": ["patient: My toe: it hurts.", "doctor: Since?"]},
        {"instruction": "What is gout?", "output": "A disease."},
    ) == [
        [("u", "My toe: it hurts."), ("a", "Since?")],
        [("u", "What is gout?"), ("a", "A disease.")],
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"instruction": "q"}, "no keys utterances, or instruction and output"),
        ({"instruction": 1, "output": "a"}, "instruction is not text"),
        ({"instruction": "q", "output": None}, "output is not text"),
        ({"utterances": "['patient: q', 'doctor: a']"}, "utterances is not a list"),
        ({"instruction": "q", "output": "\ud800"}, "text is not valid UTF-8"),
    ],
)
def test_broken_rows_of_v1(tmp_path: Path, row: object, reason: str) -> None:
    assert read(tmp_path / "d", "know_medical_v1", row) == [reason]


def test_v2_asks_by_instruction_and_input(tmp_path: Path) -> None:
    assert read(
        tmp_path / "d",
        "know_medical_v2",
        {"instruction": "What is gout?", "input": "", "output": "A disease."},
        {"instruction": "Is it rare?", "input": "I am 50.", "output": "No."},
        {"instruction": "Does it pass?", "input": None, "output": "Often."},
        {"instruction": "Is it bad?", "output": "It hurts."},
        {"instruction": "Why?", "input": 7, "output": "x"},
        {"instruction": "", "input": "", "output": "x"},
    ) == [
        [("u", "What is gout?"), ("a", "A disease.")],
        [("u", "Is it rare?\n\nI am 50."), ("a", "No.")],
        [("u", "Does it pass?"), ("a", "Often.")],
        [("u", "Is it bad?"), ("a", "It hurts.")],
        "input is not text",
        "no words of the patient before the doctor's",
    ]


@pytest.mark.parametrize("source", ["know_medical_v1", "know_medical_v2"])
def test_a_single_row_is_a_question(tmp_path: Path, source: str) -> None:
    (tmp_path / "d").write_text('[{"instruction": "q", "input": "", "output": "a"}]')
    [result] = read_source(SourceConfig(name=source, path=tmp_path / "d"))
    assert isinstance(result, Kept)
    assert result.dialogue.source == source
    assert result.dialogue.question == "q"
