"""Consultations in one turn and in several, and plain questions with answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from demo.conditions import Condition
from demo.voices import Person, neutral, person_for

Item = TypeVar("Item")

GREETINGS = (
    "Hello doctor. ", "Hi. ", "Good evening. ", "Dear doctor, please read this. ", "Hello. ", "",
    "", "Good morning, doctor. ", "I hope that you can help me. ", "Hi doctor, I need advice. ",
)  # fmt: skip
ASIDES = (
    "I live with my family.", "A friend told me to ask.", "I am a little worried.",
    "I have no allergies that I know of.", "I would rather ask too early than too late.",
    "I did not find a clear answer anywhere.", "I am not sure whom to ask.",
)  # fmt: skip
ASIDES_WELL = (
    *ASIDES,
    "I am usually healthy.",
    "I take no regular medicine.",
    "I feel well otherwise.",
)
ASIDES_EMERGENCY = ("I am frightened.", "I do not know what to do.", "It is not getting better.")
WISHES = (
    "What should I do?", "What could this be?", "Is this serious?", "Do I need to see a doctor?",
    "How quickly should I be seen?", "Please tell me what to do.", "What do you advise?",
    "Can I do something myself?",
)  # fmt: skip
WISHES_EMERGENCY = (
    "What should I do?", "Please help.", "Is this dangerous?", "What should I do first?",
    "Please answer quickly.", "Whom should I call?",
)  # fmt: skip
CALLS = (
    "Please call emergency services now.",
    "This is an emergency: call emergency services at once.",
    "Call emergency services right now and put the phone on loudspeaker.",
    "This cannot wait. Please call emergency services immediately.",
    "Before you read on, call emergency services.",
    "First of all, call emergency services; then read the rest while you wait for them.",
    "Stop what you are doing and call emergency services now.",
)
STAY = (
    "Stay on the line with emergency services.",
    "If you have not called emergency services yet, do it now.",
    "Please tell that to emergency services too.",
    "Thank you. Keep the line to emergency services open.",
)
CALL_AGAIN = (
    "If you have not yet called emergency services, do it before anything else.",
    "Do not wait for another answer from me: call emergency services.",
    "Please trust emergency services and let them come.",
    "Once you have called emergency services, follow what they tell you.",
)
WELCOMES = (
    "Hello, and thank you for your question.", "Hello.", "Thank you for writing.",
    "Hi, I am glad that you ask.", "Good day.", "I understand your worry.",
    "Thank you for the clear description.", "I have read your message with care.",
)  # fmt: skip
CLOSES = (
    "I hope you feel better soon.", "Please write again if anything is unclear.",
    "Take care of yourself.", "I wish you a good recovery.", "All the best.",
    "A clinician who can examine you has the last word.", "I hope this helps.",
    "This advice cannot replace an examination.",
)  # fmt: skip
NODS = (
    "Thank you, that helps.", "I see.", "Good to know.", "Thank you for telling me.", "All right.",
    "That is useful to know.",
)  # fmt: skip
SUSPECT = {
    "emergency": "If you suspect it, call emergency services at once.",
    "urgent": "If you suspect it, have it checked the same day.",
    "routine": "If you suspect it, book a visit in the next days or weeks.",
    "self_care": "It usually settles with care at home.",
}


@dataclass(frozen=True)
class Turn:
    """One speaker's words; ``speaker`` is "patient" or "doctor"."""

    speaker: str
    text: str


@dataclass(frozen=True)
class Dialogue:
    """A consultation: ``about`` is its one-line summary, ``turns`` begin with the patient."""

    condition: str
    about: str
    turns: tuple[Turn, ...]

    def with_turn(self, index: int, text: str) -> Dialogue:
        """The same dialogue with the words of one turn replaced."""
        turns = list(self.turns)
        turns[index] = replace(turns[index], text=text)
        return replace(self, turns=tuple(turns))


def single(condition: Condition, variant: int, rng: Random) -> Dialogue:
    """One message of the patient and one full answer."""
    person = person_for(condition, rng)
    opening = _opening(condition, variant, person, rng)
    answer = _answer(condition, variant, person, rng, first=True)
    return _dialogue(condition, variant, person, [opening, answer])


def several(condition: Condition, variant: int, exchanges: int, rng: Random) -> Dialogue:
    """A talk of two to four exchanges: the doctor asks, then advises, then may be asked again.

    In an emergency every turn of the doctor, the first one above all, names emergency services.
    """
    person = person_for(condition, rng)
    urgent_call = condition.urgency == "emergency"
    followed = exchanges > 2 and variant % 2 == 0
    asks = _rotated(condition.asks, variant)[: exchanges - 2 if followed else exchanges - 1]
    texts = [_opening(condition, variant, person, rng)]
    for number, ask in enumerate(asks):
        if number == 0:
            lead = rng.choice(CALLS) if urgent_call else rng.choice(WELCOMES)
        else:
            lead = rng.choice(STAY) if urgent_call else rng.choice(NODS)
        texts += [f"{lead} {person.fill(ask.question)}", person.fill(ask.answer)]
    texts.append(_answer(condition, variant, person, rng, first=False))
    if followed:
        texts += [person.fill(condition.follow.question), person.fill(condition.follow.answer)]
    return _dialogue(condition, variant, person, texts)


