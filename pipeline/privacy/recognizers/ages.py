"""Ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_OLD = (
    rf"(?:9\d|1[01]\d|12[0-5]|ninety(?:[- ](?:{_UNITS}))?|(?:a |one )?hundred(?:(?: "
    rf"and)?[- ](?:{_UNITS}|ten))?)"
)
_NTH = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_AGE = re.compile(
    rf"(?<![\w./-])(?P<a>{_OLD}(?:[- ]*(?:years?|yrs?)\.?[- ]*(?:olds?\b|of age\b)|"
    rf"[- ]*y\.?/?o\b\.?|[- ]y/?o\b))"
    rf"|\b(?:aged|age|age is|age of|age|age/sex|sex/age|turned|turning|lived to|"
    rf"turns)[ :=|]*(?P<b>{_OLD})\b(?![ ]*(?:%|mg|kg|days|weeks|months)|[./]\d)"
    rf"|\b(?:i am|i['’]m|he is|she is|he['’]s|she['’]s|(?:mother|father|grandmother|"
    rf"grandfather|grandma|grandpa|mom|dad|aunt|uncle|husband|wife|patient) (?:is|was)(?: "
    rf"now| already| almost| nearly)?|who is|who['’]s)[ ]+(?P<c>{_OLD})(?=[ ]*(?:,|\.(?!\d)|"
    rf";|and\b|now\b|but\b|with\b|years\b(?!\s*old)|$))"
    r"|(?<![\w./-])(?<!temp )(?<!T )(?<!fever )(?<!of )(?P<d>9\d|1[01]\d)(?-i:(?=[ ]?M\b|F\b(?! "
    r"fever| temp)|"
    r"[ ]F(?:\s*$|[ ]{2}|[ ]*\||,| (?:with|w/|who|c/o|p/w|BIBA|admitted|presents|s/p))))"
    rf"|\b[MF][ /](?P<e>9\d|1[01]\d)(?![\w%/]|[.]\d)"
    rf"|(?<![\w./-])(?P<f>(?:9\d|1[01]\d)(?:st|nd|rd|th)|(?:ninety[- ])?(?:{_NTH})|ninetieth|"
    rf"hundredth)(?= birthday)"
    r"|\b(?P<g>nonagenarian|centenarian)s?\b"
    rf"|(?-i:[A-Z][\w'’-]+[ ][A-Z][\w'’-]+, )(?P<h>9\d|1[01]\d)(?=[,;)])",
    re.IGNORECASE,
)
_NO_AGE = re.compile(r"(?:temp\w*|\bT|fever|tmax|Tm)\b[^,;.]{0,12}$", re.IGNORECASE)
_OLD_NUMBERS = frozenset(map(str, range(90, 126)))
_OLD_WORDS = word_set("ninety hundred ninetieth hundredth nonagenarian centenarian")


class AgeRecognizer(SpanRecognizer):
    """Ages of 90 and more, in digits or words."""

    TYPES = (PhiType.AGE,)
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Ages over 89 in ``text``; never the words "90 or older"."""
        if _OLD_NUMBERS.isdisjoint(clues.numbers) and _OLD_WORDS.isdisjoint(clues.words):
            return
        for match in _AGE.finditer(text):
            group = match.lastgroup
            assert group
            if text[match.end(group) :].startswith(" or older"):
                continue
            if group == "d" and _NO_AGE.search(text, max(0, match.start() - 24), match.start()):
                continue
            yield match.start(group), match.end(group), PhiType.AGE
