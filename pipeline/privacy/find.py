"""Where the identifiers of one text are: all recognisers, then one type for each stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from medllm.pipeline.privacy.identifiers import PhiType, Span
from medllm.pipeline.privacy.recognizers import own_recognizers
from medllm.pipeline.privacy.recognizers.base import Found
from medllm.pipeline.privacy.recognizers.clues import read_clues
from medllm.pipeline.privacy.recognizers.names.neighbours import widened
from medllm.pipeline.privacy.recognizers.names.runs import RunRecognizer
from medllm.pipeline.privacy.recognizers.standard import (
    Standard,
    link_is_sure,
    standard_recognizers,
)
from medllm.pipeline.privacy.vocabulary.lexicon import lexicon

_CONTEXT = 40  # characters before a weak match in which its context must stand
# Which type wins among overlapping matches of equal length; earlier is stronger.
_RANK = {
    type_: rank
    for rank, type_ in enumerate(
        (
            PhiType.EMAIL, PhiType.URL, PhiType.IP, PhiType.SSN, PhiType.FAX, PhiType.HEALTH_PLAN,
            PhiType.MRN, PhiType.VEHICLE, PhiType.DEVICE, PhiType.LICENSE, PhiType.ACCOUNT,
            PhiType.DATE, PhiType.AGE, PhiType.STREET, PhiType.HOSPITAL, PhiType.PHONE, PhiType.ZIP,
            PhiType.ID, PhiType.USERNAME, PhiType.CITY, PhiType.NAME,
        )
    )
}  # fmt: skip


def find(text: str) -> list[Span]:
    """Identifiers in ``text``: sorted, not overlapping. Opens no file and no socket.

    Overlapping matches become one span, with the type of the longest; of two as long, ``_RANK``
    decides. So nothing that any recogniser saw is left standing.
    """
    clues = read_clues(text, lexicon())
    found: list[Found] = []
    for recognizer in own_recognizers():
        found.extend(recognizer.spans(text, clues))
    for standard in _standard():
        if standard.needed(text, clues):
            found.extend(_of_presidio(text, standard))
    spans = _merged(found)
    if any(span.type is PhiType.NAME for span in spans):
        spans = widened(text, spans, _kind())
        if "[" in text:  # a tag of an earlier pass is no name
            spans = [span for span in spans if not _is_tag(text, span)]
    return spans


def _is_tag(text: str, span: Span) -> bool:
    inside = text[max(0, span.start - 1) : span.end + 1]
    return inside[:1] == "[" and inside[-1:] == "]" and inside[1:-1] in PhiType.__members__


@cache
def _kind() -> Callable[[str], int]:
    return next(each for each in own_recognizers() if isinstance(each, RunRecognizer)).kind


@cache
def _standard() -> tuple[Standard, ...]:
    return standard_recognizers()


def _of_presidio(text: str, standard: Standard) -> Iterator[Found]:
    """What one of Presidio's recognisers finds where its ``near`` matches."""
    if not standard.near.search(text):
        return
    pieces = _pieces(text, standard) if standard.window else [(0, text)]
    for offset, piece in pieces:
        for result in standard.recognizer.analyze(piece, [], None):
            start, end = result.start + offset, result.end + offset
            if result.score < standard.least:
                continue
            if standard.type is PhiType.URL and not link_is_sure(text[start:end]):
                continue
            if standard.context and not standard.context.search(
                text, max(0, start - _CONTEXT), start
            ):
                continue
            yield start, end, standard.type


def _pieces(text: str, standard: Standard) -> list[tuple[int, str]]:
    """The words, as far as white space on both sides, around each match; none twice."""
    pieces: list[tuple[int, str]] = []
    done = 0
    for match in standard.near.finditer(text):
        start, end = match.span()
        if start < done:
            continue
        while start > done and not text[start - 1].isspace():
            start -= 1
        while end < len(text) and not text[end].isspace():
            end += 1
        pieces.append((start, text[start:end]))
        done = end
    return pieces


def _merged(found: list[Found]) -> list[Span]:
    spans: list[Span] = []
    group: list[Found] = []
    limit = -1
    for item in sorted(found):
        if item[0] >= limit and group:
            spans.append(_union(group))
            group = []
        group.append(item)
        limit = max(limit, item[1])
    if group:
        spans.append(_union(group))
    return spans


def _union(group: list[Found]) -> Span:
    start = min(item[0] for item in group)
    end = max(item[1] for item in group)
    type_ = min(group, key=lambda item: (item[0] - item[1], _RANK[item[2]]))[2]
    return Span(start, end, type_)
