"""What stage prepare did, as records: report.json.

Nothing of a dialogue's words is in here, only counts and places in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, model_validator

from medllm.pipeline.config import FormatName
from medllm.pipeline.data.split import Split
from medllm.pipeline.sources.record import Publish, Terms

# Why a row gave no dialogue. Only broken ones say something against the file.
DropKind = Literal["broken", "not a dialogue", "cleaning", "duplicate", "evaluation overlap", "mix"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DropReport(_Record):
    """How many rows one rule dropped, and where the first of them stands."""

    kind: DropKind
    reason: str
    rows: int
    first: str


class SourceReport(_Record):
    """What became of the rows of one source."""

    name: str
    title: str
    place: str  # path, or hub id and commit
    terms: Terms
    citation: str
    weight: float
    format: FormatName
    rows_read: int
    rows_kept: int
    dropped: tuple[DropReport, ...]  # the most frequent first
    changes: dict[str, int]  # what was done to kept dialogues -> how often

    @model_validator(mode="after")
    def _every_row_is_accounted_for(self) -> SourceReport:
        dropped = sum(drop.rows for drop in self.dropped)
        if self.rows_read != self.rows_kept + dropped:
            raise ValueError(
                f"{self.rows_read} rows read, {self.rows_kept} kept, {dropped} dropped"
            )
        return self

    @property
    def bad(self) -> tuple[DropReport, ...]:
        """The drops that mean a broken row."""
        return tuple(drop for drop in self.dropped if drop.kind == "broken")


class Lengths(_Record):
    """Nearest-rank percentiles over dialogues."""

    median: int
    p90: int
    p99: int
    max: int

    @classmethod
    def of(cls, values: Sequence[int]) -> Lengths:
        """Percentiles of a list, 0 for an empty one."""
        ordered = sorted(values) or [0]
        median, p90, p99 = (ordered[ceil(q * len(ordered) / 100) - 1] for q in (50, 90, 99))
        return cls(median=median, p90=p90, p99=p99, max=ordered[-1])


class SplitReport(_Record):
    """The size of one split."""

    dialogues: int  # lines of the file: in train a dialogue of weight 2 is there twice
    by_source: dict[str, int]
    turns: int  # user and assistant messages
    with_system: int
    characters: Lengths  # of all contents of a dialogue
    tokens: Lengths  # of the whole rendered dialogue, control tokens included


class PrivacyReport(_Record):
    """Identifiers that were replaced, and what an independent scan finds afterwards."""

    mode: Literal["surrogates", "tags", "off"]
    replaced: dict[str, int]  # type of identifier -> spans, over dialogues kept
    dialogues: int  # kept dialogues in which something was replaced
    residual: dict[str, int]  # what the second scan calls it -> times, over the finished files
    residual_first: dict[str, str]  # the same -> file and line of the first


class DuplicateReport(_Record):
    """Near duplicates, and what they tie together."""

    threshold: float  # Jaccard similarity of word trigrams
    groups: int  # of dialogues that must share a split, single ones included
    largest_group: int
    uncompared: int  # pairs that crowded buckets left out, at most


class PrepareReport(_Record):
    """The whole stage, as in report.json."""

    seed: int
    format: FormatName
    sources: tuple[SourceReport, ...]
    splits: dict[Split, SplitReport]
    privacy: PrivacyReport
    duplicates: DuplicateReport
    evaluation_sets: dict[str, str]  # path -> sha256 of what no training dialogue repeats

    @property
    def strictest(self) -> Publish:
        """What a public push needs because of the strictest of the sources."""
        order = get_args(Publish)
        return max((source.terms.publish for source in self.sources), key=order.index)
