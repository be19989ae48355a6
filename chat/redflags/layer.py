"""The entrance to the red-flag rules. No clinician has reviewed them."""

from __future__ import annotations

from collections.abc import Sequence

from medllm.chat.events import RedFlag
from medllm.chat.redflags.reading import Reading
from medllm.chat.redflags.rules import Found, holding, known_words
from medllm.pipeline.prompts import Message

_TURNS = 4  # of the user: what was said before makes sense of what is said now
_BETWEEN_TURNS = "\n"
MAX_FLAGS = 3  # more names on one screen would help nobody


def find_red_flags(conversation: Sequence[Message]) -> tuple[RedFlag, ...]:
    """The emergencies in the user's last message, the gravest first; deterministic.

    Earlier messages of the user count too, but a flag needs words of the last one.
    """
    said = [message.content for message in conversation if message.role == "user"][-_TURNS:]
    if not said:
        return ()
    found = flags_of(said[-1])
    if not found and len(said) > 1:
        alone = Reading(said[-1], known_words())
        whole = Reading(_BETWEEN_TURNS.join(said), known_words())
        last = len(whole.text) - len(alone.text)
        found = [each for each in holding(whole) if any(start >= last for start, _ in each.places)]
    return tuple(
        RedFlag(
            id=each.rule.id,
            name=each.rule.name,
            evidence=each.evidence,
            first_aid=each.rule.first_aid,
            guideline=each.rule.guideline,
        )
        for each in found[:MAX_FLAGS]
    )


def flags_of(text: str) -> list[Found]:
    """Every rule that holds of one message."""
    return list(holding(Reading(text, known_words())))


def notice(flags: Sequence[RedFlag], number: str) -> str:
    """What is shown at once: the emergency, the number, first aid; plain text, one paragraph each.

    ``number`` is the configured emergency number, as people read it.
    """
    names = ", or ".join(flag.name for flag in flags)
    first = f"EMERGENCY. This may be {names}. Call {number} now; do not wait for an answer here."
    return "\n\n".join([first, *(flag.first_aid for flag in flags if flag.first_aid)])
