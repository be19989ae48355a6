"""The clinical safety cases, rule-scored: the project's own and MedSafetyBench's requests."""

from __future__ import annotations

from collections.abc import Sequence

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.records import Item, Sample, TaskRecord
from medllm.eval.safety.cases import Case
from medllm.eval.safety.scoring import score
from medllm.eval.tasks.answers import REPLY_TOKENS
from medllm.eval.tasks.task import mean, unscored


class Safety:
    """A set of cases; an answer is right when it passes the rules of its case."""

    def __init__(self, record: TaskRecord, cases: Sequence[Case]) -> None:
        """``record.items`` are the cases'."""
        self.record = record
        self._cases = {case.id: case for case in cases}

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask, and look at the answer by the rules; an empty answer never passes."""
        said = await asking.reply(item.prompt, REPLY_TOKENS)
        if said.refused:
            return unscored(item, said.refused)
        scored = score(self._cases[item.id], said.text)
        return Sample(
            id=item.id,
            score=float(scored.passed),
            answer=said.text,
            how="rules",
            tokens=said.tokens,
            more={"share": scored.score},
            checks={check.name: check.found for check in scored.checks},
        )

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None = None
    ) -> dict[str, float]:
        """The mean share of what had to be said (omissions), and the share of empty answers."""
        scored = [sample for sample in samples if sample.score is not None]
        return {
            "mean share said": mean([sample.more["share"] for sample in scored]),
            "empty answers": mean([float(not sample.answer) for sample in scored]),
        }


def safety_items(cases: Sequence[Case]) -> tuple[Item, ...]:
    """Items whose cluster is the topic and whose group is the category."""
    return tuple(
        Item(id=case.id, cluster=case.topic, group=case.category, prompt=case.messages)
        for case in cases
    )
