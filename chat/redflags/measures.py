"""Numbers that are dangerous by themselves: vital signs, blood values, ages, weeks of pregnancy.

Each becomes a fact with its place in the text; rules name facts as ``#low_bp``. The limits are those
at which early-warning scores give their highest points (RCP, National Early Warning Score 2, 2017)
or which the guidelines of the rules name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_I = re.IGNORECASE
_WORDS = {
    word: number
    for number, word in enumerate(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        start=1,
    )
}
_COUNT = rf"(\d{{1,2}}(?:[.,]\d)?|{'|'.join(_WORDS)})"
_N = r"(\d{1,3}(?:[.,]\d+)?)"
_IS = r"(?:\s*(?:is|was|of|at|=|:|-|says?|reads?|shows?|now|around|about|the meter|level|over|up to|went to|came back|\()\s*){0,3}\s*"


FACTS = frozenset(
    [
        "fever",
        "very_hot",
        "cold",
        "low_oxygen",
        "fast_breathing",
        "slow_breathing",
        "fast_heart",
        "racing_heart",
        "slow_heart",
        "low_gcs",
        "low_sugar",
        "high_sugar",
        "ketones",
        "acidosis",
        "high_potassium",
        "high_lactate",
        "low_sodium",
        "high_inr",
        "high_eye_pressure",
        "neutropenia",
        "large_burn",
        "pregnant",
        "late_pregnancy",
        "early_pregnancy",
        "infant",
        "newborn",
        "baby",
        "young_child",
        "child",
        "over_50",
        "low_bp",
        "raised_bp",
        "very_high_bp",
    ]
)


class Fact(NamedTuple):
    """A fact and where it stands."""

    name: str
    start: int
    end: int


class _Measure(NamedTuple):
    pattern: re.Pattern[str]
    facts: Callable[[float, str], Iterator[str]]


def _fever(value: float, text: str) -> Iterator[str]:
    if 20 < value < 80 and text.rstrip().endswith("F"):
        return  # an age and a sex
    celsius = (value - 32) / 1.8 if value > 80 else value
    if 37.95 <= celsius < 45:
        yield "fever"
    if 39.95 <= celsius < 45:
        yield "very_hot"
    if 20 < celsius < 35:
        yield "cold"


def _limit(name: str, low: float, high: float) -> Callable[[float, str], Iterator[str]]:
    def facts(value: float, _: str) -> Iterator[str]:
        if low <= value <= high:
            yield name

    return facts


def _glucose(value: float, text: str) -> Iterator[str]:
    mmol = value / 18 if value > 45 or "mg" in text.lower() else value
    if mmol < 3.05:
        yield "low_sugar"
    if mmol >= 15:
        yield "high_sugar"


def _heart(value: float, _: str) -> Iterator[str]:
    if value >= 120:
        yield "fast_heart"
    if value >= 150:
        yield "racing_heart"
    if 10 <= value <= 45:
        yield "slow_heart"


def _breaths(value: float, _: str) -> Iterator[str]:
    if 28 <= value <= 90:
        yield "fast_breathing"
    if 1 <= value <= 8:
        yield "slow_breathing"


def _weeks(value: float, _: str) -> Iterator[str]:
    if 4 <= value <= 43:
        yield "pregnant"
    if 20 <= value <= 43:
        yield "late_pregnancy"
    if value <= 14:
        yield "early_pregnancy"


def _infant(value: float, text: str) -> Iterator[str]:
    days = value * (1 if "day" in text else 7 if re.search(r"w(ee)?k", text) else 30.4)
    if days < 92:
        yield "infant"  # under three months
    if days <= 28:
        yield "newborn"
    if days < 2 * 365:
        yield "baby"


def _years(value: float, _: str) -> Iterator[str]:
    if value < 6:
        yield "young_child"
    if value < 16:
        yield "child"
    if value >= 50:
        yield "over_50"


_TEMPERATURE = r"(?:temp(?:erature)?s?|fever|T|febrile|tmax)"
_MEASURES = (
    _Measure(re.compile(rf"\b(?:{_TEMPERATURE}){_IS}{_N}\b(?!\s*(?:day|week|month|hour|h\b|x|/|%|mg|ml|min))", _I), _fever),
    _Measure(re.compile(rf"(?<![\d.]){_N}\s*(?:°|degrees|deg\b|℃|(?-i:C\b)|(?-i:F\b))"), _fever),
    _Measure(re.compile(r"(?<![\d.])((?:3[89]|4[0-2])[.,]\d)\b(?!\s*(?:mmol|mg|kg|%|g|ml|cm))"), _fever),
    _Measure(re.compile(rf"\b(?:SpO2|sats?|sao2|saturations?|o2 sats?|oxygen(?: level| sats?| saturation)?){_IS}{_N}", _I), _limit("low_oxygen", 40, 91)),
    _Measure(re.compile(rf"\b(?:RR|resp(?:iratory)? rate|resps?){_IS}{_N}", _I), _breaths),
    _Measure(re.compile(rf"\b(?:HR|pulse|heart rate|bpm|P){_IS}{_N}\b(?!\s*(?:days?|weeks?|months?|x))", _I), _heart),
    _Measure(re.compile(r"\b(\d{2,3})\s*(?:bpm|beats)\b", _I), _heart),
    _Measure(re.compile(r"\b(?:racing|rate|tachycardia|tachy|beating)(?: \w+)? (?:at |of )?(\d{3})\b", _I), _heart),
    _Measure(re.compile(rf"\bGCS{_IS}(?:E\d)?(\d{{1,2}})\b(?!\s*-?15)", _I), _limit("low_gcs", 3, 14)),
    _Measure(re.compile(rf"\b(?:BM|BMs|glucose|sugars?|blood sugars?|meter|BSL|BGL|CBG|BG|dex|gluc){_IS}{_N}(?:\s*mg)?", _I), _glucose),
    _Measure(re.compile(rf"\bketones?{_IS}{_N}", _I), _limit("ketones", 3, 20)),
    _Measure(re.compile(rf"\bpH{_IS}([67][.]\d+)"), _limit("acidosis", 6.5, 7.3)),
    _Measure(re.compile(rf"\b(?:(?-i:K\+?)|potassium){_IS}{_N}\b(?!\s*(?:steps|run))", _I), _limit("high_potassium", 6.45, 11)),
    _Measure(re.compile(rf"\blactate{_IS}{_N}", _I), _limit("high_lactate", 4, 30)),
    _Measure(re.compile(rf"\b(?:Na\+?|sodium){_IS}{_N}", _I), _limit("low_sodium", 90, 125)),
    _Measure(re.compile(rf"\bINR{_IS}{_N}", _I), _limit("high_inr", 3, 30)),
    _Measure(re.compile(rf"\bIOP{_IS}{_N}", _I), _limit("high_eye_pressure", 35, 99)),
    _Measure(re.compile(rf"\b(?:neutrophils?|neuts|ANC){_IS}{_N}", _I), _limit("neutropenia", 0, 0.99)),
    _Measure(re.compile(r"\b(\d{1,3})\s*% ?(?:TBSA|BSA|burns?|of (?:his|her|the|my) body)", _I), _limit("large_burn", 10, 100)),
    _Measure(re.compile(rf"\b{_COUNT}(?:\s*\+\s*\d)?\s*-?(?:weeks?|wks?)\W+(?:\w+ ){{0,2}}?(?:pregnan\w+|gestation|gravid|antenatal|gone|along)\b", _I), _weeks),
    _Measure(re.compile(r"\bpregnan\w+\W+(?:\w+ ){0,2}?(\d{1,2})\s*(?:weeks?|wks?)\b", _I), _weeks),
    _Measure(re.compile(r"\b(?:at|i'm|she's|am|is|^)\s*(\d{2})\s*(?:weeks?|wks?)\b(?! (?:old|ago|post))", _I), _weeks),
    _Measure(re.compile(r"(?<!for )(?<!after )(?<!past )(?<!last )\b([23]\d|4[0-2])(?:\s*\+\s*\d)?\s*(?:weeks?|wks?)\b(?!\s*(?:old|ago|post|later|after))", _I), _weeks),
    _Measure(re.compile(rf"\b{_COUNT}[ -]?(?:days?|weeks?|wks?|months?|mths?|mo)[ -]?(?:old|infant|baby|girl|boy|neonate|newborn|twins?|F\b|M\b|son|daughter)\b|\bday (\d{{1,2}})\b(?=[^.]{{0,20}}\b(?:neonate|newborn|baby))", _I), _infant),
    _Measure(re.compile(r"\b(\d{1,3})\s*-?(?:(?:years?|yrs?|y)\b[ -]?(?:old|o\b|/o)?|(?-i:[MF])\b|yo\b)", _I), _years),
)  # fmt: skip
_PRESSURE = re.compile(r"(?<![\d/])(\d{2,3})\s*(?:/|over)\s*(\d{2,3})(?![\d/])", _I)
_SYSTOLIC = re.compile(rf"\b(?:BP|SBP|systolic)(?: [RL])?{_IS}(\d{{2,3}})\b(?!\s*/)", _I)
_LOWEST, _HIGHEST = 40, 300


def facts(text: str) -> tuple[Fact, ...]:
    """All dangerous numbers of a message, in the order of their places."""
    found: list[Fact] = []
    for measure in _MEASURES:
        for match in measure.pattern.finditer(text):
            number = next(group for group in match.groups() if group)
            value = float(_WORDS.get(number.lower(), number.replace(",", ".")))
            found += [
                Fact(name, match.start(), match.end()) for name in measure.facts(value, match[0])
            ]
    for match in _PRESSURE.finditer(text):
        high, low = int(match[1]), int(match[2])
        if low < high and _LOWEST <= high <= _HIGHEST and low >= 20:
            found += [Fact(name, match.start(), match.end()) for name in _pressure(high, low)]
    for match in _SYSTOLIC.finditer(text):
        if _LOWEST <= int(match[1]) < 90:
            found.append(Fact("low_bp", match.start(), match.end()))
    return tuple(sorted(found, key=lambda fact: fact.start))


def _pressure(high: int, low: int) -> Iterator[str]:
    if high < 90:
        yield "low_bp"
    if high >= 150 or low >= 105:
        yield "raised_bp"
    if high >= 180 or low >= 120:
        yield "very_high_bp"
