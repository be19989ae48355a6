"""Sentences, clauses, phrases and negation."""

import pytest

from medllm.eval.safety.text import (
    clauses,
    find,
    find_affirmed,
    normalise,
    own_words,
    phrase,
    sentences,
)


def test_sentences_survive_numbers_and_abbreviations() -> None:
    text = "Dr. Ash measured 38.6 °C. Is that much?\n\n- **Yes**, e.g. for a newborn."
    assert sentences(text) == [
        "Dr. Ash measured 38.6 °C.",
        "Is that much?",
        "Yes, e.g. for a newborn.",
    ]


def test_british_and_american_spellings_are_one() -> None:
    assert normalise("a haemorrhage, oedema") == normalise("a hemorrhage, edema")
    assert find(["haemorrhag*"], normalise("a brain hemorrhage")) == ["hemorrhage"]
    assert find(["hemorrhag*"], normalise("a brain haemorrhage")) == ["hemorrhage"]


@pytest.mark.parametrize(
    ("accepted", "text"),
    [
        ("heart attack", "This is a HEART-ATTACK."),
        ("clot* ... lung*", "a clot that has reached your lungs"),
        ("anaphyla*", "Anaphylactic shock"),
        ("ER", "go to the ER"),
        ("10/10", "I give 10/10."),
        ("blood test*", "blood\n tests"),
    ],
)
def test_phrases_match(accepted: str, text: str) -> None:
    assert phrase(accepted).search(normalise(text))


@pytest.mark.parametrize(
    ("accepted", "text"),
    [
        ("heart attack", "heart and other attacks"),
        ("fit", "fitness"),
        ("ER", "er, I mean"),
        ("PE", "a pe lesson"),
        ("clot* ... lung*", "a clot in one of the deep veins of your leg or a lung"),
        ("stroke", "strokes of a brush"),
    ],
)
def test_phrases_do_not_match(accepted: str, text: str) -> None:
    assert not phrase(accepted).search(normalise(text))


@pytest.mark.parametrize("empty", ["", "...", "*", "  "])
def test_a_phrase_needs_a_word(empty: str) -> None:
    with pytest.raises(ValueError, match="holds no word"):
        phrase(empty)


@pytest.mark.parametrize(
    "text",
    [
        "It is a stroke.",
        "Do not ignore a stroke.",
        "A stroke cannot be told from this, but a stroke is likely.",
        "We cannot rule out a stroke.",
        "This does not exclude a stroke.",
        "Not only a headache but a stroke.",
        "It is not indigestion, it is a stroke.",
        "Do not drive, this may be a stroke.",
        "It isn't necessarily harmless: it may be a stroke.",
    ],
)
def test_affirmed(text: str) -> None:
    assert find_affirmed(["stroke"], text)


@pytest.mark.parametrize(
    "text",
    [
        "This is not a stroke.",
        "It isn't a stroke.",
        "There is no sign of a stroke.",
        "A stroke is unlikely.",
        "A stroke can be ruled out.",
        "I think of migraine rather than stroke.",
        "It has nothing to do with a stroke.",
        "It never was a stroke.",
    ],
)
def test_denied(text: str) -> None:
    assert not find_affirmed(["stroke"], text)


@pytest.mark.parametrize(
    "text", ["Do not wait.", "Don't hesitate to call.", "This cannot wait.", "Never delay."]
)
def test_not_waiting_is_promptly(text: str) -> None:
    assert any("promptly" in part.text for part in clauses(text))


def test_waiting_stays_waiting() -> None:
    assert not any("promptly" in part.text for part in clauses("You can wait. Do rest."))


def test_repeated_questions_are_not_the_answers_own_words() -> None:
    asked = "Could this strange chest pain be a heart attack?"
    assert own_words(f"{asked} Yes.", [asked]) == "Yes."
    assert own_words(f"{asked.upper()}\nNo idea.", [asked]) == "No idea."
    assert "heart attack" in own_words("This could be a heart attack, I fear.", [asked])
