"""The second scan finds the same, however the files are cut into parts."""

from pathlib import Path

import pytest

from medllm.pipeline.data import second_look as module
from medllm.pipeline.data.pool import Pool
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.data.second_look import second_look
from medllm.pipeline.data.split import SPLITS
from medllm.pipeline.prompts import Message

SAID = {
    "train": ["met Ottoline Ottway there", "call 415 867 5309 24", "it is fine", "é" * 50],
    "validation": ["saw Amber Stone there", "mail me at jo@clinic.example.net", "an amber stone"],
    "test": ["I am 93 years old", "then met Amber Stone there"],
}


def write(folder: Path) -> None:
    for name in SPLITS:
        lines = [
            Dialogue(
                id=f"messages-{number}",
                source="messages",
                messages=(
                    Message(role="user", content=f"Hello. {text}"),
                    Message(role="assistant", content="rest"),
                ),
            ).line()
            for number, text in enumerate(SAID[name])
        ]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize("size", [1, 7, 150, 151, 2**22])
def test_parts_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    write(tmp_path)
    monkeypatch.setattr(module, "_BYTES", size)
    with Pool(1, lambda: None) as pool:
        found = second_look("surrogates", tmp_path, pool)
    assert found == {
        "name": (1, "train.jsonl:1"),  # "amber" and "stone" are written small somewhere
        "digits": (1, "train.jsonl:2"),
        "mail": (1, "validation.jsonl:2"),
        "age": (1, "test.jsonl:1"),
    }


def test_identifiers_left_in_are_not_looked_for(tmp_path: Path) -> None:
    with Pool(1, lambda: None) as pool:
        assert second_look("off", tmp_path, pool) == {}
