"""Free answers held against what a person wrote: dialogues' replies, summaries, and their ends.

ROUGE-L is the F1 of the longest common subsequence of words (Lin, 2004), on lower-case words; chrF
(Popović, 2015) is sacrebleu's, of sentence level. Both say how alike two wordings are, and nothing
about whether advice is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.records import Item, Sample, TaskRecord
from medllm.eval.tasks.task import mean, unscored

REPLY_TOKENS = 256
_WORD = re.compile(r"\w+")


class Answers:
    """Replies that are compared with a reference, the item's target."""

    def __init__(self, record: TaskRecord) -> None:
        """``record.items`` have a target each."""
        self.record = record

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask, and compare the reply with the reference."""
        said = await asking.reply(item.prompt, REPLY_TOKENS)
        if said.refused:
            return unscored(item, said.refused)
        reference = item.target or ""
        return Sample(
            id=item.id,
            score=rouge_l(said.text, reference),
            answer=said.text,
            how="reply",
            tokens=said.tokens,
            more={
                "chrF": chrf(said.text, reference),
                "words": float(len(words(said.text))),
                "words of the reference": float(len(words(reference))),
            },
        )

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None = None
    ) -> dict[str, float]:
        """Means of chrF and of the length, and how long the references are."""
        scored = [sample for sample in samples if sample.score is not None]
        names = ("chrF", "words", "words of the reference")
        return {name: mean([sample.more[name] for sample in scored]) for name in names if scored}


class Ends:
    """Whether a reply ends by itself, before the limit cuts it or a loop is broken off."""

    def __init__(self, record: TaskRecord) -> None:
        """``record.items`` are prompts."""
        self.record = record

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask for the very reply that ``Answers`` scores."""
        said = await asking.reply(item.prompt, REPLY_TOKENS)
        if said.refused:
            return unscored(item, said.refused)
        return Sample(
            id=item.id,
            score=float(said.ended),
            answer=None if said.ended else said.text,
            how="reply",
            tokens=said.tokens,
        )

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None = None
    ) -> dict[str, float]:
        """The mean length."""
        return {"tokens": mean([float(s.tokens or 0) for s in samples if s.score is not None])}


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return _WORD.findall(text.casefold())


def rouge_l(text: str, reference: str) -> float:
    """F1 of the longest common subsequence of words, 0 to 1."""
    from rapidfuzz.distance import LCSseq

    said, wanted = words(text), words(reference)
    common = LCSseq.similarity(said, wanted)
    return round(2 * common / (len(said) + len(wanted)), 6) if common else 0.0


def chrf(text: str, reference: str) -> float:
    """chrF with sacrebleu's defaults (character 6-grams, β = 2), 0 to 1."""
    from sacrebleu.metrics.chrf import CHRF

    return round(float(CHRF().sentence_score(text, [reference]).score) / 100, 6)