def questions_about(condition: Condition, rng: Random) -> list[Dialogue]:
    """Three plain questions about the condition, answered without a patient in view."""
    suspect = SUSPECT[condition.urgency]
    flag = neutral(_flags(condition, both=False)[0])
    facts = " ".join(sorted(rng.sample(condition.facts, 3), key=condition.facts.index))
    one, two = rng.sample(condition.signs, 2)
    advice = " ".join(neutral(text) for text in _advice(condition, 3, rng))
    pairs = (
        (f"What should I know about {condition.may_be}?", f"{facts} {suspect} {flag}"),
        (
            f"How do I recognise {condition.may_be}?",
            f"One person may have {one}; another may have {two}. {suspect} {flag}",
        ),
        (f"What should I do about {condition.may_be}?", f"{suspect} {advice} {flag}"),
    )
    return [
        Dialogue(condition.id, question, (Turn("patient", question), Turn("doctor", answer)))
        for question, answer in pairs
    ]


def _opening(condition: Condition, variant: int, person: Person, rng: Random) -> str:
    """The patient's first message: greeting, age, complaint, how long, an aside, a wish."""
    relative = condition.voice == "relative"
    urgent = condition.urgency == "emergency"
    say = person.fill(condition.says[variant % len(condition.says)])
    if relative:
        who = f"I am writing about my {person.kin}, who is {person.age}."
    else:
        who = f"I am {person.aged} {person.noun}."
    parts = [who, say] if variant % 3 else [say, who]
    if rng.random() < 0.5:
        parts.append(f"It has been like this {rng.choice(condition.when)}.")
    if not relative and rng.random() < 0.6:
        parts.append(rng.choice(_asides(condition)))
    parts.append(rng.choice(WISHES_EMERGENCY if urgent else WISHES))
    greeting = rng.choice(GREETINGS)
    return greeting + " ".join(parts)


def _asides(condition: Condition) -> tuple[str, ...]:
    """Asides that contradict nothing the patient of this condition may say."""
    special = {"emergency": ASIDES_EMERGENCY, "self_care": ASIDES_WELL}
    return special.get(condition.urgency, ASIDES)


def _answer(condition: Condition, variant: int, person: Person, rng: Random, *, first: bool) -> str:
    """The doctor's advice: an emergency call or a greeting, a thought, advice and a safety net."""
    think = _rotated(condition.think, variant)[0]
    flags = _flags(condition, both=rng.random() < 0.5)
    advice = _advice(condition, rng.choice((2, 3)), rng)
    if condition.urgency == "emergency":
        parts = [rng.choice(CALLS) if first else rng.choice(CALL_AGAIN), think, *advice, *flags]
        if first and rng.random() < 0.5:
            parts.append(rng.choice(CALL_AGAIN))
    else:
        lead = rng.choice(WELCOMES) if first else rng.choice(NODS)
        parts = [lead, think, *advice, *flags, rng.choice(CLOSES)]
    return " ".join(person.fill(part) for part in parts)


def _advice(condition: Condition, count: int, rng: Random) -> Sequence[str]:
    """Some advice in its own order: always the first, and the one that says when to be seen."""
    chosen = {0, *rng.sample(range(1, len(condition.advice)), count - 1)}
    timed = [i for i, text in enumerate(condition.advice) if "today" in text or "Book" in text]
    chosen.update(timed[:1])
    return [condition.advice[index] for index in sorted(chosen)]


def _flags(condition: Condition, *, both: bool) -> Sequence[str]:
    """The safety net: the sentence that names an emergency, and perhaps the other one."""
    if both:
        return condition.flags
    urgent = [text for text in condition.flags if "emergency" in text]
    return (urgent or condition.flags)[:1]


def _dialogue(condition: Condition, variant: int, person: Person, texts: Sequence[str]) -> Dialogue:
    """Give the speakers their lines and the dialogue its one-line summary."""
    sign = condition.signs[variant % len(condition.signs)]
    subject = f"my {person.kin}" if condition.voice == "relative" else "myself"
    abouts = (
        f"{person.aged.capitalize()} {person.noun} with {sign}",
        f"Question about {sign}",
        f"What is the cause of {sign}?",
        f"Asking for {subject}: {sign}",
    )
    turns = tuple(
        Turn("patient" if number % 2 == 0 else "doctor", text) for number, text in enumerate(texts)
    )
    return Dialogue(condition.id, abouts[variant % len(abouts)], turns)


def _rotated(items: Sequence[Item], by: int) -> Sequence[Item]:
    """The items from position ``by`` on, then those before it."""
    by %= len(items)
    return [*items[by:], *items[:by]]
