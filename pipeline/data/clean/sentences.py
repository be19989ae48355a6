"""Where sentences begin and end in texts whose sites lost spaces and line ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = re.compile(r"[.!?…\n][.!?…\n]*[\"'”’)\]]*")
# "queryHope", "HelloYour", "150/80Best regards": the line end between two of them was lost.
_FORMULA = r"Hope|Thank|Take [Cc]are|Wish|Welcome|Regards|Best [Rr]egards|Kind [Rr]egards"
_GLUED = re.compile(rf"(?:{_FORMULA}|Dr\b)")
_GLUED_GREETING = re.compile(r"(?:Hi(?=[A-Z][a-z])|Hello(?=[A-Z])|Dear(?=[A-Z]))")
_FORMULA_START = re.compile(rf"\s*(?:{_FORMULA})")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(,])(?:dr|mr|mrs|ms|prof|st|vs|e\.?g|i\.?e|etc|approx|no|tab|cap|inj|[a-z]|\d{1,3})$"
    r"|(?-i:[a-z.]Dr)$",
    re.I,
)
_ITEM = re.compile(r"\d{1,2}[.)] ")
_DOT_COM = re.compile(r" ?com\b", re.I)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, the white space behind it included; together the whole text.

    A full stop without a space ends a sentence where a capital follows small letters. The number
    of a list's item belongs to its item.
    """
    start = 0
    for end in sorted({*_marked(text), *_glued(text)}):
        while text[end : end + 1].isspace():
            end += 1
        if end > start:
            yield start, end
            start = end
    if start < len(text):
        yield start, len(text)


def _marked(text: str) -> Iterator[int]:
    for stop in _MARK.finditer(text):
        mark, end = text[stop.start()], stop.end()
        if mark == "\n" or _FORMULA_START.match(text, end):
            yield end
            continue
        before, after = text[max(0, stop.start() - 12) : stop.start()], text[end : end + 1]
        if stop.group() == "." and (_ABBREVIATION.search(before) or _DOT_COM.match(text, end)):
            continue
        spaced = not after or after.isspace() or (before[-1:].isspace() and after.isalpha())
        begins = after.isupper() or _ITEM.match(text, end)
        if spaced or (begins and (mark != "." or before[-1:].islower())):
            yield end


def _glued(text: str) -> Iterator[int]:
    if greeting := _GLUED_GREETING.match(text):
        yield greeting.end()
    for formula in _GLUED.finditer(text):
        before = text[formula.start() - 1 : formula.start()]
        if before.islower() or before.isdigit():
            yield formula.start()
