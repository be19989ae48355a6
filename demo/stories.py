"""Case stories and clinic scenes of the pretraining corpus, told in the third person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from demo.conditions import HERE, URGENCIES, Condition, load_yaml
from demo.voices import Person, capital, neutral, person_for

TIMES = ("00", "15", "30")


@dataclass(frozen=True)
class Scenes:
    """The word lists of ``lexicon/scenes.yaml``."""

    jobs: Sequence[str]
    towns: Sequence[str]
    weather: Sequence[str]
    days: Sequence[str]
    parts: Sequence[str]
    homes: Sequence[str]
    pets: Sequence[str]
    staff: Sequence[str]
    duties: Sequence[str]
    times: Sequence[str]
    manners: Sequence[str]
    reasons: Sequence[str]
    habits: Sequence[Sequence[str]]
    rests: Sequence[Sequence[str]]
    harms: Sequence[Sequence[str]]
    foods: dict[str, Sequence[str]]
    meals: Sequence[str]

    @classmethod
    def load(cls) -> Scenes:
        """Read the lists."""
        lists = load_yaml(HERE / "lexicon" / "scenes.yaml")
        assert isinstance(lists, dict)
        return cls(**lists)


def story(condition: Condition, scenes: Scenes, rng: Random) -> str:
    """Who came, with what, what was found, what was done."""
    person = person_for(condition, rng)
    job, town = rng.choice(scenes.jobs), rng.choice(scenes.towns)
    home = rng.choice(scenes.homes)
    he, He = person.he, capital(person.he)
    his = "his" if person.sex == "male" else "her"
    when = f"on a {rng.choice(scenes.weather)} {rng.choice(scenes.days)} {rng.choice(scenes.parts)}"
    retired = person.age >= 67
    who = f"{person.aged} {'retired ' if retired else ''}{job}"
    sign, say = rng.choice(list(zip(condition.signs, condition.says, strict=True)))
    tell = _emergency if condition.urgency == "emergency" else _visit
    body = tell(condition, person, who, town, when, sign, say, rng)
    years = rng.randint(2, 14)
    life = rng.choice(
        (
            f"{He} lived {home}.",
            f"{He} lived {home} and kept {rng.choice(scenes.pets)}.",
            f"{He} had worked as {_a(job)} for {years} years.",
            f"At home, {home}, {he} kept {rng.choice(scenes.pets)}.",
            f"{He} had moved to {town} {years} years before.",
            f"{He} was proud of {his} {rng.choice(('family', 'garden', 'work', 'cooking'))}.",
        )
    )
    return " ".join([body[0], life, *body[1:]])


def _emergency(
    c: Condition, p: Person, who: str, town: str, when: str, sign: str, say: str, rng: Random
) -> list[str]:
    he, He = p.he, capital(p.he)
    him = "him" if p.sex == "male" else "her"
    minutes = rng.randint(4, 14)
    ask = p.fill(rng.choice(c.asks).question).rstrip("?")
    return [
        rng.choice(
            (
                f"{capital(when)}, {who} from {town} suddenly had {sign}.",
                f"{capital(who)} in {town} had {sign} {when}.",
                f"It was {when} that {who} from {town} was found with {sign}.",
            )
        ),
        f"“{p.fill(say)}” Those were the words on the telephone.",
        rng.choice(
            (
                "Someone called emergency services at once.",
                f"Those around {him} did not wait and called emergency services.",
                "Emergency services were called without delay.",
            )
        ),
        f"The call handler asked one thing after another, among them this: “{ask}?”",
        f"The ambulance arrived after {minutes} minutes.",
        rng.choice(
            (
                f"In hospital the doctors found that it was {c.may_be}.",
                f"The crew thought of {c.may_be} and warned the hospital.",
                f"The doctors treated {him} for {c.may_be} within the hour.",
            )
        ),
        rng.choice(c.facts),
        rng.choice(
            (
                f"{He} was able to go home after {rng.randint(4, 21)} days.",
                f"Later {he} said that the quick call had made all the difference.",
                f"“It was right not to wait,” the doctor told {him} afterwards.",
                f"{He} recovered slowly and thanked the crew with a letter.",
            )
        ),
    ]


def _visit(
    c: Condition, p: Person, who: str, town: str, when: str, sign: str, say: str, rng: Random
) -> list[str]:
    he, He = p.he, capital(p.he)
    him = "him" if p.sex == "male" else "her"
    ask = rng.choice(c.asks)
    think = rng.choice(c.think)
    advice = rng.sample(c.advice, 2)
    place = "pharmacy" if c.urgency == "self_care" else "practice"
    staff = "pharmacist" if c.urgency == "self_care" else "doctor"
    speed = {
        "urgent": f"{He} was seen on the same day.",
        "routine": f"{He} was given an appointment for the following week.",
        "self_care": "No visit to a doctor was needed.",
    }[c.urgency]
    return [
        rng.choice(
            (
                f"{capital(who)} came to the {place} in {town} {when} with {sign}.",
                f"{capital(when)}, {who} from {town} asked for advice about {sign}.",
                f"The {staff} in {town} remembers {who} who had {sign}.",
            )
        ),
        f"{He} put it like this: “{say}”",
        f"The {staff} wanted to know: “{ask.question}” The answer was: “{ask.answer}”",
        speed,
        f"“{think}” said the {staff}.".replace(".”", ",”"),
        f"The advice was plain. {' '.join(advice)}",
        neutral(rng.choice(c.flags)),
        rng.choice(
            (
                f"{He} had one more question: “{c.follow.question}” “{c.follow.answer}”",
                f"“{c.follow.question}” {he} asked. “{c.follow.answer}”",
                rng.choice(c.facts),
            )
        ),
        rng.choice(
            (
                f"After {rng.randint(2, 9)} weeks {he} felt better.",
                f"{He} wrote everything down on a sheet of paper.",
                f"The {staff} gave {him} a leaflet of {rng.randint(2, 8)} pages.",
                f"{He} thanked the {staff} and walked home.",
                rng.choice(c.facts),
            )
        ),
    ]


#: What a nurse who sorts patients by urgency does with each of them.
SORTED = {
    "emergency": "was treated as an emergency at once, before anyone else",
    "urgent": "was seen by a doctor on the same day",
    "routine": "was given an appointment in the following days",
    "self_care": "went home with good advice and a list of signs to watch for",
}


def triage(conditions: Sequence[Condition], scenes: Scenes, rng: Random) -> str:
    """Three patients, sorted by how soon they have to be seen."""
    town, staff = rng.choice(scenes.towns), rng.choice(("nurse", "young doctor", "paramedic"))
    chosen = sorted(rng.sample(list(conditions), 3), key=lambda c: URGENCIES.index(c.urgency))
    parts = [f"In {town} the {staff} sorted the patients by urgency."]
    for place, condition in zip(("The first", "The next", "The last"), chosen, strict=True):
        person = person_for(condition, rng)
        told = f"{place}, {person.aged} {person.noun} with {rng.choice(condition.signs)},"
        parts.append(f"{told} {SORTED[condition.urgency]}: {_thought(condition)}")
    parts.append(rng.choice(chosen[0].facts))
    return " ".join(parts)


def _thought(condition: Condition) -> str:
    verb = "was most likely" if condition.urgency == "self_care" else "could be"
    return f"it {verb} {condition.may_be}."


def clinic_day(scenes: Scenes, rng: Random) -> str:
    """Four or five sentences of daily work."""
    town = rng.choice(scenes.towns)
    sentences = [
        rng.choice(
            (
                f"The clinic in {town} opens at {rng.randint(7, 9)}:{rng.choice(TIMES)}.",
                f"It is {_a(rng.choice(scenes.weather))} {rng.choice(scenes.parts)} in {town}.",
                f"{rng.choice(scenes.days)} is a busy day at the hospital of {town}.",
                f"About {rng.randint(12, 90)} people visit the practice in {town} each day.",
            )
        )
    ]
    for staff in rng.sample(list(scenes.staff), rng.randint(3, 4)):
        duty, time = rng.choice(scenes.duties), rng.choice(scenes.times)
        manner, reason = rng.choice(scenes.manners), rng.choice(scenes.reasons)
        sentences.append(
            rng.choice(
                (
                    f"{capital(staff)} {duty} {time}.",
                    f"{capital(time)}, {staff} {duty}.",
                    f"{capital(staff)} {duty} {manner}.",
                    f"{capital(staff)} {duty} {time}, {reason}.",
                )
            )
        )
    return " ".join(sentences)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
