"""Dates that hold a month's name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTH = re.compile(
    r"(?<![^\W\d_])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![^\W\d_])",
    re.IGNORECASE,
)
_WEEKDAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?[ ]+(?:the[ ]+)?)?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DAY_BEFORE = re.compile(
    rf"(?:(?<=^)|(?<![\w./-]))(?P<all>{_WEEKDAY}(?:the[ ]+)?(?P<day>{_DAY})(?P<nth>st|nd|rd|th)?"
    r"(?:[ ]+day)?(?:[ ]+of[ ]+|[ ]*[-/.,]?[ ]*))$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(r"(?<![\w./-])(?P<all>(?:19|20)\d\d[-/ ])$")
_DAY_AFTER = re.compile(
    rf"\.?(?:[ ]+(?:the[ ]+)?|[ ]*[-/][ ]*|,[ ]+)(?P<day>{_DAY})(?P<nth>st|nd|rd|"
    rf"th)?\b(?![./:%]?\d|[ ]*%)"
    r"(?:(?:[ ]*,[ ]*|[ ]+(?:of[ ]+)?|[-/])(?P<year>(?:19|20)\d\d|['’]\d\d)\b)?",
    re.IGNORECASE,
)
_ORDINAL = (
    r"(?:twenty|thirty)?[- ]?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|"
    r"eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    r"nineteenth|twentieth|thirtieth"
)
_SMALL = "one|two|three|four|five|six|seven|eight|nine"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_YEAR_SPOKEN = (
    rf"(?:two thousand|nineteen|twenty|eighteen)(?:[ ](?:hundred[ ])?(?:and[ ])?(?:oh[- ])?"
    rf"(?:(?:{_TENS})(?:[- ](?:{_SMALL}))?|{_TEENS}|{_SMALL}))?"
)
_CARDINAL = rf"(?:(?:twenty|thirty)[- ](?:{_SMALL})|{_TEENS}|twenty|thirty|{_SMALL})"
_SPOKEN_AFTER = re.compile(
    rf",?[ ](?:the[ ])?(?:{_ORDINAL}|{_CARDINAL})\b(?:,?[ ](?:of[ ])?{_YEAR_SPOKEN}\b|"
    r",?[ ](?:19|20)\d\d\b)?(?!-)",
    re.IGNORECASE,
)
_MONTH_YEAR_SPOKEN = re.compile(
    rf",?[ ](?:of[ ])?(?:two thousand|nineteen|twenty)[ ](?:hundred[ ])?(?:and[ ])?(?:oh[- ])?"
    rf"(?:(?:{_TENS})(?:[- ](?:{_SMALL}))?|{_TEENS}|{_SMALL})\b",
    re.IGNORECASE,
)
_SPOKEN_BEFORE = re.compile(rf"\b(?:the[ ])?(?:{_ORDINAL})[ ](?:of[ ])?$", re.IGNORECASE)
_RANGE = re.compile(
    rf"[ ]*(?:-|–|—|to|thru|through|until|&|and|/)[ ]*(?:the[ ])?{_DAY}(?:st|nd|rd|th)?\b"
    r"(?![./:%-]?\d|[ ]*(?:%|[a-z]+[ ]of\b|mg|ml|times|years?|days?|weeks?|hours?|months?|am|pm))"
    r"(?:,?[ ](?:of[ ])?(?:19|20)\d\d\b)?",
    re.IGNORECASE,
)
_RANGE_BEFORE = re.compile(
    rf"(?<![\w./-]){_DAY}(?:st|nd|rd|th)?[ ]*(?:-|–|—|to|thru|through|&|and)[ ]*$", re.IGNORECASE
)
_NTH_MORE = re.compile(
    r"(?:,|,?[ ](?:and|&|or)|,[ ]and)[ ](?:the[ ])?(?P<day>(?:[12]?\d|3[01])(?:st|nd|rd|th))\b"
    r"(?![ ](?:grade|percentile|dose|time|day|of (?!this|next|last)))"
)
_COMPACT = re.compile(
    r"(?<![^\W_])(?:0?[1-9]|[12]\d|3[01])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?:19|20)?\d\d)?(?![^\W_])",
    re.IGNORECASE,
)
_YEAR_AFTER = re.compile(
    r"\.?(?:[ ]*,[ ]*|[ ]+(?:of[ ]+)?|[ ]*[-/][ ]*|(?=\d{4}))(?P<year>(?:19|20)\d\d|"
    r"['’]\d\d|(?<=-)\d\d)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"[ ]*(?:mg|mcg|ml|g|units?|times?|hours?|hrs?|days?|weeks?|months?|years?|kg|lbs?|"
    r"pounds|cm|mm|%|tablets?|pills?|doses?|patients?|cases?|or|to)\b",
    re.I,
)
_NEAR = re.compile(
    r"(?:\b(?:in|since|last|next|during|until|till|by|from|of|early|late|mid|around|before|after|"
    r"through|between|and|to|past|month of|beginning of|end of|middle of|this|on|done|starts?|"
    r"for|due|as of|\d:)[ -]+)$",
    re.IGNORECASE,
)
_WEEKDAY_BEFORE = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day,?[ ]+$", re.IGNORECASE)
_MONTH_WORDS = frozenset(MONTH_NAMES) | word_set("jan feb mar apr jun jul aug sep sept oct nov dec")
_PLAIN_SHORT = word_set("jan feb apr jun jul aug sept sep oct nov dec") | frozenset(
    set(MONTH_NAMES) - {"may", "march"}
)
_MAY = re.compile(
    r"\bMay\b|\d(?:st|nd|rd|th)?(?: of)?[ /-]may\b|\bmay[ /-]\d|\b(?:in|since|last|next|"
    r"until|by|from|of|mid) may\b"
)


class MonthRecognizer(SpanRecognizer):
    """Each month's name is looked at with what stands around it."""

    TYPES = (PhiType.DATE,)

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Dates in ``text``."""
        months = clues.words & _MONTH_WORDS
        if months and (months != {"may"} or _may_be_a_month(text)):
            for match in _MONTH.finditer(text):
                found = self._around(text, match)
                if found:
                    yield *found, PhiType.DATE
                    end = found[1]
                    while more := _NTH_MORE.match(text, end):
                        yield *more.span("day"), PhiType.DATE
                        end = more.end()
        if clues.mixed or (clues.numbers and "_" in text):
            for match in _COMPACT.finditer(text):
                yield match.start(), match.end(), PhiType.DATE

    def _around(self, text: str, match: re.Match[str]) -> tuple[int, int] | None:
        """The date that a month's name is part of, or None when it is no date."""
        word = match[0]
        lowered = word.casefold()
        full = lowered in MONTH_NAMES and lowered not in ("may", "march")
        # "may", "march", "mar" and "dec" are also words, "OCT" a scan: they must show a capital or
        # stand in an unmistakable date.
        sure = full or word.istitle()
        start, end = match.span()
        before = _DAY_BEFORE.search(text, max(0, start - 30), start)
        year_before = _YEAR_BEFORE.search(text, max(0, start - 6), start)
        after = _DAY_AFTER.match(text, end)
        if after and not after["year"] and _QUANTITY.match(text, after.end()):
            after = None
        year = _YEAR_AFTER.match(text, end)
        if before and (sure or before["nth"] or year or before["all"].endswith(("-", "/"))):
            if lowered == "may" and word == "may" and not (before["nth"] or year):
                return None
            first = _RANGE_BEFORE.search(
                text, max(0, before.start("all") - 12), before.start("all")
            )
            start = first.start() if first else before.start("all")
            if lowered in ("may", "march") and "." in text[start : match.start()] and not year:
                return None
            return start, year.end() if year else end
        if year_before:
            return year_before.start("all"), after.end("day") if after else end
        if (
            after
            and not (year and year.end() > after.end())
            and (
                sure
                or after["nth"]
                or after["year"]
                or lowered in _PLAIN_SHORT
                or (word.isupper() and text.isupper())
                or _NEAR.search(text, max(0, start - 14), start)
            )
        ):
            weekday = _WEEKDAY_BEFORE.search(text, max(0, start - 12), start)
            end = after.end()
            more = _RANGE.match(text, end) if not after["year"] else None
            return weekday.start() if weekday else start, more.end() if more else end
        if year:
            return start, year.end()
        listed = full or (word.islower() and lowered in _PLAIN_SHORT)
        spoken = None
        if sure or listed:
            spoken = _MONTH_YEAR_SPOKEN.match(text, end) or _SPOKEN_AFTER.match(text, end)
        spoken_before = _SPOKEN_BEFORE.search(text, max(0, start - 30), start) if sure else None
        if spoken or spoken_before:
            return (
                spoken_before.start() if spoken_before else start,
                spoken.end() if spoken else end,
            )
        if full and (word[0].isupper() or _NEAR.search(text, max(0, start - 14), start)):
            if lowered not in ("april", "june", "august") or _NEAR.search(
                text, max(0, start - 14), start
            ):
                return start, end
        elif lowered in ("may", "march") and _NEAR.search(text, max(0, start - 14), start):
            this = text[:start].rstrip().casefold().endswith(("this", "and", "to", "that", "it"))
            if word[0].isupper() or (
                not this and re.match(r"[.,;!?]|$", text[end : end + 1] or "")
            ):
                return start, end
        return None


def _may_be_a_month(text: str) -> bool:
    """Whether "may", the only month's name in the text, stands where the month would."""
    return _MAY.search(text) is not None
