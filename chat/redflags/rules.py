"""The rules as their files hold them, and as patterns.

A trigger is a row of parts joined by " + ": all of them must be said to be so, now, within
``_WINDOW`` characters of each other. A part is a choice joined by " / " of phrases, ``@concepts``
(data/concepts.yaml) and ``#facts`` (``measures``). In a phrase ``*`` stands for any ending and
``...`` for up to six words between two commas; the rest is a regular expression in which a space
stands for what is between two words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from medllm.chat.redflags.measures import FACTS, Fact, facts
from medllm.chat.redflags.reading import Reading
from medllm.eval.safety.text import american

DATA = Path(__file__).parent / "data"
_CONCEPTS = "concepts.yaml"
_WINDOW = 400
_BETWEEN = r"[^\w.!?;\n]+"
_NEAR = r"[^\w.,!?;\n]+"
_GAP = rf"(?:{_NEAR}[\w'/%.-]+){{0,6}}?{_NEAR}"
_CONCEPT = re.compile(r"@(\w+)")
_FACT = re.compile(r"#([a-z]\w+)")
_FACT_IN_GROUP = re.compile(r"\|#\w+|#\w+\|?")
_WORD = re.compile(r"(?<![\w@#\\])[a-z]{4,}(?![\w*])")


def _lines(text: object) -> object:
    return [line.strip() for line in text.splitlines()] if isinstance(text, str) else text


class Rule(BaseModel):
    """One emergency: its triggers, and its card."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
    id: str = Field(pattern=r"^[a-z0-9-]+$")
    name: str = Field(min_length=3, description="as it stands after 'this may be'")
    guideline: str = Field(min_length=5, description="the public guideline behind it, by name")
    first_aid: str = Field("", description="shown with it; one or two sentences")
    triggers: str = Field(min_length=10, description="the card: what triggers the rule")
    spares: str = Field(min_length=5, description="the card: what does not")
    any: Annotated[tuple[str, ...], BeforeValidator(_lines)] = Field(min_length=1)


class Found(NamedTuple):
    """A rule that holds, and the words that made it."""

    rule: Rule
    evidence: tuple[str, ...]
    places: tuple[tuple[int, int], ...]


class _Choice(NamedTuple):
    pattern: re.Pattern[str] | None
    facts: frozenset[str]


class Compiled(NamedTuple):
    """A rule with the patterns of its triggers."""

    rule: Rule
    triggers: tuple[tuple[_Choice, ...], ...]


@cache
def load_rules() -> tuple[Compiled, ...]:
    """All rules, the gravest files first. Raises ValueError naming the rule that is not sound."""
    concepts = _concepts()
    rules = []
    for path in sorted(DATA.glob("rules-*.yaml")):
        for raw in yaml.safe_load(path.read_text(encoding="utf-8")):
            try:
                rule = Rule.model_validate(raw)
                triggers = tuple(_trigger(text, concepts) for text in rule.any)
            except (ValidationError, re.error, KeyError) as error:
                raise ValueError(f"{path.name}, rule {raw.get('id')}: {error}") from error
            rules.append(Compiled(rule, triggers))
    return tuple(rules)


@cache
def known_words() -> frozenset[str]:
    """The words of four letters and more that rules are made of: what typos are mended to."""
    phrases = [phrase for group in _concepts().values() for phrase in group]
    phrases += [text for compiled in load_rules() for text in compiled.rule.any]
    return frozenset(word for phrase in phrases for word in _WORD.findall(american(phrase)))


@cache
def _concepts() -> dict[str, list[str]]:
    raw = yaml.safe_load((DATA / _CONCEPTS).read_text(encoding="utf-8"))
    return {name: text.split("\n")[:-1] for name, text in raw.items()}


def holding(reading: Reading) -> Iterator[Found]:
    """Every rule that holds of a message."""
    numbers = facts(reading.text)
    for compiled in load_rules():
        for trigger in compiled.triggers:
            places = _places(trigger, reading, numbers)
            if places:
                evidence = tuple(dict.fromkeys(reading.text[a:b] for a, b in places))
                yield Found(compiled.rule, evidence, places)
                break


def _places(
    trigger: Sequence[_Choice], reading: Reading, numbers: Sequence[Fact]
) -> tuple[tuple[int, int], ...]:
    """Where the parts of a trigger stand, near enough to each other; empty when they do not."""
    all_places = []
    for choice in trigger:
        places = [(f.start, f.end) for f in numbers if f.name in choice.facts]
        if choice.pattern is not None:
            places += [found.span() for found in choice.pattern.finditer(reading.text)]
        places = [place for place in places if reading.affirmed(*place)]
        if not places:
            return ()
        all_places.append(places)
    for first in all_places[0]:
        chosen = [min(places, key=lambda p: abs(p[0] - first[0])) for places in all_places[1:]]
        if all(abs(place[0] - first[0]) <= _WINDOW for place in chosen):
            return (first, *chosen)
    return ()


def _trigger(text: str, concepts: Mapping[str, Sequence[str]]) -> tuple[_Choice, ...]:
    parts = []
    for part in text.split(" + "):
        names: set[str] = set()
        phrases: list[str] = []
        for option in part.split(" / "):
            option = _CONCEPT.sub(lambda found: f"({'|'.join(concepts[found[1]])})", option)
            names |= set(_FACT.findall(option))
            option = _FACT_IN_GROUP.sub("", option).strip()
            if option and option != "()":
                phrases.append(option)
        unknown = names - FACTS
        if unknown:
            raise KeyError(f"no such fact: {', '.join(sorted(unknown))}")
        parts.append(_Choice(_pattern(phrases) if phrases else None, frozenset(names)))
    return tuple(parts)


def _pattern(phrases: Sequence[str]) -> re.Pattern[str]:
    written = []
    for phrase in phrases:
        text = american(phrase).replace(" ... ", "\x00").replace("*", r"[\w'-]*")
        written.append(text.replace(" ", _BETWEEN).replace("\x00", _GAP))
    return re.compile(rf"(?<![\w])(?:{'|'.join(written)})(?![\w])", re.IGNORECASE)
