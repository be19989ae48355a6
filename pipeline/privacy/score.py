"""How much of the marked personal data a finder finds, and how much else it takes away.

**Found** is meant leak-free: a marked span counts as found when each of its characters that is not
white space lies in some found span, of whatever type; a surname left standing is a miss even if the
given name went. The strict figures ask besides that those found spans be of the marked kind
(``safe_harbor`` says which types are one kind).

**Right** is a found span that shares a character with any marked span, target or not (masking
"Dr." is no error); strictly, with one of its own kind. Taking too much is seen in the characters:
a finder that masks a whole note has every span found and right, but few characters right.

Only targets count for what is found: ``safe_harbor`` says which marked spans are none. Intervals
are Wilson's and take spans as independent; texts from one template are not, so they are too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from medllm.eval.records import Share
from medllm.pipeline.privacy import safe_harbor
from medllm.pipeline.privacy.annotations import AnnotatedText, read_annotated
from medllm.pipeline.privacy.safe_harbor import Group

ALL = "all"


class SpanLike(Protocol):
    """What a finder gives: characters ``start`` to ``end`` (exclusive) and their type."""

    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def type(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Row:
    """One group or type. A share is None where there was nothing to find, or nothing was found."""

    name: str
    found: Share | None  # targets found
    characters_found: Share | None  # their characters, without white space
    right: Share | None  # found spans (of this group or type) that touch a marked one
    characters_right: Share | None  # the found spans' characters that are marked


@dataclass(frozen=True)
class Miss:
    """A target that was not found whole; positions only, no words."""

    text: int  # counted from 1
    type: str
    start: int
    end: int


@dataclass(frozen=True)
class PrivacyScore:
    """The result of one finder on one file."""

    file: str
    texts: int
    moved: int  # spans of the file that were a little off and put right
    groups: tuple[Row, ...]  # Group's members, then ALL
    types: tuple[Row, ...]  # by the file's and the finder's own types
    strict_groups: tuple[Row, ...]
    strict_types: tuple[Row, ...]
    no_targets: tuple[Row, ...]  # marked spans that may stand: how many were taken
    hard_negatives_kept: Share | None
    misses: tuple[Miss, ...]  # the first of them
    missed: int  # all of them

    @property
    def all(self) -> Row:
        """The row of all targets."""
        return self.groups[-1]


@dataclass(frozen=True)
class _Tally:
    """One span, marked or found, and how it fared."""

    type: str
    hit: bool
    characters: int
    hit_characters: int


def score(
    path: Path, find: Callable[[str], Sequence[SpanLike]], *, list_misses: int = 50
) -> PrivacyScore:
    """Run ``find`` over every text of an annotated file (see ``annotations.read_annotated``).

    Raises MedllmError for a file that does not fit, ValueError for a found span that lies outside
    its text, is empty, or has a type that ``safe_harbor`` does not know.
    """
    from tqdm import tqdm

    texts = read_annotated(path)
    loose: tuple[list[_Tally], list[_Tally]] = ([], [])
    strict: tuple[list[_Tally], list[_Tally]] = ([], [])
    spared: list[_Tally] = []
    misses: list[Miss] = []
    kept = negatives = 0
    for number, text in enumerate(tqdm(texts, unit="text", disable=None), start=1):
        found = _valid(find(text.text), text.text)
        targets = [
            span
            for span in text.spans
            if safe_harbor.is_target(span.type, text.text[span.start : span.end])
        ]
        others = [span for span in text.spans if span not in targets]
        covered, marked = _cover(found), _cover(text.spans)
        tallies = [_tally(span, text, covered, whole=True) for span in targets]
        loose[0].extend(tallies)
        loose[1].extend(_tally(span, text, marked, whole=False) for span in found)
        for span in targets:
            strict[0].append(_tally(span, text, _cover(_alike(span, found)), whole=True))
        for other in found:
            strict[1].append(_tally(other, text, _cover(_alike(other, text.spans)), whole=False))
        spared.extend(_tally(span, text, covered, whole=False) for span in others)
        misses += [
            Miss(number, span.type, span.start, span.end)
            for span, tally in zip(targets, tallies, strict=True)
            if not tally.hit
        ]
        negatives += len(text.hard_negatives)
        kept += sum(covered.isdisjoint(range(*place)) for place in text.hard_negatives)
    return PrivacyScore(
        file=path.name,
        texts=len(texts),
        moved=sum(text.moved for text in texts),
        groups=_by_group(*loose),
        types=_by_type(*loose),
        strict_groups=_by_group(*strict),
        strict_types=_by_type(*strict),
        no_targets=_by_type(spared, []),
        hard_negatives_kept=Share.of(kept, negatives) if negatives else None,
        misses=tuple(misses[:list_misses]),
        missed=len(misses),
    )


def show_score(file: Path, *, as_json: bool) -> None:
    """Score the project's own finder and print tables, or one JSON object."""
    from pydantic import TypeAdapter

    from medllm.pipeline.privacy.find import find
    from medllm.pipeline.privacy.score_report import plain_text

    result = score(file, find)
    if as_json:
        print(TypeAdapter(PrivacyScore).dump_json(result, indent=1).decode())
    else:
        print(plain_text(result), end="")


