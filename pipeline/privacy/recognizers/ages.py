"""Ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.lexicon import COMMON, NAME, lexicon

_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty"
_DIGITS = r"(?:9\d|1[01]\d|12[0-5])"
_NINETY = rf"ninety(?:[- ](?:{_UNITS})\b)?"
_HUNDRED = (
    rf"(?:a |one |one-)?hundred(?:(?: and)?[- ](?:{_UNITS}|{_TEENS})\b)?|one[- ]oh[- ](?:{_UNITS})"
)
_OLD = rf"(?:{_DIGITS}|{_NINETY}|{_HUNDRED})"
_NTH = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_KIN = (
    r"(?:grand|great-grand|great grand|step)?(?:mother|father|ma|pa|mom|mum|dad|parents?)|nana|"
    r"nan|gran|"
    r"granny|grampa|gramps|pop|papa|abuela|abuelo|aunt|auntie|uncle|husband|wife|sister|brother|"
    r"spouse|partner|neighbou?r|friend|patient|pt|resident|client|lady|gentleman|woman|man|"
    r"widow(?:er)?|veteran|female|male|donor|proband"
)
_BEFORE_NUMBER = (
    r"(?:now |already |almost |nearly |about |around |over |just |only |currently |well over |"
    r"exactly |approximately |approx\.? |~ ?)?"
)
_NO_COUNT = (
    r"(?![ ]*(?:%|percent|mg|kg|lbs?|mcg|ml|beats|bpm|mmhg|days?|weeks?|months?|hours?|minutes?|"
    r"degrees|tablets?|pills?|units?|doses?|cm|mm|over|/|on (?:ra|room)|patients|cases|points|"
    r"cents|dollars|calories|f\b|°|times|per\b|proof|seconds|years? ago|pounds?|g\b)|[./:-]\d|\d)"
)
_STOPS = (
    r"(?=[ ]*(?:[,;!?)]|\.(?!\d)|and\b|now\b|but\b|with\b|years\b(?!\s*(?:old|ago))|yrs?\b|in\b|"
    r"next|"
    r"this|last|on\b|when|who|so\b|today|tomorrow|if\b|y/?o|come\b|at\b|$))"
)
_PATTERNS = (
    rf"(?<![\w./-])(?P<years>{_OLD}(?:[- ]*(?:plus|\+|odd|something)?[- ]*(?:years?|yrs?)\.?[- ]*"
    r"(?:olds?\b|young\b|of age\b)|[- ]*y\.?[-/ ]?o\b\.?|[- ](?:year|yr)s?"
    r"(?=[- ](?:female|male|man|woman|lady|gentleman|f\b|m\b|veteran|widow|who\b|patient))"
    r"|[- ]?(?:ans|años|anos|jahre|anni|jaar|ára|lat|let)\b))",
    rf"\b(?:aged?(?:[ ]?/[ ]?(?:sex|gender))?|age is|age of|sex/age|turned|turning|reached|"
    rf"reaching|"
    rf"approaching|nearing|pushing|lived to(?: be)?|live to(?: be)?|lives to(?: be)?|turns|"
    rf"going on|"
    rf"turn)[ :=|]*{_BEFORE_NUMBER}(?P<label>{_OLD})\b(?![ ]*(?:%|mg|kg|days|weeks|months)|[./]\d)",
    rf"\b(?:i am|i['’]m|he|she|who|it|(?:{_KIN})(?:,? \w+)?)(?:[ ](?:is|was|will be|would be|would "
    rf"have been|has been|had been|must be|be)|['’](?:s|ll be|d be))?[ ]{_BEFORE_NUMBER}"
    rf"(?P<is>{_OLD}){_NO_COUNT}{_STOPS}",
    rf"\b(?:died|passed(?: away| on)?|alive|deceased|dead|living|expired|lived|survived|until|till|"
    rf"d\.|healthy|well|fit|cva|mi|cancer|stroke|dementia|dob)(?: \w+)?,?[ ](?:at |age |aged |@ ?)"
    rf"(?:the |an )?(?:ripe |old |grand |great )*(?:age )?(?:of |age )?{_BEFORE_NUMBER}"
    rf"(?P<died>{_OLD})\b{_NO_COUNT}",
    rf"\bd\.?[ ](?:at[ ])?(?P<d>{_DIGITS})\b{_NO_COUNT}",
    rf"\bat[ ](?:age[ ]|the age of[ ])?(?P<at>{_OLD}),?[ ](?=(?:she|he|i|my|his|her|the patient|"
    rf"years of|still)\b)",
    r"\b(?:his|her|their|my|your|our)[ ](?:(?:early|mid|late|mid-to-late|high|low|middle|upper|"
    r"very|to|or|-)[ -]?)*"
    r"(?P<decade>['’]?(?:90|100)['’]?s|nineties|hundreds)\b",
    rf"(?<![\w./-])(?P<some>(?:{_DIGITS}|ninety)(?:[- ]?(?:something|odd|ish)|[ ]?\+[ ]?(?=y)))",
    rf"(?<![\w./-])(?P<nth>(?:9\d|1[01]\d)(?:st|nd|rd|th)|ninety[- ](?:{_NTH})|ninetieth|"
    rf"(?:one )?hundredth|hundred and (?:{_NTH}))(?= (?:birthday|year\b|b-day|bday))",
    r"\b(?P<word>(?:super-?|semi-?super)?centenarian|nonagenarian)s?\b",
    r"\b(?P<decades>(?:tenth|eleventh|10th|11th) decade)\b",
    r"\b(?P<score>(?:four|five)[ -]?score(?: and (?:ten|eleven|twelve|\w+teen))?)\b",
    r"\b(?P<century>a century)(?= (?:old|of life|young)\b)",
    rf"\b(?:{_KIN})(?:,[ ]|[ ]\()(?:(?:aged?|now) )?(?P<kin>{_DIGITS})(?=[,;)])",
    r"(?-i:(?:\bM(?:r|rs|s|iss)\.? [A-Z][\w'’-]+|[A-Z][\w'’-]+[ ][A-Z][\w'’-]+),? \(?)"
    rf"(?P<name>{_DIGITS})(?=[,;)])",
    rf"(?-i:^)(?P<first>{_DIGITS})(?=,? (?:widow|male|female|man|woman|lives|retired|admitted|lady|"
    r"gentleman|resident)\b|, )",
    rf"\b[MF][ /](?P<sex>{_DIGITS})(?![\w%/]|[.]\d)",
)
_AGE = re.compile("|".join(_PATTERNS), re.IGNORECASE | re.MULTILINE)
_SEX_BEHIND = re.compile(
    rf"(?<![\w./(-])(?<!temp )(?<!T )(?<!fever )(?<!of )(?P<age>{_DIGITS})(?:[ ]?/[ ]?[MF]\b|"
    r"[ ]?M\b|F\b(?! fever| temp)|[ ](?:male|female)\b|"
    r"[ ]F(?:\s*$|[ ]{2}|[ ]*\||[,)]| (?:with|w/|who|c/o|p/w|BIBA|admitted|presents|s/p|from|in|"
    r"here|"
    r"fell|found|brought)))"
)
_SUBJECT = re.compile(rf"\b(?P<name>[A-Z][a-z'’-]+) (?:is|was|turned|, now) (?P<age>{_DIGITS})\b")
_WORDED = re.compile(
    rf"(?<![\w-])(?-i:(?=n)){_NINETY}{_NO_COUNT}(?![- ]?(?:day|minute|degree|second|fold|by\b|"
    rf"one\b))",
    re.IGNORECASE,
)
_PART_OF_NUMBER = re.compile(
    r"(?:nineteen|hundred(?: and)?|thousand(?: and)?|one|two|three|of|in|by|over|about|is|was|"
    r"and)[ -]$",
    re.IGNORECASE,
)
_NO_AGE = re.compile(r"(?:temp\w*|\bT|fever|tmax|Tm)\b[^,;.]{0,12}$", re.IGNORECASE)
_STOPS_BEHIND = re.compile(_STOPS)
_OLD_NUMBERS = frozenset(map(str, range(90, 126)))
_NINETY_WORDS = word_set("ninety")
_OLD_WORDS = word_set(
    """
    ninety nineties hundred hundreds ninetieth hundredth nonagenarian nonagenarians centenarian
    centenarians supercentenarian oh score fourscore decade century
    """
)


class AgeRecognizer(SpanRecognizer):
    """Ages of 90 and more, in digits or words."""

    TYPES = (PhiType.AGE,)
    SCORE = 0.9

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Ages over 89 in ``text``; never the words "90 or older"."""
        digits = not _OLD_NUMBERS.isdisjoint(clues.numbers)
        if not digits and _OLD_WORDS.isdisjoint(clues.words):
            return
        for match in _AGE.finditer(text):
            group = match.lastgroup
            assert group
            if not text.startswith(" or older", match.end(group)):
                yield *match.span(group), PhiType.AGE
        if not _NINETY_WORDS.isdisjoint(clues.words):
            for match in _WORDED.finditer(text):
                start = match.start()
                if not _PART_OF_NUMBER.search(text, max(0, start - 16), start):
                    yield *match.span(), PhiType.AGE
        if digits:
            for match in _SEX_BEHIND.finditer(text):
                if not _NO_AGE.search(text, max(0, match.start() - 24), match.start()):
                    yield *match.span("age"), PhiType.AGE
            for match in _SUBJECT.finditer(text):
                flags = self._flags.get(match["name"].casefold(), 0)
                person = flags & NAME and not flags & COMMON
                if person and _STOPS_BEHIND.match(text, match.end()):
                    yield *match.span("age"), PhiType.AGE
