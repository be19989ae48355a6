"""Reading questions of every layout, and scoring the first token."""

import asyncio
import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import GREEDY
from medllm.eval.engines.journal import Journal
from medllm.eval.engines.speaker import EmbeddedSpeaker, Request, Said
from medllm.eval.records import Card, Measure, Sample, TaskRecord
from medllm.eval.tasks.choice import (
    Choice,
    choice_items,
    letter_probabilities,
    one_letter,
    parse_answer,
)
from medllm.eval.tasks.choice_files import Question, read_questions
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.modelfile_syntax import Modelfile

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
    asked = read_questions(questions).questions
    assert {question.text().split("\n", 1)[1] for question in asked} <= tails


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": None}, "answer"),
        ({"answer": "E"}, "answer 'E' is not one of A, B, C, D"),
        ({"answer": "c"}, "answer 'c'"),
        ({"answer": "AB"}, "answer 'AB'"),
        ({"options": ["one"]}, "options"),
        ({"options": [str(n) for n in range(9)]}, "options"),
        ({"options": ["Now", "Today", "Soon", "Never", "Later"]}, "5 options where the file has 4"),
        ({"options": ["Now", "Now ", "x", "y"]}, "two options say the same"),
        ({"options": ["Now", " ", "x", "y"]}, "an option is empty"),
        ({"question": "I </s> hurt"}, "control token '</s>'"),
        ({"question": ""}, "question"),
        ({"id": "q1"}, "its id was already in line 1"),
        ({"id": 7}, "id"),
        ({"anwser": "A"}, "anwser"),
    ],
)
def test_a_bad_row_is_named_and_not_asked(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    other = {**ITEM, "id": "q3", "answer": "A"}
    path = write(tmp_path / "q.jsonl", ITEM, {**ITEM, "id": "q2", **change}, "", other)
    found = read_questions(path)
    assert [q.id for q in found.questions] == ["q1", "q3"]
    (bad,) = found.unusable
    assert says in bad.reason
    assert bad.id in ("q2", "q2 (line 2)", "q1", "line 2")


def test_a_missing_answer_and_what_is_no_json_are_named(tmp_path: Path) -> None:
    item = {key: value for key, value in ITEM.items() if key != "answer"}
    found = read_questions(write(tmp_path / "a.jsonl", {**ITEM, "id": "q0"}, item))
    assert [one.reason for one in found.unusable] == ["answer: Field required"]
    with pytest.raises(MedllmError, match=r"holds no questions: q1 \(line 1\): answer: Field"):
        read_questions(write(tmp_path / "b.jsonl", item))
    with pytest.raises(MedllmError, match="There is no questions file"):
        read_questions(tmp_path / "none.jsonl")


MEDQA = {
    "question": "Which?",
    "answer": "y",
    "options": {"A": "x", "B": "y", "C": "z", "D": "w"},
    "answer_idx": "B",
    "meta_info": "step1",
}
MEDMCQA = {"id": "m1", "question": "Which?", "opa": "x", "opb": "y", "opc": "z", "opd": "w"}


def test_medqa(tmp_path: Path) -> None:
    five = {**MEDQA, "options": {**MEDQA["options"], "E": "v"}}  # type: ignore[dict-item]
    missing = {key: value for key, value in MEDQA.items() if key != "answer_idx"}
    outside = {**MEDQA, "answer_idx": "F"}
    path = write(tmp_path / "test.jsonl", MEDQA, MEDQA, five, missing, outside)
    found = read_questions(path)
    assert [(q.id, q.answer, q.family) for q in found.questions] == [
        ("line 1", "B", "step1"),
        ("line 2", "B", "step1"),
    ]
    assert {one.id: one.reason.split("'")[0] for one in found.unusable} == {
        "line 4": "no answer (answer_idx)",
        "line 5": "answer ",
        "line 3": "5 options where the file has 4",
    }


@pytest.mark.parametrize(("cops", "letters"), [((1, 4, 2), "ADB"), ((0, 3, 1), "ADB")])
def test_medmcqa_counts_from_one_or_from_zero(
    tmp_path: Path, cops: tuple[int, ...], letters: str
) -> None:
    rows = [{**MEDMCQA, "id": f"m{cop}", "cop": cop} for cop in cops]
    path = write(tmp_path / "dev.json", *rows, {**MEDMCQA, "id": "t", "cop": -1})
    found = read_questions(path)
    assert [q.answer for q in found.questions] == list(letters)
    assert [one.reason for one in found.unusable] == ["no answer (cop)"]


def test_medmcqa_that_does_not_show_how_it_counts_is_refused(tmp_path: Path) -> None:
    rows = [{**MEDMCQA, "id": f"m{cop}", "cop": cop} for cop in (1, 2, 3)]
    with pytest.raises(MedllmError, match="whether cop counts from 0 or from 1"):
        read_questions(write(tmp_path / "dev.json", *rows))


def test_pubmedqa_takes_the_test_split(tmp_path: Path) -> None:
    entry = {"QUESTION": "Does it?", "CONTEXTS": ["One.", "Two."], "LONG_ANSWER": "It does."}
    whole = {
        "1": {**entry, "final_decision": "yes"},
        "2": {**entry, "final_decision": "maybe"},
        "3": {**entry, "final_decision": "perhaps"},
    }
    path = tmp_path / "ori_pqal.json"
    path.write_text(json.dumps(whole))
    found = read_questions(path)
    assert [(q.id, q.answer) for q in found.questions] == [("1", "A"), ("2", "C")]
    assert found.questions[0].question == "One.\nTwo.\nDoes it?"
    assert found.unusable[0].reason == "answer 'perhaps' is not yes, no or maybe"
    (tmp_path / "test_ground_truth.json").write_text(json.dumps({"2": "maybe"}))
    assert [q.id for q in read_questions(path).questions] == ["2"]


def test_mmlu(tmp_path: Path) -> None:
    path = tmp_path / "anatomy_test.csv"
    path.write_text('"One, or two?",a,b,c,d,C\nThree?,a,b,c,d,e,A\nFour?,a,b,c,d,\n')
    found = read_questions(path)
    assert [(q.question, q.answer) for q in found.questions] == [("One, or two?", "C")]
    assert [one.id for one in found.unusable] == ["row 2", "row 3"]


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
        ("He sees atalker", None),
        ("Simple care at home is enough.", "D"),
        ("A doctor should see this.", None),
        ("I would call emergency services, then simple care at home.", None),
        ("E. none", None),
        ("", None),
    ],
)
def test_a_reply_is_read(text: str, letter: str | None) -> None:
    assert parse_answer(text, OPTIONS) == letter


