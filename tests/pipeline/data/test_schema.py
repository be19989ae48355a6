"""The chat schema refuses what later stages could not train on, and names the line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medllm.pipeline.data.schema import Dialogue, dialogue_id, read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message


def dialogue(*turns: tuple[str, str]) -> Dialogue:
    messages = [{"role": role, "content": content} for role, content in turns]
    return Dialogue.model_validate({"id": "s-1", "source": "s", "messages": messages})


def test_a_line_has_a_fixed_order_and_plain_unicode() -> None:
    line = dialogue(("user", "38 °C, “hot”\n?"), ("assistant", "Yes.")).line()
    assert line == (
        '{"id": "s-1", "source": "s", "messages": [{"role": "user", "content": "38 °C, “hot”\\n?"},'
        ' {"role": "assistant", "content": "Yes."}]}\n'
    )


def test_with_system_keeps_id_and_question() -> None:
    plain = dialogue(("user", "q"), ("assistant", "a"))
    both = plain.with_system("Be kind.")
    assert [m.role for m in both.messages] == ["system", "user", "assistant"]
    assert (both.id, both.question) == (plain.id, "q")


@pytest.mark.parametrize(
    "turns",
    [
        [],
        [("user", "q")],
        [("assistant", "a"), ("user", "q")],
        [("user", "q"), ("user", "q")],
        [("user", "q"), ("assistant", "a"), ("user", "q")],
        [("system", "s")],
        [("user", "q"), ("assistant", "a"), ("system", "s"), ("user", "q")],
        [("user", ""), ("assistant", "a")],
        [("user", "q "), ("assistant", "a")],
        [("user", "q"), ("assistant", "a\x00b")],
        [("user", "q"), ("doctor", "a")],
        [("user", "q"), ("assistant", "\ud800")],
    ],
)
def test_what_is_no_dialogue(turns: list[tuple[str, str]]) -> None:
    with pytest.raises(ValidationError):
        dialogue(*turns)


def test_the_id_tells_apart_where_a_turn_ends() -> None:
    one = [Message(role="user", content='a"], ["b'), Message(role="assistant", content="c")]
    two = [Message(role="user", content="a"), Message(role="assistant", content='"], ["bc')]
    assert dialogue_id("s", one) != dialogue_id("s", two)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
contents = words.map(str.strip).filter(bool)


@given(st.lists(st.tuples(contents, contents), min_size=1, max_size=3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    turns = [t for q, a in pairs for t in (("user", q), ("assistant", a))]
    path = tmp_path_factory.mktemp("schema") / "x.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(dialogue(*turns).line() * 2)
    assert list(read_dialogues(path)) == [dialogue(*turns)] * 2


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b'{"id": \xff}\n', b"[]", b'{"id":"x","source":"s","messages":[]}']
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(dialogue(("user", "q"), ("assistant", "a")).line().encode() + line)
    reader = read_dialogues(path)
    next(reader)
    with pytest.raises(MedllmError, match=r"train\.jsonl:2 is not a dialogue: .+ Run `medllm"):
        next(reader)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="cannot be read: No such file"):
        next(read_dialogues(tmp_path / "train.jsonl"))
