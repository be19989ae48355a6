"""What belongs to a name that was found: a suffix, a nickname in quotes, the next of a row."""

from __future__ import annotations

import re
from collections.abc import Callable

from medllm.pipeline.privacy.identifiers import PhiType, Span
from medllm.pipeline.privacy.recognizers.base import CAPITAL

_SUFFIX = re.compile(r"(?:,?[ ](?:Jr|Sr|JR|SR|II|III|IV)\b\.?)|(?:,?[ ](?:2nd|3rd)(?=[,.;]|$))")
_SHORTENED = re.compile(
    r"(?<!\w)(?:Wm|Chas|Geo|Thos|Robt|Edw|Jas|Jos|Benj|Eliz|Margt|Md|Mohd|Sk)\.?[ ]$"
)
_NEXT = re.compile(
    rf"(?:,?[ ](?:and|&|or)[ ]|,[ ](?=[^,.\n]{{3,24}}(?:,|,?[ ](?:and|&)[ ])))"
    rf"(?P<name>[{CAPITAL}](?:[^\W\d_]|['’\-](?=[^\W\d_]))+)(?=[\s,.;:)!?]|['’]s|$)"
)
_OPENS, _CLOSES = re.compile(r",? ?[\"“(‘']"), re.compile(r"[\"”)’'] ?")


def widened(text: str, spans: list[Span], kind: Callable[[str], int]) -> list[Span]:
    """``spans``, sorted, with names made whole; ``kind`` judges one capitalised word.

    "Ann, Bob and Xio" are names when Ann is; 'Bartholomew "Bart" Finch' becomes one span.
    """
    result: list[Span] = []
    queue = list(reversed(spans))
    while queue:
        span = queue.pop()
        if result and span.start < result[-1].end:
            continue
        if span.type is not PhiType.NAME:
            result.append(span)
            continue
        start, end = span.start, span.end
        free = queue[-1].start if queue else len(text)
        suffix = _SUFFIX.match(text, end)
        if suffix and suffix.end() <= free:
            end = suffix.end()
        short = _SHORTENED.search(text, max(0, start - 8), start)
        if short and (not result or result[-1].end <= short.start()):
            start = short.start()
        following = _NEXT.match(text, end)
        if following and following.end() <= free and kind(following["name"]):
            queue.append(Span(*following.span("name"), PhiType.NAME))
        result.append(Span(start, end, PhiType.NAME))
    return _joined(text, result)


def _joined(text: str, spans: list[Span]) -> list[Span]:
    """A nickname between quotes or brackets joins the names on both sides of it."""
    result: list[Span] = []
    for span in spans:
        result.append(span)
        if len(result) < 3 or any(one.type is not PhiType.NAME for one in result[-3:]):
            continue
        first, nick, last = result[-3:]
        opens = _OPENS.fullmatch(text, first.end, nick.start)
        closes = _CLOSES.fullmatch(text, nick.end, last.start)
        if opens and closes:
            result[-3:] = [Span(first.start, last.end, PhiType.NAME)]
    return result
