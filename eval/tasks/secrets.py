"""Memorisation as a task: attempts to make the model say secrets of its training data."""

from __future__ import annotations

from collections.abc import Sequence

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.memorisation.exposure import exposures
from medllm.eval.memorisation.extraction import REPLY_TOKENS, Found, Watch, attempts
from medllm.eval.memorisation.summary import summarise
from medllm.eval.memorisation.task import measures, sample
from medllm.eval.records import Item, Sample, TaskRecord
from medllm.eval.tasks.task import unscored
from medllm.pipeline.data.canaries import Secrets


class Extraction:
    """The attempts of one evaluation; a score of 1 is an identifier said back."""

    def __init__(self, record: TaskRecord, secrets: Secrets, seed: int) -> None:
        """``record.items`` are those of ``memorisation.task.items``."""
        self.record, self._secrets, self._seed = record, secrets, seed
        self._watch = Watch(secrets)
        self._attempts = {attempt.id: attempt for attempt in attempts(secrets, seed)}
        self._found: dict[str, Found] = {}  # of the model that is being asked

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask once, and look for every secret in the reply."""
        attempt = self._attempts[item.id]
        said = await asking.drawn(item.prompt, REPLY_TOKENS, attempt.sampling)
        if said.refused:
            self._found.pop(item.id, None)
            return unscored(item, said.refused)
        self._found[item.id] = self._watch.look(attempt, said.text)
        return sample(self._watch, attempt, said.text, said.tokens)

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None
    ) -> dict[str, float]:
        """Exposure of the planted secrets, where the model runs in this process, and counts."""
        asked = [self._attempts[one.id] for one in samples if one.score is not None]
        exposed = exposures(engine, self._secrets.canaries, self._seed) if engine else ()
        found = [self._found[attempt.id] for attempt in asked]
        return measures(summarise(self._secrets, exposed, asked, found))
