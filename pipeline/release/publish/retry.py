"""Trying again: which failures are worth it, how often, how long to wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from medllm.pipeline.errors import MedllmError

AGAIN = "Run it again: it goes on where it stopped."

_T = TypeVar("_T")


class Transient(MedllmError):
    """May be gone at the next attempt: a broken connection, a strange answer."""


class Unverified(Transient):
    """What the registry shows is not what was pushed; a second look may show it."""


class Denied(MedllmError):
    """The registry knows what is asked and says no."""


@dataclass(frozen=True)
class Patience:
    """Exponential backoff with jitter of ±50%, as in Brooker, "Exponential Backoff And Jitter"."""

    attempts: int = 5
    first: float = 1.0  # seconds
    longest: float = 30.0  # seconds
    sleep: Callable[[float], None] = time.sleep

    def pause(self, failed: int) -> float:
        """Seconds to wait after so many failures (1 or more)."""
        return min(self.longest, self.first * 2.0 ** (failed - 1)) * random.uniform(0.5, 1.5)


def retrying(action: Callable[[], _T], patience: Patience) -> _T:
    """Do it until it works. Raises its last Transient, and everything else at once."""
    for failed in range(1, patience.attempts):
        try:
            return action()
        except Transient as error:
            pause = patience.pause(failed)
            click.echo(
                f"push: {error.what} Attempt {failed + 1} of {patience.attempts} in {pause:.1f} s.",
                err=True,
            )
            patience.sleep(pause)
    return action()
