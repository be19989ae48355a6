"""The entrance to the red-flag rules."""

from __future__ import annotations

from collections.abc import Sequence

from medllm.chat.events import RedFlag
from medllm.pipeline.prompts import Message


def find_red_flags(conversation: Sequence[Message]) -> tuple[RedFlag, ...]:
    """The emergencies in the user's last message, the gravest first; deterministic."""
    return ()


def notice(flags: Sequence[RedFlag], number: str) -> str:
    """What is shown at once: the emergency, the number, first aid; plain text, one paragraph each.

    ``number`` is the configured emergency number, as people read it.
    """
    names = " or ".join(flag.name for flag in flags)
    first = f"EMERGENCY: this may be {names}. Call {number} now."
    return "\n\n".join([first, *(flag.first_aid for flag in flags if flag.first_aid)])
