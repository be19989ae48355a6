"""What stage prepare did, counted while it runs, for people and for programs.

Nothing of a dialogue's words is in here, only counts and places in files.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.data.split import SPLITS, Split
from medllm.pipeline.sources.turns import Dropped, Kept

DUPLICATE = "exact duplicate of an earlier dialogue"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DropReport(_Record):
    """How many rows one rule dropped, and where the first of them stands."""

    reason: str
    rows: int
    first: str


class SourceReport(_Record):
    """What became of the rows of one source."""

    name: str
    path: str
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
        """The drops that mean a broken row; a duplicate is none."""
        return tuple(drop for drop in self.dropped if drop.reason != DUPLICATE)


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

    dialogues: int
    by_source: dict[str, int]
    turns: int  # user and assistant messages
    with_system: int
    characters: Lengths  # of all contents of a dialogue
    tokens: Lengths  # of the whole rendered dialogue, control tokens included


class PrepareReport(_Record):
    """The whole stage, as in report.json."""

    seed: int
    format: str
    sources: tuple[SourceReport, ...]
    splits: dict[Split, SplitReport]

    @model_validator(mode="after")
    def _every_dialogue_is_in_one_split(self) -> PrepareReport:
        kept = sum(source.rows_kept for source in self.sources)
        written = sum(split.dialogues for split in self.splits.values())
        if kept != written:
            raise ValueError(f"{kept} dialogues kept, {written} in the splits")
        return self

    def markdown(self) -> str:
        """The report as a person reads it."""
        return "\n".join(_markdown(self)) + "\n"


@dataclass
class SourceTally:
    """Counts of one source, while its rows go by."""

    name: str
    path: Path
    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    changes: Counter[str] = field(default_factory=Counter)

    def drop(self, row: Dropped) -> None:
        """Count a dropped row."""
        self.dropped[row.reason] += 1
        self.first.setdefault(row.reason, row.where)

    def keep(self, row: Kept) -> None:
        """Count a kept row and what was changed in it."""
        self.kept += 1
        self.changes.update(row.changes)

    def report(self) -> SourceReport:
        """The counts so far; they must add up."""
        return SourceReport(
            name=self.name,
            path=self.path.as_posix(),
            rows_read=self.read,
            rows_kept=self.kept,
            dropped=tuple(
                DropReport(reason=reason, rows=count, first=self.first[reason])
                for reason, count in self.dropped.most_common()
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

    def add(self, dialogue: Dialogue, tokens: int) -> None:
        """Count a written dialogue of so many tokens."""
        has_system = dialogue.messages[0].role == "system"
        self.by_source[dialogue.source] += 1
        self.turns += len(dialogue.messages) - has_system
        self.with_system += has_system
        self.characters.append(sum(len(message.content) for message in dialogue.messages))
        self.tokens.append(tokens)

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


def plot_lengths(folder: Path, tokens: Sequence[int]) -> None:
    """Draw lengths.png and lengths.svg: how many dialogues have how many tokens."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # No date and no random ids: the same dialogues draw the same bytes.
    with mpl.rc_context({"svg.hashsalt": "medllm"}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        width = max(tokens) // 50 + 1  # whole tokens: other widths count unequal numbers of them
        axes.hist(tokens, bins=range(0, max(tokens) + width + 1, width), color="#2a6f97")
        axes.set(xlabel="tokens of the rendered dialogue", ylabel="dialogues")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(folder / "lengths.png", dpi=150)
        figure.savefig(folder / "lengths.svg", metadata={"Date": None})


def _markdown(report: PrepareReport) -> Iterator[str]:
    yield f"# Prepared dialogues\n\nSeed {report.seed}, prompt format {report.format}.\n"
    yield "## Rows\n\n| source | file | read | kept | dropped |\n|---|---|---:|---:|---:|"
    for source in report.sources:
        dropped = source.rows_read - source.rows_kept
        yield (
            f"| {source.name} | {source.path} | {source.rows_read:,} | {source.rows_kept:,} "
            f"| {dropped:,} |"
        )
    if any(source.dropped for source in report.sources):
        yield "\n## Dropped rows\n\n| file | reason | rows | first at |\n|---|---|---:|---|"
        for source in report.sources:
            for drop in source.dropped:
                yield f"| {source.path} | {drop.reason} | {drop.rows:,} | {drop.first} |"
    if any(source.changes for source in report.sources):
        yield "\n## Changes to kept dialogues\n\n| file | change | times |\n|---|---|---:|"
        for source in report.sources:
            for change, count in source.changes.items():
                yield f"| {source.path} | {change} | {count:,} |"
    yield "\n## Splits\n\n| split | dialogues | by source | turns | with system message |"
    yield "|---|---:|---|---:|---:|"
    for name in SPLITS:
        split = report.splits[name]
        by_source = ", ".join(f"{source} {n:,}" for source, n in split.by_source.items())
        yield (
            f"| {name} | {split.dialogues:,} | {by_source} | {split.turns:,} "
            f"| {split.with_system:,} |"
        )
    yield "\n## Lengths of a dialogue\n\n| split | in | median | p90 | p99 | max |"
    yield "|---|---|---:|---:|---:|---:|"
    for name in SPLITS:
        split = report.splits[name]
        for unit, found in (("characters", split.characters), ("tokens", split.tokens)):
            yield (
                f"| {name} | {unit} | {found.median:,} | {found.p90:,} | {found.p99:,} "
                f"| {found.max:,} |"
            )
    yield "\n![tokens of the rendered dialogue](lengths.svg)"
