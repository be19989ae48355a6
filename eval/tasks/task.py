"""What a task is: a record of its items, how one item is asked and scored, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.records import Item, Sample, TaskRecord


class Task(Protocol):
    """A task whose items are put to a model."""

    @property
    def record(self) -> TaskRecord:
        """The card, the data and the items, in the order in which they are asked."""

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask one item and score what is said; what cannot be scored says why and is not wrong."""

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None
    ) -> dict[str, float]:
        """Further numbers over all samples of the model asked last: coverage, chrF …

        ``engine`` is the model's GGUF in this process, where there is one.
        """


def unscored(item: Item, reason: str, answer: str | None = None) -> Sample:
    """A sample that counts nowhere as wrong."""
    return Sample(id=item.id, score=None, reason=reason, answer=answer)


def mean(values: Sequence[float]) -> float:
    """The plain mean; 0 for nothing."""
    return sum(values) / len(values) if values else 0.0
