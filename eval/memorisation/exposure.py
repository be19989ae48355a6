"""Exposure: how much better than chance a model guesses a secret that was planted in its data.

Carlini, Liu, Erlingsson, Kos and Song, "The Secret Sharer: Evaluating and Testing Unintended
Memorization in Neural Networks", USENIX Security 2019. All record numbers of the canary's form are
put in the order of the model's probability for them; the exposure of the planted one is
log2(how many there are) − log2(its rank). Without memorisation every rank is as likely as any
other, so an exposure above x comes up with chance 2⁻ˣ and the mean is 1.44 bits; each further bit
halves the guesses that somebody needs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from medllm.pipeline.data.canaries import DIGITS, Canary
from medllm.pipeline.data.split import draw
from medllm.pipeline.prompts import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPACE = 10**DIGITS  # candidates of one canary
SAMPLES = 96  # candidates that are drawn of them
BUDGET = 400  # model steps that the exact count may take; a known secret needs some dozens
Method = Literal["exact", "sampled", "extrapolated"]


class LogProbs(Protocol):
    """What is asked of a model here; the engine in this process can do it, a server cannot."""

    def encode(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
        """Token ids of a conversation."""

    def token_logprobs(self, ids: Sequence[int], mask: Sequence[int]) -> NDArray[np.float64]:
        """Natural log probability of each token whose mask is 1, given all tokens before it."""


class Exposure(NamedTuple):
    """One canary."""

    repetitions: int  # lines of train that hold it; 0: held out
    bits: float  # 0 to log2(SPACE)
    method: Method
    nats: float  # −Σ ln p of the secret's digits


def exposure(engine: LogProbs, canary: Canary, seed: int, samples: int = SAMPLES) -> Exposure:
    """The exposure of one canary.

    Its log-perplexity is held against ``samples`` other candidates, drawn without replacement by
    ``seed``. When some are likelier, their share is the rank's estimate. When none is, the rank is
    below what the draw can tell: then all likelier ones are counted exactly, by walking the digits
    and leaving every branch that is already less likely (section 6.2 of the paper), and where that
    takes more than ``BUDGET`` steps, or a token is no single digit, a skew normal distribution is
    fitted to the draw and its tail read off (section 4.3).
    """
    scorer = _Scorer(engine, canary)
    target = scorer.nats(canary.secret[2:])
    others = sorted(scorer.nats(digits) for digits in _drawn(canary, seed, samples))
    likelier = sum(nats < target for nats in others)
    most = math.log2(SPACE)
    if likelier:
        rank = 1 + likelier / len(others) * (SPACE - 1)
        return Exposure(canary.repetitions, most - math.log2(rank), "sampled", target)
    exact = scorer.count_likelier(target, BUDGET)
    if exact is not None:
        return Exposure(canary.repetitions, most - math.log2(1 + exact), "exact", target)
    bits = min(most, extrapolated(target, others))
    return Exposure(canary.repetitions, bits, "extrapolated", target)


def extrapolated(target: float, others: Sequence[float]) -> float:
    """−log2 of the chance that a candidate is at least as likely as the target, by a skew normal.

    Fitted to log-perplexities (nats) by their mean, variance and skewness. At least as many bits as
    the draw itself shows, log2(draws + 1).
    """
    import numpy as np
    from scipy.stats import skew, skewnorm

    values = np.asarray(others)
    least = math.log2(len(values) + 1)
    spread = float(values.std())
    if spread == 0:
        return least
    bound = 0.99  # the largest skewness of the family is 0.9953
    skewness = float(np.clip(skew(values), -bound, bound))
    third = abs(skewness) ** (2 / 3)
    delta = math.copysign(
        math.sqrt(math.pi / 2 * third / (third + ((4 - math.pi) / 2) ** (2 / 3))), skewness
    )
    scale = spread / math.sqrt(1 - 2 * delta**2 / math.pi)
    place = float(values.mean()) - scale * delta * math.sqrt(2 / math.pi)
    shape = delta / math.sqrt(max(1 - delta**2, 1e-12))
    tail = float(skewnorm.logcdf(target, shape, loc=place, scale=scale))
    if not math.isfinite(tail):
        return math.inf
    return max(least, -tail / math.log(2))


class _Scorer:
    """Log-perplexities of one canary's candidates: of the digits alone, after all before them."""

    def __init__(self, engine: LogProbs, canary: Canary) -> None:
        self._engine, self._canary = engine, canary
        low, high = self._ids("0" * DIGITS), self._ids("9" * DIGITS)
        self._start = next(i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b)
        tail = next(
            i for i, (a, b) in enumerate(zip(low[::-1], high[::-1], strict=False)) if a != b
        )
        self._tail = tail
        self._single = len(low) == len(high) == self._start + DIGITS + tail

    def nats(self, digits: str) -> float:
        """−Σ ln p of the tokens that hold the six digits."""
        ids = self._ids(digits)
        return self._sum(ids[: len(ids) - self._tail], self._start)

    def count_likelier(self, target: float, budget: int) -> int | None:
        """How many candidates are likelier than ``target`` nats; None when it takes too long."""
        if not self._single:
            return None
        names = [self._ids(str(digit) * DIGITS)[self._start] for digit in range(10)]
        head = self._ids("0" * DIGITS)[: self._start]
        found, steps = 0, 0
        waiting: list[tuple[float, list[int]]] = [(0.0, [])]
        while waiting:
            so_far, path = waiting.pop()
            for name in names:
                steps += 1
                if steps > budget:
                    return None
                ids = [*head, *path, name]
                nats = so_far + self._sum(ids, len(ids) - 1)
                if nats >= target - 1e-6:  # the canary itself, rounded otherwise, is none of them
                    continue
                if len(path) + 1 == DIGITS:
                    found += 1
                else:
                    waiting.append((nats, [*path, name]))
        return found

    def _ids(self, digits: str) -> list[int]:
        answer = Message(role="assistant", content=self._canary.answer("00" + digits))
        return self._engine.encode([*self._canary.question, answer], add_generation_prompt=False)

    def _sum(self, ids: Sequence[int], start: int) -> float:
        mask = [0] * start + [1] * (len(ids) - start)
        return -float(self._engine.token_logprobs(ids, mask).sum())


def _drawn(canary: Canary, seed: int, samples: int) -> list[str]:
    """Other candidates, sorted: neighbours share their first digits, so the model's cache helps."""
    generator = random.Random(int(draw(seed, "candidates", canary.name) * 2**48))
    numbers = generator.sample(range(SPACE), samples + 1)
    own = int(canary.secret[2:])
    return [f"{n:0{DIGITS}d}" for n in sorted([n for n in numbers if n != own][:samples])]


def exposures(
    engine: LogProbs,
    canaries: Sequence[Canary],
    seed: int,
    step: Callable[[], object] = lambda: None,
) -> tuple[Exposure, ...]:
    """The exposure of each; ``step`` is called after every one."""
    found = []
    for canary in canaries:
        found.append(exposure(engine, canary, seed))
        step()
    return tuple(found)
