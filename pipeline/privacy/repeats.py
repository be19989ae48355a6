"""What was recognised once is found again wherever the dialogue repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from medllm.pipeline.privacy.identifiers import PhiType, Span
from medllm.pipeline.privacy.surrogates.people import name_words
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import COMMON, EPONYM, WORD

_EXACT = frozenset(PhiType) - {PhiType.NAME, PhiType.DATE, PhiType.AGE}
_LEAST = 4  # characters; a shorter value elsewhere may be something else
_INITIALS = r"(?:(?<![^\W\d_])[A-Z]\.[ ]?){0,2}"
_BEHIND = re.compile(r"(?:['’]s?)?(?:[ \-]+[^\W\d_]+){1,2}")
_STARTS = frozenset(".!?:\n")


def with_repeats(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], flags: Mapping[str, int]
) -> list[list[Span]]:
    """``spans`` and every further occurrence of their originals, as whole words, in any text.

    A part of a name counts without the rest and in any case; one that is also a plain word or an
    eponym only with a capital inside a sentence, and not before "disease" and the like.
    """
    types: dict[str, PhiType] = {}
    names: list[str] = []
    for text, found in zip(texts, spans, strict=True):
        for span in found:
            original = text[span.start : span.end]
            if span.type is PhiType.NAME:
                names.append(original)
            elif span.type in _EXACT and len(original) >= _LEAST:
                types.setdefault(original, span.type)
    careful: set[str] = set()
    for word in name_words(names):
        its = flags.get(word.casefold(), 0)
        if its & COMMON:
            continue
        forms = {word.capitalize(), word.upper(), word}
        if its & (WORD | EPONYM):
            forms -= {word.lower()}
            careful |= forms
        else:
            forms.add(word.lower())
        for form in forms:
            types.setdefault(form, PhiType.NAME)
    if not types:
        return [list(found) for found in spans]
    longest_first = sorted(types, key=lambda value: (-len(value), value))
    pattern = re.compile(
        rf"(?<![\w@]){_INITIALS}(?P<value>{'|'.join(map(re.escape, longest_first))})(?![\w@])"
    )

    def further(text: str) -> Iterable[Span]:
        for match in pattern.finditer(text):
            value = match["value"]
            type_ = types[value]
            start = match.start() if type_ is PhiType.NAME else match.start("value")
            if value not in careful or _is_name(text, start, match.end()):
                yield Span(start, match.end(), type_)

    return [_with(found, further(text)) for text, found in zip(texts, spans, strict=True)]


def _is_name(text: str, start: int, end: int) -> bool:
    """Whether a plain word with a capital is no sentence's first word and no disease's name."""
    before = text[:start].rstrip(" ")
    if not before or before[-1] in _STARTS:
        return False
    behind = _BEHIND.match(text, end)
    return not behind or HEADS.isdisjoint(behind[0].casefold().split())


def _with(found: Sequence[Span], more: Iterable[Span]) -> list[Span]:
    """``found`` and those of ``more`` that touch none of them."""
    free = [
        span
        for span in more
        if not any(span.start < other.end and other.start < span.end for other in found)
    ]
    return sorted([*found, *free])
