"""iCliniq: the doctor's answer and no other."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

ROW = {
    "input": "My knee is swollen.",
    "answer_icliniq": "Did you\u00a0fall?",
    "answer_chatgpt": "words of a model",
    "answer_chatdoctor": "words of another",
}


def read(path: Path, *rows: object) -> list[Kept | Dropped]:
    path.write_text(json.dumps(rows))
    return list(read_source(SourceConfig(name="icliniq", path=path)))


def test_the_doctors_answer_only(tmp_path: Path) -> None:
    [result] = read(tmp_path / "d", ROW)
    assert isinstance(result, Kept)
    assert [(m.role, m.content) for m in result.dialogue.messages] == [
        ("user", "My knee is swollen."),
        ("assistant", "Did you fall?"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answer_icliniq": None}, "answer_icliniq is not text"),
        ({"answer_icliniq": " "}, "no answer of the doctor"),
        ({"input": ["a"]}, "input is not text"),
        ({"input": "\x00"}, "NUL character in the text"),
    ],
)
def test_no_other_answer_takes_its_place(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    assert read(tmp_path / "d", ROW | change) == [Dropped("row 1", reason)]


@pytest.mark.parametrize("key", ["input", "answer_icliniq"])
def test_a_key_that_is_missing(tmp_path: Path, key: str) -> None:
    row = {k: v for k, v in ROW.items() if k != key} | {"output": "an answer of another dataset"}
    assert read(tmp_path / "d", row) == [Dropped("row 1", f"no key {key}")]
