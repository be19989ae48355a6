"""From the turns that an adapter found to a dialogue, or to the reason why there is none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from medllm.pipeline.data.schema import Dialogue, dialogue_id, fault
from medllm.pipeline.prompts import Message

Turn = tuple[Literal["user", "assistant"], str]

MAX_CHARACTERS = 10**6  # of a row's texts: more than any model reads at once
# Layout that no reader sees and that would only cost tokens. Typographic quotes and the like stay:
# patients type them, so the model should know them.
_LAYOUT = str.maketrans(
    {"\u00a0": " ", "\u202f": " ", "\u2007": " ", "\ufeff": None, "\u200b": None, "\r": "\n"}
)
_ODD = re.compile("[\u00a0\u202f\u2007\ufeff\u200b\r]")


@dataclass(frozen=True)
class Dropped:
    """A row that gives no dialogue. ``reason`` never quotes the row: reports are read by others."""

    where: str  # "row 17", "line 204": 1-based, for a person who opens the file
    reason: str
    # False for a row that the layout of its source makes normal (a study's second image, a
    # question without an answer): it is counted, but says nothing against the file.
    broken: bool = True


@dataclass(frozen=True)
class Kept:
    """A row's dialogue, and how often each thing was changed to get there."""

    where: str
    dialogue: Dialogue
    changes: Mapping[str, int] = field(default_factory=dict)


def assemble(
    source: str,
    where: str,
    turns: Iterable[Turn],
    description: str = "",
    *,
    system: str = "",
) -> Kept | Dropped:
    """Clean, merge and check turns until patient and doctor alternate.

    Empty turns go, two turns of one speaker in a row become one, patient's words that nobody
    answered go from the end. ``description`` is a bystander's summary of the case and stays out,
    except where the patient's own first words are missing: there it takes their place. ``system``
    is a message of the row's own to the assistant; where it is not blank it stands first.
    """
    given = list(turns)
    texts = [*(text for _, text in given), description, system]
    if wrong := next(filter(None, map(fault, texts)), None):
        return Dropped(where, wrong)
    if sum(map(len, texts)) > MAX_CHARACTERS:
        return Dropped(where, f"longer than {MAX_CHARACTERS:,} characters")
    changes: Counter[str] = Counter()
    spoken = [(role, text) for role, raw in given if (text := tidy(raw))]
    merged: list[Turn] = [
        (role, "\n".join(text for _, text in run))
        for role, run in groupby(spoken, key=lambda turn: turn[0])
    ]
    if empty := len(given) - len(spoken):
        changes["empty turns left out"] = empty
    if joined := len(spoken) - len(merged):
        changes["turns joined to the same speaker's turn before"] = joined
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
    if tidy(system):
        messages = (Message(role="system", content=tidy(system)), *messages)
    dialogue = Dialogue(id=dialogue_id(source, messages), source=source, messages=messages)
    return Kept(where, dialogue, changes)


def tidy(text: str) -> str:
    """The text with plain spaces and newlines, stripped; its words stay untouched."""
    # str.translate alone is slow on text that is not ASCII, and most text has nothing to change.
    plain = _ODD.sub(lambda found: found[0].translate(_LAYOUT), text.replace("\r\n", "\n"))
    return plain.strip()
