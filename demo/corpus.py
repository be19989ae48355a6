"""Plain medical prose for the tiny base model and its tokenizer.

Encyclopaedia entries, case stories in indirect speech, scenes of a clinic, numbers and what they
mean: no chat, no multiple choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from demo.conditions import HERE, Condition, load_yaml
from demo.stories import Scenes, clinic_day, story, triage
from demo.voices import capital, neutral

#: How many paragraphs of each kind: for each condition, in all, or rounds through a word list.
ARTICLES, STORIES, DAYS, TRIAGES, ESSAYS = 4, 9, 130, 160, 5
ANATOMY, GLOSSARY, NUMBERS, HABITS = 4, 3, 100, 120

CARE = {
    "emergency": "Whoever suspects {x} should call emergency services at once.",
    "urgent": "Whoever suspects {x} should see a doctor on the same day.",
    "routine": "Whoever suspects {x} should book a visit in the next days or weeks.",
    "self_care": "{X} usually settles with simple care at home.",
}


def build_corpus(conditions: Sequence[Condition], rng: Random) -> str:
    """Paragraphs in random order, one blank line between them."""
    scenes = Scenes.load()
    paragraphs = [_article(c, rng) for c in conditions for _ in range(ARTICLES)]
    paragraphs += [story(c, scenes, rng) for c in conditions for _ in range(STORIES)]
    paragraphs += [clinic_day(scenes, rng) for _ in range(DAYS)]
    paragraphs += [triage(conditions, scenes, rng) for _ in range(TRIAGES)]
    paragraphs += _essays(rng)
    paragraphs += _anatomy(rng)
    paragraphs += _glossary(rng)
    paragraphs += [_numbers(rng) for _ in range(NUMBERS)]
    paragraphs += [_habits(scenes, rng) for _ in range(HABITS)]
    rng.shuffle(paragraphs)
    return "\n\n".join(paragraphs) + "\n"


def _article(condition: Condition, rng: Random) -> str:
    """An encyclopaedia entry: other names, facts, complaints, care."""
    name, plain = condition.may_be, condition.plain
    names = rng.choice(
        (
            f"{capital(name)} is also described as {plain[0]} or {plain[1]}.",
            f"In plain words, {name} means {plain[0]}.",
            f"Some people speak of {plain[1]} when they mean {name}.",
            f"This entry is about {name}, which many people know as {plain[0]}.",
        )
    )
    one, two = rng.sample(condition.signs, 2)
    complaints = rng.choice(
        (
            f"A typical complaint is {one}. Another is {two}.",
            f"One patient may have {one}, and another {two}.",
            f"Doctors think of it when they hear of {one} or of {two}.",
            f"It may show itself as {one}, or as {two}.",
        )
    )
    facts = rng.sample(condition.facts, min(4, len(condition.facts)))
    care = CARE[condition.urgency].format(x=condition.may_be, X=capital(condition.may_be))
    why = rng.choice((condition.step_why, f"{condition.system_why}."))
    advice = [neutral(text) for text in rng.sample(condition.advice, 2)]
    flag = neutral(rng.choice(condition.flags))
    middle = [*facts[2:], complaints]
    rng.shuffle(middle)
    return " ".join([names, *facts[:2], *middle, care, why, *advice, flag])


def _essays(rng: Random) -> list[str]:
    """Some sentences of each essay, in their order, several times over."""
    essays = load_yaml(HERE / "lexicon" / "essays.yaml")
    assert isinstance(essays, dict)
    return [
        " ".join(essays[name][i] for i in sorted(rng.sample(range(len(essays[name])), 4)))
        for name in sorted(essays)
        for _ in range(ESSAYS)
    ]


def _anatomy(rng: Random) -> list[str]:
    """Short paragraphs on three organs each, in changing sentences."""
    organs = load_yaml(HERE / "lexicon" / "organs.yaml")
    assert isinstance(organs, list)
    paragraphs = []
    for _ in range(ANATOMY):
        rng.shuffle(organs)
        for start in range(0, len(organs), 2):
            paragraphs.append(" ".join(_organ(entry, rng) for entry in organs[start : start + 2]))
    return paragraphs


def _organ(entry: list[object], rng: Random) -> str:
    name, plural, where, does, form = entry
    are, pronoun, its = ("are", "they", "their") if plural else ("is", "it", "its")
    form = str(form)
    if not plural and not form.startswith(("a ", "the ")):
        form = f"a {form}"
    return rng.choice(
        (
            f"The {name} {where}. {capital(pronoun)} {does}. In form, {pronoun} {are} {form}.",
            f"The {name} {are} {form}. {capital(pronoun)} {where} and {does}.",
            f"What do we know of the {name}? {capital(pronoun)} {where}, and {pronoun} {does}.",
            f"Students learn early where the {name} can be found: {pronoun} {where}. "
            f"They also learn {its} task: {pronoun} {does}.",
            f"The {name} {does}. For this task {pronoun} {are} well made: {form}.",
        )
    )


def _glossary(rng: Random) -> list[str]:
    """Three to five definitions in a paragraph."""
    terms = load_yaml(HERE / "lexicon" / "terms.yaml")
    assert isinstance(terms, dict)
    paragraphs = []
    for _ in range(GLOSSARY):
        names = sorted(terms)
        rng.shuffle(names)
        while names:
            take, names = names[:4], names[4:]
            paragraphs.append(" ".join(_definition(term, terms[term], rng) for term in take))
    return paragraphs


def _definition(term: str, meaning: str, rng: Random) -> str:
    proper = "\u2019" in term
    lower = term if proper else term[0].lower() + term[1:]
    return rng.choice(
        (
            f"{term} is {meaning}.",
            f"In medicine, {lower} is {meaning}.",
            f"Doctors call it “{_bare(lower)}”: {meaning}.",
            f"By {lower} we mean {meaning}.",
        )
    )


def _bare(term: str) -> str:
    for article in ("a ", "an "):
        if term.startswith(article):
            return term[len(article) :]
    return term


def _numbers(rng: Random) -> str:
    """Measured values of a resting adult with the word that belongs to them."""
    kinds = (_temperature, _pulse, _pressure, _breathing, _microscope, _practice)
    return " ".join(rng.choice(kinds)(rng) for _ in range(4))


def _temperature(rng: Random) -> str:
    tenths = rng.randint(355, 405)
    word = "a fever" if tenths >= 380 else "slightly raised" if tenths > 372 else "normal"
    return f"A temperature of {tenths / 10:.1f} °C is {'low' if tenths < 361 else word}."


def _pulse(rng: Random) -> str:
    pulse = rng.randint(44, 128)
    word = "slow" if pulse < 60 else "normal" if pulse <= 100 else "fast"
    return f"For an adult, a resting pulse of {pulse} beats per minute is {word}."


def _pressure(rng: Random) -> str:
    upper, lower = rng.randint(104, 158), rng.randint(62, 84)
    word = "raised" if upper >= 140 else "normal" if upper < 130 else "at the upper end of normal"
    return f"A blood pressure of {upper}/{lower} mmHg is {word}."


def _breathing(rng: Random) -> str:
    rate = rng.randint(10, 28)
    word = "slow" if rate < 12 else "normal" if rate <= 20 else "fast"
    return f"At rest, {rate} breaths per minute are {word} for an adult."


def _microscope(rng: Random) -> str:
    thing, low, high = rng.choice(
        (
            ("a red blood cell", 7, 8),
            ("a bacterium", 1, 3),
            ("a fine hair", 50, 80),
            ("a capillary", 5, 10),
            ("a grain of pollen", 20, 40),
        )
    )
    return f"Under the microscope, {thing} measures about {rng.randint(low, high)} µm."


def _practice(rng: Random) -> str:
    return rng.choice(
        (
            f"The visit took {rng.randint(2, 5)}½ minutes longer than planned.",
            f"The nurse arrived at {rng.randint(7, 11)}:{rng.choice(('05', '15', '20', '45'))}.",
            f"About {rng.randint(5, 95)} % of the visitors came on foot.",
            f"The ward has {rng.randint(8, 40)} beds, and {rng.randint(2, 7)} were free.",
            f"The walk to the practice is {rng.randint(1, 9)}.{rng.randint(1, 9)} km long.",
        )
    )


def _habits(scenes: Scenes, rng: Random) -> str:
    """Food, movement, sleep and what to avoid."""
    sentences = []
    for doers, deeds in rng.sample((scenes.habits, scenes.rests, scenes.harms), 2):
        one, two = rng.sample(deeds, 2)
        sentences.append(f"{rng.choice(doers)} {one} and {two}.")
    for food in rng.sample(sorted(scenes.foods), 2):
        holds = scenes.foods[food]
        meal = rng.choice(scenes.meals)
        sentences.append(
            rng.choice(
                (
                    f"{food} contain {' and '.join(holds[:2])}.",
                    f"{food} are a source of {holds[0]} and taste good {meal}.",
                    f"Many people like {food[0].lower()}{food[1:]} {meal}.",
                )
            )
        )
    rng.shuffle(sentences)
    return " ".join(sentences)
