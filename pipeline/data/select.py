"""Pass two of prepare: which candidates stay, and in which split each is.

Decided by all candidates together, and by nothing but their words, the config and the seed: the
order of the rows says only which of several duplicates is the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.duplicates import (
    QUESTION_WORDS,
    Links,
    groups,
    linked,
    near_duplicates,
)
from medllm.pipeline.data.reporting.report import DropKind, DuplicateReport
from medllm.pipeline.data.split import Split, copies, draw, split_of
from medllm.pipeline.data.store import CandidateStore

_REASONS: tuple[tuple[DropKind, str], ...] = (
    ("duplicate", "exact duplicate of an earlier dialogue"),
    ("duplicate", "near duplicate of an earlier dialogue"),
    ("mix", "not drawn under the cap"),
)


@dataclass(frozen=True)
class Placed:
    """A candidate that stays, in its split."""

    row: int
    split: Split
    copies: int  # lines in the split's file


@dataclass(frozen=True)
class Left:
    """A candidate that does not stay, and why."""

    row: int
    kind: DropKind
    reason: str


@dataclass(frozen=True)
class Selection:
    """What becomes of every candidate."""

    outcome: NDArray[np.uint8]  # (rows,): 0 for one that stays, else 1 + a position in _REASONS
    representative: NDArray[np.uint64]  # (rows,): equal where rows must share a split
    duplicates: DuplicateReport

    def decisions(self, store: CandidateStore, config: PrepareConfig) -> Iterator[Placed | Left]:
        """One a candidate, in their order."""
        digests = store.digests
        for row, outcome in enumerate(self.outcome.tolist()):
            if outcome:
                yield Left(row, *_REASONS[outcome - 1])
                continue
            split = split_of(f"{self.representative[row]:016x}", config)
            weight = max(1.0, config.sources[store.source(row)].weight)
            times = copies(digests[row].tobytes().hex(), weight, config.seed)
            yield Placed(row, split, times if split == "train" else 1)


def select(store: CandidateStore, config: PrepareConfig) -> Selection:
    """Drop duplicates and what is over a cap; tie together what must share a split."""
    outcome = np.ones(len(store), np.uint8)  # an exact duplicate, until shown otherwise
    _, first = np.unique(store.digests, return_index=True)
    unique = np.sort(first)
    near = near_duplicates(
        store.text_signatures[unique],
        lambda item: "\n".join(store.tagged(int(unique[item]))),
        lambda item: "\n".join(store.tagged(int(unique[item]))[1::2]),
        config.near_duplicates,
    )
    kept = unique[near.of < 0]
    outcome[unique] = 2
    outcome[kept] = 0
    questions = store.question_signatures[kept]
    asked = linked(
        questions,
        lambda item: store.tagged(int(kept[item]))[0],
        config.near_duplicates,
        shortest=QUESTION_WORDS,
        progress="similar questions",
    )
    said = Links(near.links.component[near.of < 0], near.links.uncompared)
    grouped = groups(said, asked, questions)
    representative = np.zeros(len(store), np.uint64)
    representative[kept] = grouped.representative
    outcome[list(_over_caps(store, kept, config))] = 3
    return Selection(
        outcome,
        representative,
        DuplicateReport(
            threshold=config.near_duplicates,
            groups=grouped.count,
            largest_group=grouped.largest,
            uncompared=near.links.uncompared + asked.uncompared,
        ),
    )


def _over_caps(
    store: CandidateStore, kept: NDArray[np.int64], config: PrepareConfig
) -> Iterator[int]:
    """Of each source with a cap the rows that are drawn last."""
    digests = store.digests
    for number, source in enumerate(config.sources):
        if source.cap is not None:
            rows = [row for row in kept.tolist() if store.source(row) == number]
            rows.sort(key=lambda row: draw(config.seed, "cap", digests[row].tobytes().hex()))
            yield from rows[source.cap :]
