"""A model as a task sees it: words go in, what it said comes back, and nothing is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from medllm.eval.engines.engine import GREEDY, Sampling
from medllm.eval.engines.journal import Journal
from medllm.eval.engines.speaker import Request, Said, Speaker
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.modelfile_syntax import Modelfile


@dataclass
class Asking:
    """One model, shown every question as its own Modelfile says a doctor's is shown."""

    speaker: Speaker
    modelfile: Modelfile
    sampling: Sampling  # the Modelfile's, with the evaluation's seed
    limit: int  # longest reply, tokens
    journal: Journal
    _running: dict[str, asyncio.Future[Said]] = field(default_factory=dict)

    def shown(self, turns: Sequence[Message]) -> tuple[Message, ...]:
        """The conversation that the model sees: SYSTEM and MESSAGE lines first."""
        return self.modelfile.conversation(tuple(turns))

    async def reply(self, turns: Sequence[Message], limit: int | None = None) -> Said:
        """A reply as a doctor would get it, drawn with the Modelfile's parameters."""
        longest = min(limit or self.limit, self.limit)
        return await self._say(
            Request(messages=self.shown(turns), max_tokens=longest, sampling=self.sampling)
        )

    async def drawn(self, turns: Sequence[Message], limit: int, sampling: Sampling) -> Said:
        """A reply drawn in a way of the task's own."""
        return await self._say(
            Request(messages=self.shown(turns), max_tokens=limit, sampling=sampling)
        )

    async def greedy(self, turns: Sequence[Message], limit: int) -> Said:
        """The likeliest reply."""
        return await self._say(
            Request(messages=self.shown(turns), max_tokens=limit, sampling=GREEDY)
        )

    async def first(self, turns: Sequence[Message], letters: str) -> Said:
        """The probabilities of the first token."""
        return await self._say(
            Request(messages=self.shown(turns), max_tokens=1, sampling=GREEDY, letters=letters)
        )

    async def _say(self, request: Request) -> Said:
        key = request.key(self.speaker.digest)
        if said := self.journal.get(key):
            return said
        if waiting := self._running.get(key):  # another task asks the same at this moment
            return await waiting
        future = self._running[key] = asyncio.get_running_loop().create_future()
        try:
            said = await self.speaker.say(request)
            self.journal.put(key, said)
            future.set_result(said)
            return said
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # looked at: nobody may be waiting
            raise
        finally:
            del self._running[key]
