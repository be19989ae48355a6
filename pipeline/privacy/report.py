"""What was replaced, counted by type, with samples that a person reviews.

A sample quotes the source: a file of them holds personal data and must be handled as such.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medllm.pipeline.privacy.identifiers import PhiType, Scrubbed

_AROUND = 40  # characters of context on either side


@dataclass(frozen=True, order=True)
class Sample:
    """One replacement with some words around it, before and after."""

    dialogue: str  # its id
    type: PhiType
    before: str
    after: str


@dataclass(frozen=True)
class PrivacyReport:
    """Counts are of replacements; ``samples`` are spread over types and dialogues."""

    dialogues: int
    changed: int  # dialogues with at least one replacement
    counts: Mapping[PhiType, int]
    samples: tuple[Sample, ...]


class PrivacyTally:
    """Adds up dialogues in one pass; holds at most ``samples`` of each type in memory.

    Samples are those with the smallest digest of dialogue and place: the same ones in any order of
    the dialogues, so tallies of several workers can be merged.
    """

    def __init__(self, samples: int) -> None:
        """``samples``: most that are kept of each type."""
        self._most = samples
        self._dialogues = 0
        self._changed = 0
        self._counts: Counter[PhiType] = Counter()
        self._kept: dict[PhiType, list[tuple[int, Sample]]] = {}

    def add(self, dialogue: str, texts: Sequence[str], scrubbed: Scrubbed) -> None:
        """One dialogue: its id, its texts before, and what ``Scrubber.scrub`` made of them."""
        self._dialogues += 1
        self._changed += any(scrubbed.replaced)
        for turn, (text, items) in enumerate(zip(texts, scrubbed.replaced, strict=True)):
            for item in items:
                self._counts[item.type] += 1
                if self._most:
                    left = text[max(0, item.start - _AROUND) : item.start]
                    right = text[item.end : item.end + _AROUND]
                    sample = Sample(
                        dialogue,
                        item.type,
                        f"{left}{item.original}{right}",
                        f"{left}{item.replacement}{right}",
                    )
                    self._keep(_rank(dialogue, turn, item.start), sample)

    def merge(self, other: PrivacyTally) -> None:
        """Add another tally's dialogues to this one."""
        self._dialogues += other._dialogues
        self._changed += other._changed
        self._counts.update(other._counts)
        for kept in other._kept.values():
            for rank, sample in kept:
                self._keep(-rank, sample)

    def report(self) -> PrivacyReport:
        """Counts in order of the types, samples by type and rank."""
        samples = [
            sample
            for type_ in PhiType
            for _, sample in sorted(self._kept.get(type_, []), key=lambda pair: -pair[0])
        ]
        counts = {type_: self._counts[type_] for type_ in PhiType if self._counts[type_]}
        return PrivacyReport(self._dialogues, self._changed, counts, tuple(samples))

    def _keep(self, rank: int, sample: Sample) -> None:
        kept = self._kept.setdefault(sample.type, [])
        entry = (-rank, sample)  # a heap's first is the smallest: here the one to lose
        if len(kept) < self._most:
            heapq.heappush(kept, entry)
        elif entry[0] > kept[0][0]:
            heapq.heapreplace(kept, entry)


def _rank(dialogue: str, turn: int, start: int) -> int:
    digest = hashlib.blake2b(f"{dialogue}\0{turn}\0{start}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