def _valid(found: Sequence[SpanLike], text: str) -> Sequence[SpanLike]:
    for span in found:
        if not 0 <= span.start < span.end <= len(text):
            raise ValueError(f"found {span.start} to {span.end} in {len(text)} characters")
        if safe_harbor.kind(span.type) is None:
            raise ValueError(f"safe_harbor does not know the found type {span.type!r}")
    return found


def _cover(spans: Iterable[SpanLike]) -> set[int]:
    return {place for span in spans for place in range(span.start, span.end)}


def _alike(span: SpanLike, others: Iterable[SpanLike]) -> list[SpanLike]:
    kind = safe_harbor.kind(span.type)
    return [other for other in others if safe_harbor.kind(other.type) == kind]


def _tally(span: SpanLike, text: AnnotatedText, cover: set[int], *, whole: bool) -> _Tally:
    """Hit when all of the span lies in ``cover``, or with ``whole`` False any character of it."""
    places = [p for p in range(span.start, span.end) if not text.text[p].isspace()]
    hits = sum(place in cover for place in places)
    return _Tally(span.type, hits == len(places) if whole else hits > 0, len(places), hits)


def _by_group(marked: Sequence[_Tally], found: Sequence[_Tally]) -> tuple[Row, ...]:
    def of(group: Group, tallies: Sequence[_Tally]) -> list[_Tally]:
        return [tally for tally in tallies if safe_harbor.group(tally.type) is group]

    rows = [_row(group, of(group, marked), of(group, found)) for group in Group]
    return (*rows, _row(ALL, marked, found))


def _by_type(marked: Sequence[_Tally], found: Sequence[_Tally]) -> tuple[Row, ...]:
    def of(name: str, tallies: Sequence[_Tally]) -> list[_Tally]:
        return [tally for tally in tallies if tally.type == name]

    names = sorted({tally.type for tally in (*marked, *found)})
    return tuple(_row(name, of(name, marked), of(name, found)) for name in names)


def _row(name: str, marked: Sequence[_Tally], found: Sequence[_Tally]) -> Row:
    return Row(
        name=str(name),
        found=_share((tally.hit, 1) for tally in marked),
        characters_found=_share((tally.hit_characters, tally.characters) for tally in marked),
        right=_share((tally.hit, 1) for tally in found),
        characters_right=_share((tally.hit_characters, tally.characters) for tally in found),
    )


def _share(pairs: Iterable[tuple[int, int]]) -> Share | None:
    counts = list(pairs)
    items = sum(of for _, of in counts)
    return Share.of(sum(count for count, _ in counts), items) if items else None
