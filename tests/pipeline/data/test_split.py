"""The split depends on the question and the seed alone."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.config import PrepareConfig, SourceConfig
from medllm.pipeline.data.schema import Dialogue, dialogue_id
from medllm.pipeline.data.split import Split, copies, gets_system, normalised, words
from medllm.pipeline.data.split import split_of as split_of_text
from medllm.pipeline.prompts import Message


def config(seed: int = 0, validation: float = 0.2, test: float = 0.1) -> PrepareConfig:
    return PrepareConfig(
        sources=(SourceConfig(name="meddialog", path=Path("x")),),
        seed=seed,
        validation_share=validation,
        test_share=test,
        system_share=0.3,
    )


def dialogue(question: str, answer: str = "Yes.") -> Dialogue:
    turns = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Dialogue(id=dialogue_id("s", turns), source="s", messages=turns)


def split_of(d: Dialogue, config: PrepareConfig) -> Split:
    return split_of_text(normalised(d.question), config)


MANY = [dialogue(f"Question {n}?") for n in range(10_000)]


def test_shares_come_out() -> None:
    counts = Counter(split_of(d, config()) for d in MANY)
    # Binomial: three standard deviations of 10,000 draws are at most 150.
    assert counts["test"] == pytest.approx(1000, abs=150)
    assert counts["validation"] == pytest.approx(2000, abs=150)
    assert sum(gets_system(d, config()) for d in MANY) == pytest.approx(3000, abs=150)


def test_system_messages_are_spread_over_the_splits() -> None:
    held_out = [d for d in MANY if split_of(d, config()) != "train"]
    assert sum(gets_system(d, config()) for d in held_out) == pytest.approx(900, abs=100)


def test_the_seed_decides_and_nothing_else() -> None:
    assert [split_of(d, config()) for d in MANY] == [split_of(d, config()) for d in MANY]
    assert [split_of(d, config(0)) for d in MANY] != [split_of(d, config(1)) for d in MANY]


def test_a_smaller_share_moves_dialogues_to_train_only() -> None:
    before = {d.id for d in MANY if split_of(d, config(validation=0.2)) == "validation"}
    after = {d.id for d in MANY if split_of(d, config(validation=0.1)) == "validation"}
    assert after < before


@pytest.mark.parametrize("seed", range(20))
def test_one_question_is_in_one_split_however_it_is_typed(seed: int) -> None:
    typed = ["Don’t I have a fever?", "don't I  have\na fever", "DON'T I HAVE A FEVER!!"]
    found = {split_of(dialogue(q, a), config(seed)) for q in typed for a in "abc"}
    assert len(found) == 1


def test_normalised_keeps_letters_of_every_script_and_numbers() -> None:
    assert normalised("ﬁve µg, 38.5 °C — Ça va? 头痛") == "five μg 38 5 c ça va 头痛"
    assert normalised("5 mg") != normalised("50 mg")


@pytest.mark.parametrize("weight", [0.25, 1, 2.5])
def test_a_weight_is_the_number_of_copies_on_average(weight: float) -> None:
    found = [copies(d.id, weight, 0) for d in MANY]
    assert sum(found) / len(found) == pytest.approx(weight, abs=0.02)
    assert max(found) - min(found) <= 1
    assert found != [copies(d.id, weight, 1) for d in MANY] or weight == 1


@given(st.text(st.characters(max_codepoint=300)) | st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_found_as_those_of_any_text(text: str) -> None:
    folded = unicodedata.normalize("NFKC", text).casefold()
    assert list(words(text)) == re.findall(r"\w+", folded)
