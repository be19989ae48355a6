"""Multiple-choice items: a short vignette, the question of urgency, four options in fixed order.

A pair (condition, phrasing) is either held out for the test or used in training, in all its
variants. The options never change places: a model of a few million parameters learns which option
belongs to a complaint, but it cannot follow letters that move.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from demo.conditions import URGENCIES, Condition
from demo.voices import Person, capital, person_for

LETTERS = "ABCD"
#: Vignettes of each (condition, phrasing).
VARIANTS = 3
CLOSING = "Answer with one letter."


@dataclass(frozen=True)
class Family:
    """A question with its four options and the attribute of Condition that decides it."""

    name: str
    question: str
    options: tuple[str, ...]
    attribute: str
    groups: tuple[str, ...]

    def answer(self, condition: Condition) -> str:
        """The right letter."""
        return LETTERS[self.groups.index(getattr(condition, self.attribute))]


FAMILIES = (
    Family(
        "urgency",
        "How soon should this person be seen?",
        (
            "Now: call emergency services",
            "Today, by a doctor",
            "By appointment in the next days or weeks",
            "Care at home first",
        ),
        "urgency",
        URGENCIES,
    ),
)

_Phrase = Callable[[Condition, str, str, Person], str]


def _speaker(condition: Condition, person: Person) -> tuple[str, str, str]:
    """(subject, its "have", its "am" clause with the age) of the one who writes."""
    if condition.voice == "relative":
        return f"my {person.kin}", "has", f"my {person.kin} is {person.age}"
    return "I", "have", f"I am {person.age}"


def _have(condition: Condition, person: Person) -> str:
    subject, have, _ = _speaker(condition, person)
    return f"{subject} {have}"


#: Thirteen ways to put a complaint; c condition, s sign, w since when, p person.
PHRASINGS: dict[str, _Phrase] = {
    "case": lambda c, s, w, p: f"{capital(p.aged)} {p.noun} has {s}. It has been so {w}.",
    "own_words": lambda c, s, w, p: f"{capital(_have(c, p))} {s}. It has been like this {w}.",
    "serious": lambda c, s, w, p: f"Hello doctor, {_have(c, p)} {s}. Is this serious?",
    "chart": lambda c, s, w, p: f"Patient, {p.sex}, {p.age}. {capital(s)}, {w}.",
    "family": lambda c, s, w, p: f"My {p.kin} has {s}. {p.he.capitalize()} is {p.age}.",
    "time_first": lambda c, s, w, p: f"{capital(w)}, {_have(c, p)} had {s}.",
    "phone": lambda c, s, w, p: f"Phone message: {p.noun}, {p.age} years, {s}, {w}.",
    "age_first": lambda c, s, w, p: f"{capital(_speaker(c, p)[2])}. {capital(_have(c, p))} {s}.",
    "terse": lambda c, s, w, p: f"{capital(s)}, {w}. What now?",
    "worried": lambda c, s, w, p: f"I am worried because {_have(c, p)} {s}.",
    "nurse": lambda c, s, w, p: f"The nurse sees a {p.noun} of {p.age} with {s}.",
    "neighbour": lambda c, s, w, p: f"About a neighbour, aged {p.age}: {s}, {w}.",
    "advise": lambda c, s, w, p: f"Please advise: {s}, {w}, in a {p.noun} aged {p.age}.",
}

#: Steps, modulo the number of phrasings, from one held-out phrasing of a condition to the next.
_HELD_OUT = (0, 3, 7, 10)


@dataclass(frozen=True)
class Item:
    """One multiple-choice question. ``why`` is the short reason of a training answer."""

    id: str
    family: Family
    condition: Condition
    phrasing: str
    vignette: str
    held_out: bool

    @property
    def question(self) -> str:
        """Vignette and question, without the options."""
        return f"{self.vignette}\n{self.family.question}"

    @property
    def answer(self) -> str:
        """The right letter."""
        return self.family.answer(self.condition)

    @property
    def prompt(self) -> str:
        """The whole text as the model is asked."""
        return layout(self.question, self.family.options)

    @property
    def reply(self) -> str:
        """A training answer: letter, option, one reason."""
        option = self.family.options[LETTERS.index(self.answer)]
        return f"{self.answer}. {option}. {_why(self.condition)}"


def layout(question: str, options: Sequence[str]) -> str:
    """Question, one line an option, and the closing line."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)]
    return "\n".join([question, *lines, CLOSING])


def build_items(conditions: Sequence[Condition], rng: Random) -> list[Item]:
    """Every (condition, phrasing, variant), each pair marked as held out or not.

    A variant is another sign of the condition in another person.
    """
    names = list(PHRASINGS)
    items = []
    for number, condition in enumerate(conditions):
        held = held_out(number, len(names))
        for index, name in enumerate(names):
            for variant in range(VARIANTS):
                person = person_for(condition, rng)
                sign = condition.signs[(index + number + variant) % len(condition.signs)]
                when = condition.when[(index // 2 + number + variant) % len(condition.when)]
                vignette = PHRASINGS[name](condition, sign, when, person)
                items += [
                    Item(
                        f"{f.name}-{condition.id}-{name}-{variant + 1}",
                        f,
                        condition,
                        name,
                        vignette,
                        index in held,
                    )
                    for f in FAMILIES
                ]
    return items


def held_out(number: int, phrasings: int) -> frozenset[int]:
    """Phrasings kept from training for condition ``number``: three, or four for two in five."""
    count = 4 if number % 5 < 2 else 3
    return frozenset((number * 5 + step) % phrasings for step in _HELD_OUT[:count])


def _why(condition: Condition) -> str:
    """One reason; in an emergency it always says that minutes count."""
    return {
        "emergency": f"It may be {condition.may_be}, and minutes count.",
        "urgent": f"It may be {condition.may_be}, which should not wait until tomorrow.",
        "routine": f"It may be {condition.may_be}, which needs a planned visit.",
        "self_care": f"It is most likely {condition.may_be}, which usually settles by itself.",
    }[condition.urgency]
