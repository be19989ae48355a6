"""Reading questions, their layout, and scoring the first token."""

import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.tasks.questions import (
    Question,
    answer,
    letter_probabilities,
    load_questions,
    parse_answer,
)
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

ITEM: dict[str, Any] = {
    "id": "q1",
    "family": "urgency",
    "condition": "sprain",
    "phrasing": "terse",
    "question": "My knee hurts when I climb stairs.\nHow soon?",
    "options": ["Now", "Today", "Soon", "Not at all"],
    "answer": "C",
}
OPTIONS = ["Call emergency services", "Measurements or tests", "A talk", "Simple care at home"]


def write(path: Path, *items: dict[str, Any] | str) -> Path:
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_text_is_the_layout_of_the_training_rows() -> None:
    assert Question.model_validate(ITEM).text() == (
        "My knee hurts when I climb stairs.\nHow soon?\n"
        "A. Now\nB. Today\nC. Soon\nD. Not at all\nAnswer with one letter."
    )


def test_demo_questions_have_the_bytes_of_the_demo_training_rows(root: Path) -> None:
    """Every question of the demo occurs in the layout that some training row begins with."""
    questions = root / "demo" / "data" / "questions.jsonl"
    training = root / "demo" / "data" / "healthcaremagic.json"
    if not (questions.exists() and training.exists()):
        pytest.skip("demo/data is not made yet")
    tails = set()
    for row in json.loads(training.read_text(encoding="utf-8")):
        if row["input"].endswith("Answer with one letter."):
            tails.add(row["input"].split("\n", 1)[1])
    assert tails
    asked = load_questions(questions, 10**6)
    assert {question.text().split("\n", 1)[1] for question in asked} <= tails


def test_a_file_is_read_and_limited(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", ITEM, "", {**ITEM, "id": "q2", "answer": "A"})
    assert [q.answer for q in load_questions(path, 10)] == ["C", "A"]
    assert len(load_questions(path, 1)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": None}, "line 2: answer"),
        ({"answer": "E"}, "answer 'E' is not one of A, B, C, D"),
        ({"answer": "c"}, "answer 'c'"),
        ({"answer": ""}, "answer ''"),
        ({"answer": "AB"}, "answer 'AB'"),
        ({"options": ["one"]}, "line 2: options"),
        ({"options": [str(n) for n in range(9)]}, "line 2: options"),
        ({"options": ["Now", "Now ", "x", "y"]}, "two options say the same"),
        ({"options": ["Now", " ", "x", "y"]}, "an option is empty"),
        ({"question": "I </s> hurt"}, "control token '</s>'"),
        ({"question": ""}, "line 2: question"),
        ({"id": "q1"}, "id 'q1' was on line 1"),
        ({"id": 7}, "line 2: id"),
        ({"anwser": "A"}, "line 2: anwser"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = write(tmp_path / "q.jsonl", ITEM, {**ITEM, "id": "q2", **change})
    with pytest.raises(MedllmError, match=r"q\.jsonl, line 2") as error:
        load_questions(path, 10)
    assert says in error.value.what


def test_a_missing_answer_and_what_is_no_json_are_named(tmp_path: Path) -> None:
    item = {key: value for key, value in ITEM.items() if key != "answer"}
    with pytest.raises(MedllmError, match="line 1: answer: Field required"):
        load_questions(write(tmp_path / "a.jsonl", item), 10)
    with pytest.raises(MedllmError, match="line 1: Invalid JSON"):
        load_questions(write(tmp_path / "b.jsonl", "{"), 10)
    with pytest.raises(MedllmError, match="There is no questions file"):
        load_questions(tmp_path / "none.jsonl", 10)
    with pytest.raises(MedllmError, match="holds no questions"):
        load_questions(write(tmp_path / "c.jsonl", ""), 10)
    (tmp_path / "d.jsonl").write_bytes(b"\xff")
    with pytest.raises(MedllmError, match="UTF-8"):
        load_questions(tmp_path / "d.jsonl", 10)


def test_spellings_of_a_letter_are_added_up() -> None:
    logprobs = {
        " A": math.log(0.2),
        "A": math.log(0.1),
        "▁A": math.log(0.05),
        "A.": math.log(0.05),
        " B": math.log(0.3),
        "(C": math.log(0.01),
        "a": math.log(0.1),
        " An": math.log(0.1),
        " E": math.log(0.05),
        "</s>": math.log(0.02),
        "": math.log(0.01),
    }
    found = letter_probabilities(logprobs, "ABCD")
    assert found == pytest.approx({"A": 0.4, "B": 0.3, "C": 0.01})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B. Measurements or tests. Blood must be looked at.", "B"),
        ("C", "C"),
        (" (D) ", "D"),
        ("The answer is C.", "C"),
        ("Answer: B, because", "B"),
        ("The answer is a talk with a clinician", "C"),
        ("Simple care at home is enough.", "D"),
        ("A doctor should see this.", None),
        ("I would call emergency services, then simple care at home.", None),
        ("E. none", None),
        ("", None),
    ],
)
def test_a_reply_is_read(text: str, letter: str | None) -> None:
    assert parse_answer(text, OPTIONS) == letter


class TopTwenty(EmbeddedEngine):
    """An engine that tells no more of the first token than a server does."""

    alternatives = 20  # type: ignore[assignment]


def ask(path: Path, kind: type[EmbeddedEngine] = TopTwenty, **change: Any):  # type: ignore[no-untyped-def]
    question = Question.model_validate({**ITEM, **change})
    with closing(kind(path, "llama2", 512)) as engine:
        return answer(engine, question, [Message(role="user", content=question.text())])


def test_the_most_probable_letter_is_chosen(favour: Callable[[dict[str, float]], Path]) -> None:
    found = ask(favour({"▁C": 2.0, "▁A": 1.9, "A": 1.6}))
    assert (found.chosen, found.how, found.right) == ("A", "first token", False)
    assert found.probabilities["A"] > found.probabilities["C"]
    assert found.coverage == 0.5
    assert ask(favour({"▁C": 2.0})).right


def test_in_process_every_letter_has_a_probability(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    little = {"B": 1.0}
    for first in ("▁doctor", "</s>"):
        found = ask(favour({first: 5.0, **little}), EmbeddedEngine)
        assert (found.chosen, found.how, found.coverage) == ("B", "first token", 1.0)


def test_a_missing_letter_falls_back_to_the_reply_and_may_be_unscorable(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    never = dict.fromkeys(["A", "B", "C", "D", "▁A", "▁B", "▁C", "▁D"], -5.0)
    path = favour({"▁doctor": 5.0, **never})
    found = ask(path)
    assert (found.chosen, found.how, found.right, found.coverage) == (None, "unscorable", False, 0)
    assert found.reply == " ".join(["doctor"] * 16)
    ended = ask(favour({"</s>": 6.0, "▁C": 5.9}))
    assert (ended.chosen, ended.how, ended.reply) == (None, "unscorable", "")
    named = ask(path, options=["Now", "doctor doctor", "Soon", "Not at all"], answer="B")
    assert (named.chosen, named.how, named.right) == ("B", "reply", True)
