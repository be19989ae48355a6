"""Telephone numbers, extensions and pagers, in digits and as they are spoken; SSN without label."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_PHONE = re.compile(
    r"(?<![\w.$])(?:"
    r"\+\d{1,3}[-. ]?(?:\(?\d{1,5}\)?[-. ]?){1,4}\d{2,5}"
    r"|(?:1[-. ])?\(?[2-9]\d\d\)?[-./ ]{0,3}\d{3}[-. ]\d{4}"
    r"|(?:1[-. ])?\(\d{2,5}\)[ ]?\d{3,5}[- ]?\d{3,5}"
    r"|1[38]00[- ]\d{3}[- ]?\d{3}|13[- ]\d\d[- ]\d\d"
    r"|0\d(?:[ .-]\d\d){4}"
    r"|0\d{1,4}[-/ ]\d{3,4}[- ]?\d{3,4}"
    r"|[6-9]\d{4}[- ]\d{5}"
    r"|555[-. ]\d{4}"
    r"|[2-9]\d{9}|0\d{10}|00\d{9,12}"
    r")(?:,?[ ]?(?:x|ext\.?|extension)[ ]?\d{1,6})?(?![\w]|[-.]\d)",
    re.IGNORECASE,
)
_SEVEN = re.compile(
    r"\b(?:phone|call|tel|mobile|cell|contact|text|reach|dial|number|ph|"
    r"fax)\b[^\d\n]{0,30}(?P<number>[2-9]\d\d[-. ]\d{4})(?![\w-])",
    re.IGNORECASE,
)
_FAX_NEAR = re.compile(r"\b(?:fax\b[^\d\n]{0,20}|f[:.][ ]*)$", re.IGNORECASE)
_SSN = re.compile(r"(?<![\w-])\d{3}([- ])\d{2}\1\d{4}[A-Z]?(?![\w-])")
_MASKED = re.compile(
    r"(?<![\w])[X*x#•]{2,5}[- ]?[X*x#•]{2}[- ]?(?P<number>\d{4})\b|[*•]{2,}[- ]?\d{4}\b"
)
_EXTENSION = re.compile(
    r"(?:\b(?:page[rd]?|beeper|bleep|ext(?:ension)?\.?|extn\.?|pgr|vocera|spectralink|dial(?:ing)?)"
    r"(?:[ ]*(?:is|at|on|me|no\.?|number|to|#|:))*[ ]*|(?<![\w)])(?=x))"
    r"(?P<number>(?:x[ ]?)?(?:\d{3,6}|\d-\d{4}))(?![\w%^]|[.,/-]\d)",
    re.IGNORECASE,
)
_EXTENSION_WORDS = word_set(
    "page pager paged beeper bleep ext extn extension pgr x vocera spectralink dial dialing"
)
_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|hundred)"
_SPOKEN = re.compile(rf"\b{_DIGIT}(?:[ ,.\-–]{{1,3}}{_DIGIT}){{6,}}\b", re.IGNORECASE)
_DIGIT_WORDS = word_set("zero oh one two three four five six seven eight nine")


class PhoneRecognizer(SpanRecognizer):
    """Telephone numbers of many countries by shape, extensions by the word before them."""

    TYPES = (PhiType.PHONE, PhiType.FAX, PhiType.SSN)
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Numbers that reach somebody in ``text``, and social security numbers."""
        if clues.longest > 2 and not _EXTENSION_WORDS.isdisjoint(clues.words):
            for match in _EXTENSION.finditer(text):
                yield *match.span("number"), PhiType.PHONE
        if clues.longest > 3 and ("**" in text or "•" in text or "xx-" in text.lower()):
            for match in _MASKED.finditer(text):
                yield match.start(), match.end(), PhiType.SSN
        if clues.most > 6:
            for match in _PHONE.finditer(text):
                fax = _FAX_NEAR.search(text, max(0, match.start() - 30), match.start())
                yield match.start(), match.end(), PhiType.FAX if fax else PhiType.PHONE
            for match in _SEVEN.finditer(text):
                type_ = PhiType.FAX if "fax" in match[0].lower() else PhiType.PHONE
                yield *match.span("number"), type_
            for match in _SSN.finditer(text):
                yield match.start(), match.end(), PhiType.SSN
        if len(clues.words & _DIGIT_WORDS) > 2:
            for match in _SPOKEN.finditer(text):
                yield match.start(), match.end(), PhiType.PHONE