class TopTwenty(EmbeddedSpeaker):
    """Tells no more of the first token than an Ollama server does."""

    async def say(self, request: Request) -> Said:
        if not request.letters:
            return await super().say(request)
        first = self._engine.first_token_logprobs(request.messages, 20)
        return Said(text="", tokens=1, ended=False, first=first)


class NoLogprobs(EmbeddedSpeaker):
    """Tells no log probabilities at all."""

    async def say(self, request: Request) -> Said:
        if request.letters:
            return Said(text="x", tokens=1, ended=False, first=None)
        return await super().say(request)


def task_of(*questions: Question) -> Choice:
    card = Card(title="t", measures="m", does_not="d", licence="l", source="s")
    record = TaskRecord(
        name="questions",
        kind="choice",
        card=card,
        measure=Measure(name="right", unit="share"),
        data="x",
        sha256="0",
        gating=True,
        floor=one_letter(questions),
        items=choice_items(questions),
    )
    return Choice(record, questions, seed=0)


def ask(path: Path, kind: type[EmbeddedSpeaker] = TopTwenty, **change: Any) -> Sample:
    task = task_of(Question.model_validate({**ITEM, **change}))
    with (
        closing(EmbeddedEngine(path, "llama2", 512)) as engine,
        Journal(path.with_suffix(f".{kind.__name__}.journal")) as journal,
    ):
        speaker = kind("tiny", engine, "0" * 64)
        asking = Asking(speaker, Modelfile(source="x", template="x"), GREEDY, 64, journal)
        return asyncio.run(task.answer(task.record.items[0], asking))


def test_the_most_probable_letter_is_chosen(favour: Callable[[dict[str, float]], Path]) -> None:
    found = ask(favour({"▁C": 2.0, "▁A": 1.9, "A": 1.6}))
    assert (found.answer, found.how, found.right) == ("A", "first token", False)
    assert found.more["p(A)"] > found.more["p(C)"]
    assert found.more["coverage"] == 0.5
    assert ask(favour({"▁C": 2.0})).right


def test_a_model_that_follows_the_letter_shows_it(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    found = ask(favour({"▁C": 3.0}))
    assert found.right
    assert found.checks == {
        "right in another order": False,
        "same option in another order": False,
    }
    task = task_of(Question.model_validate(ITEM))
    assert task.measures([found])["same option in another order"] == 0
    assert task.measures([found])["letter bias"] == 0


def test_in_process_every_letter_has_a_probability(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    for first in ("▁doctor", "</s>"):
        found = ask(favour({first: 5.0, "B": 1.0}), EmbeddedSpeaker)
        assert (found.answer, found.how, found.more["coverage"]) == ("B", "first token", 1.0)


def test_a_missing_letter_falls_back_to_the_reply_and_may_be_unscored(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    never = dict.fromkeys(["A", "B", "C", "D", "▁A", "▁B", "▁C", "▁D"], -5.0)
    path = favour({"▁doctor": 5.0, **never})
    found = ask(path)
    assert (found.score, found.reason) == (None, "the reply names no letter")
    assert found.answer == " ".join(["doctor"] * 16)
    named = ask(path, options=["Now", "doctor doctor", "Soon", "Not at all"], answer="B")
    assert (named.how, named.right) == ("reply", True)
    untold = ask(path, NoLogprobs)
    assert untold.score is None
    assert "tells no log probabilities" in str(untold.reason)


def test_a_question_that_does_not_fit_is_unscored(
    favour: Callable[[dict[str, float]], Path],
) -> None:
    found = ask(favour({"▁C": 2.0}), EmbeddedSpeaker, question="It clicks now and then. " * 90)
    assert (found.score, found.reason) == (None, "it does not fit a context of 512 tokens")
