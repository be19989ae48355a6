"""The multiple-choice items: fixed layout, balanced answers, nothing of the test in training."""

from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from demo.conditions import load_conditions
from demo.generate import SEED
from demo.questions import FAMILIES, PHRASINGS, Item, build_items, held_out, layout
from medllm.eval.tasks.choice_files import read_questions

DATA = Path(__file__).parents[2] / "demo" / "data"
CONDITIONS = {condition.id: condition for condition in load_conditions()}
Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return build_items(list(CONDITIONS.values()), Random(f"{SEED}:questions"))


def test_layout_is_the_one_documented() -> None:
    asked = layout("A vignette.\nA question?", ("one", "two", "three", "four"))
    assert asked == (
        "A vignette.\nA question?\nA. one\nB. two\nC. three\nD. four\nAnswer with one letter."
    )


def test_questions_are_well_formed(questions: list[dict[str, Any]]) -> None:
    families = {family.name: family for family in FAMILIES}
    assert len({question["id"] for question in questions}) == len(questions) >= 400
    fields = ["id", "family", "condition", "phrasing", "question", "options", "answer"]
    for question in questions:
        assert list(question) == fields
        family = families[question["family"]]
        assert question["options"] == list(family.options)
        assert question["answer"] == family.answer(CONDITIONS[question["condition"]])
        vignette, asked = question["question"].split("\n")
        assert asked == family.question
        assert len(vignette.split()) <= 35


def test_answers_are_balanced(questions: list[dict[str, Any]]) -> None:
    by_family: dict[str, Counter[str]] = defaultdict(Counter)
    for question in questions:
        by_family[question["family"]][question["answer"]] += 1
    assert len(by_family) == 1
    for counts in by_family.values():
        for letter in "ABCD":
            assert 0.15 <= counts[letter] / counts.total() <= 0.35


def test_each_condition_holds_out_three_or_four_phrasings() -> None:
    sizes = Counter(len(held_out(number, len(PHRASINGS))) for number in range(len(CONDITIONS)))
    assert sizes == {3: 24, 4: 16}


def test_held_out_pairs_never_appear_in_training(
    rows: Rows, training: Rows, questions: list[dict[str, Any]], items: list[Item]
) -> None:
    asked = {row["input"] for row in rows}
    tested = defaultdict(set)
    for question in questions:
        tested[question["family"]].add((question["condition"], question["phrasing"]))
        assert layout(question["question"], question["options"]) not in asked
    by_prompt = {item.prompt: item for item in items}
    trained = defaultdict(set)
    for row in training:
        item = by_prompt[row["input"]]
        assert row["output"].startswith(f"{item.answer}. ")
        trained[item.family.name].add((item.condition.id, item.phrasing))
    for family in FAMILIES:
        test, train = tested[family.name], trained[family.name]
        assert not test & train
        assert len(test | train) == len(CONDITIONS) * len(PHRASINGS)
        assert {condition for condition, _ in train} == set(CONDITIONS)
        assert {phrasing for _, phrasing in train} == set(PHRASINGS)
        assert 0.2 <= len(test) / len(test | train) <= 0.3


def test_every_sign_of_a_condition_is_trained_on(items: list[Item]) -> None:
    trained = " ".join(item.vignette.lower() for item in items if not item.held_out)
    for condition in CONDITIONS.values():
        for sign in condition.signs:
            assert sign.lower() in trained


def test_no_held_out_vignette_stands_in_a_training_file(questions: list[dict[str, Any]]) -> None:
    held = {question["question"].split("\n")[0] for question in questions}
    assert len(held) >= 130
    for name in ("healthcaremagic.json", "meddialog.txt", "meddialog.json", "corpus.txt"):
        text = (DATA / name).read_text(encoding="utf-8")
        assert [vignette for vignette in held if vignette in text] == []


def test_training_answers_in_emergencies_name_emergency_services(
    training: Rows, items: list[Item]
) -> None:
    urgent = {item.prompt for item in items if item.condition.urgency == "emergency"}
    said = [row["output"] for row in training if row["input"] in urgent]
    assert len(said) >= 250
    for reply in said:
        assert "call emergency services" in reply.lower()


def test_evaluation_asks_in_the_layout_of_training(items: list[Item]) -> None:
    prompts = {item.id: item.prompt for item in items if item.held_out}
    loaded = read_questions(DATA / "questions.jsonl").questions
    assert {question.id: question.text() for question in loaded} == prompts
