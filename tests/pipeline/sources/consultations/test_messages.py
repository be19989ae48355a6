"""A user's own conversations keep their words, their turns and their system message."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

Q = {"role": "user", "content": "I cough."}
A = {"role": "assistant", "content": "Since when?"}
S = {"role": "system", "content": "Answer briefly."}


def read(path: Path, row: object) -> Kept | Dropped:
    path.write_text(json.dumps(row))
    [result] = read_source(SourceConfig(name="messages", path=path))
    return result


@pytest.mark.parametrize(
    ("messages", "kept"),
    [
        ([Q, A], [Q, A]),
        ([S, Q, A, Q, A], [S, Q, A, Q, A]),
        ([S, Q, A, Q], [S, Q, A]),
        ([{**S, "content": ""}, Q, A], [Q, A]),
        ([{**Q, "name": "someone"}, A], [Q, A]),
    ],
)
def test_what_is_kept(tmp_path: Path, messages: object, kept: list[dict[str, str]]) -> None:
    result = read(tmp_path / "d", {"messages": messages, "id": 7})
    assert isinstance(result, Kept)
    assert [message.model_dump() for message in result.dialogue.messages] == kept


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"conversations": []}, "no key messages"),
        ({"messages": json.dumps([Q, A])}, "messages is not a list"),
        ({"messages": []}, "no turns"),
        ({"messages": ["hello"]}, "a message is not a JSON object"),
        ({"messages": [{"role": "user", "content": [{"text": "q"}]}, A]}, "content is not text"),
        ({"messages": [{"role": "user"}, A]}, "content is not text"),
        ({"messages": [Q, A, S, Q, A]}, "a system message that is not the first"),
        ({"messages": [Q, {**A, "role": "tool"}, A]}, "a role other than"),
        ({"messages": [Q, {**A, "role": None}]}, "a role other than"),
        ({"messages": [{**Q, "role": ["user"]}, A]}, "a role other than"),
        ({"messages": [S]}, "no turns"),
        ({"messages": [A]}, "no words of the patient"),
    ],
)
def test_what_is_not(tmp_path: Path, row: object, reason: str) -> None:
    result = read(tmp_path / "d", row)
    assert isinstance(result, Dropped)
    assert reason in result.reason
    assert result.broken
