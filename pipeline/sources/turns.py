"""From the turns that an adapter found to a dialogue, or to the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from medllm.pipeline.data.schema import Dialogue, dialogue_id, fault
from medllm.pipeline.prompts import Message

Turn = tuple[Literal["user", "assistant"], str]

# Layout that no reader sees and that would only cost tokens. Typographic quotes and the like stay:
# patients type them, so the model should know them.
_LAYOUT = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "\u2007": " ", "\ufeff": None, "\u200b": None, "\r": "\n"}
)


@dataclass(frozen=True)
class Dropped:
    """A row that gives no dialogue. ``reason`` never quotes the row: reports are read by others."""

    where: str  # "row 17", "line 204": 1-based, for a person who opens the file
    reason: str


@dataclass(frozen=True)
class Kept:
    """A row's dialogue, and how often each thing was changed to get there."""

    where: str
    dialogue: Dialogue
    changes: Mapping[str, int] = field(default_factory=dict)


def assemble(
    source: str, where: str, turns: Iterable[Turn], description: str = ""
) -> Kept | Dropped:
    """Clean, merge and check turns until patient and doctor alternate.

    Empty turns go, two turns of one speaker in a row become one, patient's words that nobody
    answered go from the end. ``description`` is a bystander's summary of the case and stays out,
    except where the patient's own first words are missing: there it takes their place.
    """
    given = list(turns)
    wrong = next((w for w in map(fault, (*(text for _, text in given), description)) if w), None)
    if wrong:
        return Dropped(where, wrong)
    changes: Counter[str] = Counter()
    merged: list[Turn] = []
    for role, raw in given:
        text = tidy(raw)
        if not text:
            changes["empty turns left out"] += 1
        elif merged and merged[-1][0] == role:
            merged[-1] = (role, f"{merged[-1][1]}\n{text}")
            changes["turns joined to the same speaker's turn before"] += 1
        else:
            merged.append((role, text))
    if merged and merged[0][0] == "assistant" and tidy(description):
        merged.insert(0, ("user", tidy(description)))
        changes["descriptions in place of missing first words"] += 1
    if merged and merged[-1][0] == "user" and len(merged) > 1:
        merged.pop()
        changes["last words of a patient without an answer left out"] += 1
    if not merged:
        return Dropped(where, "no turns")
    if merged[0][0] == "assistant":
        return Dropped(where, "no words of the patient before the doctor's")
    if len(merged) == 1:
        return Dropped(where, "no answer of the doctor")
    messages = tuple(Message(role=role, content=text) for role, text in merged)
    dialogue = Dialogue(id=dialogue_id(source, messages), source=source, messages=messages)
    return Kept(where, dialogue, changes)


def tidy(text: str) -> str:
    """The text with plain spaces and newlines, stripped; its words stay untouched."""
    return text.replace("\r\n", "\n").translate(_LAYOUT).strip()
