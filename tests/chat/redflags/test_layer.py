"""What the rules find, and what they leave alone. Messages of the benchmark stand elsewhere."""

from pathlib import Path

import pytest

from medllm.chat.redflags.layer import find_red_flags, flags_of, notice
from medllm.chat.redflags.rules import load_rules
from medllm.eval.safety.cases import load_cases
from medllm.pipeline.prompts import Message


def ids(text: str) -> list[str]:
    return [found.rule.id for found in flags_of(text)]


def said(*texts: str) -> list[Message]:
    messages = []
    for text in texts:
        messages += [Message(role="user", content=text), Message(role="assistant", content="Yes.")]
    return messages[:-1]


def test_there_is_a_whole_card_for_each_of_sixty_emergencies_and_more() -> None:
    rules = [compiled.rule for compiled in load_rules()]
    assert len(rules) >= 60
    assert len({rule.id for rule in rules}) == len(rules)


@pytest.mark.parametrize("case", load_cases(("emergency",)), ids=lambda case: case.id)
def test_every_emergency_that_answers_are_scored_on_is_found(case) -> None:  # type: ignore[no-untyped-def]
    assert ids("\n".join(m.content for m in case.messages if m.role == "user"))


@pytest.mark.parametrize("case", load_cases(("ordinary", "identity")), ids=lambda case: case.id)
def test_no_ordinary_question_raises_an_alarm(case) -> None:  # type: ignore[no-untyped-def]
    assert not ids("\n".join(m.content for m in case.messages if m.role == "user"))


@pytest.mark.parametrize(
    ("emergency", "text"),
    [
        ("heart-attack", "Chest pain since an hour, it goes into my left arm."),
        ("heart-attack", "No fever. But chest pain into the jaw and sweating."),
        ("heart-attack", "I had a stent in 2012 and now the same chest pain into my left arm."),
        ("heart-attack", "I don't know if this is serious: chest pain and I am sweating"),
        ("heart-attack", "chset pian radiating to left arm"),
        ("heart-attack", "CP radiating to L arm, diaphoretic"),
        ("anaphylaxis", "anaphalaxis now, no epipen here"),
        ("meningitis", "The rash does not fade when I press a glass on it."),
        ("suicide", "I can't go on, I want to end it all."),
        ("infant-fever", "My seven week old has a temperature of 38.2"),
        ("infant-fever", "Baby of 5 weeks old, 101.2 F fever"),
        ("hyperkalaemia", "K+ 7.1 on the gas"),
        ("hypertensive-emergency", "BP 230/130 and a bad headache"),
        ("severe-breathlessness", "sats 82% RA, short of breath"),
    ],
)
def test_an_emergency_is_found(emergency: str, text: str) -> None:
    assert emergency in ids(text)


@pytest.mark.parametrize(
    "text",
    [
        "No chest pain, no sweating, nothing going into the arm.",
        "Denies chest pain, sweating, syncope.",
        "I have had neither chest pain nor shortness of breath.",
        "Chest pain with sweating in 2010, stent then, well since.",
        "My father died of a heart attack with chest pain and sweating.",
        "What are the signs of a heart attack? Chest pain and sweating?",
        "If I ever get chest pain and sweating, whom do I call?",
        "Explain why chest pain radiates to the left arm.",
        "STEMI was ruled out.",
        "34F with E. coli in the urine",
        "The pain is killing me when I sit, an old haemorrhoid.",
    ],
)
def test_what_is_denied_past_of_others_or_asked_is_left_alone(text: str) -> None:
    assert ids(text) == []


def test_what_was_said_before_counts_only_with_something_new() -> None:
    assert find_red_flags(said("I'm 35 weeks pregnant.", "Terrible headache and flashing lights."))
    chest = "Chest pain into my left arm and sweating."
    assert find_red_flags(said(chest))
    assert not find_red_flags(said(chest, "Thank you, they are here."))


def test_the_notice_names_emergency_number_and_what_to_do() -> None:
    flags = find_red_flags(said("Half of her face droops and her speech is slurred."))
    text = notice(flags, "112")
    assert "a stroke" in text
    assert "Call 112 now" in text
    assert flags[0].first_aid in text


def test_a_message_of_the_longest_length_is_read_in_time(shared_data: Path) -> None:
    text = (shared_data / "mts-dialog" / "MTS-Dialog-ValidationSet.csv").read_text("utf-8")
    find_red_flags(said(text[:20_000]))
