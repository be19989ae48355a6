"""Counts of sources and splits while the rows go by."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from medllm.pipeline.config import FormatName, SourceConfig
from medllm.pipeline.data.reporting.report import (
    DropKind,
    DropReport,
    Lengths,
    SourceReport,
    SplitReport,
)
from medllm.pipeline.data.store import Stored
from medllm.pipeline.sources.record import Source


@dataclass
class SourceTally:
    """Counts of one item of ``prepare.sources``."""

    source: Source
    config: SourceConfig
    format: FormatName
    read: int = 0
    kept: int = 0
    dropped: Counter[tuple[DropKind, str]] = field(default_factory=Counter)
    first: dict[tuple[DropKind, str], str] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)

    def drop(self, kind: DropKind, reason: str, where: str) -> None:
        """Count a dropped row."""
        self.dropped[kind, reason] += 1
        self.first.setdefault((kind, reason), where)

    def keep(self, changes: Mapping[str, int]) -> None:
        """Count a kept row and what was changed in it."""
        self.kept += 1
        self.changes.update(changes)

    def report(self) -> SourceReport:
        """The counts so far; they must add up."""
        return SourceReport(
            name=self.source.name,
            title=self.source.title,
            place=self.config.place,
            terms=self.source.terms,
            citation=self.source.citation,
            weight=self.config.weight,
            format=self.format,
            rows_read=self.read,
            rows_kept=self.kept,
            dropped=tuple(
                DropReport(kind=kind, reason=reason, rows=count, first=self.first[kind, reason])
                for (kind, reason), count in self.dropped.most_common()
            ),
            changes=dict(sorted(self.changes.items())),
        )


@dataclass
class SplitTally:
    """Counts of one split, while dialogues are written to it."""

    by_source: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    with_system: int = 0
    characters: array[int] = field(default_factory=lambda: array("Q"))
    tokens: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, source: str, stored: Stored) -> None:
        """Count a line of the split's file."""
        self.by_source[source] += 1
        self.turns += stored.turns
        self.with_system += stored.with_system
        self.characters.append(stored.characters)
        self.tokens.append(stored.tokens)

    def report(self) -> SplitReport:
        """The counts so far."""
        return SplitReport(
            dialogues=len(self.tokens),
            by_source=dict(sorted(self.by_source.items())),
            turns=self.turns,
            with_system=self.with_system,
            characters=Lengths.of(self.characters),
            tokens=Lengths.of(self.tokens),
        )
