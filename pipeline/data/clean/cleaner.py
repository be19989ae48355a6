"""The rules applied to a row.

EDITS change the text of a turn. Then the turns are put together again by the rules that adapters
keep (``turns.assemble``), and DROPS look at the dialogue that came of it. A row that no rule
touches is handed on as it is.
"""

from __future__ import annotations

from collections import Counter

from medllm.pipeline.config import CleanConfig
from medllm.pipeline.data.clean import language
from medllm.pipeline.data.clean.examples import Examples
from medllm.pipeline.data.clean.rules import DROPS, EDITS, Role, Words
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble


class Cleaner:
    """Applies the rules to rows, and keeps some of what they did for a reviewer."""

    def __init__(self, config: CleanConfig, examples: Examples | None = None) -> None:
        """Raises MedllmError for a language that the detector does not know."""
        if config.languages:
            language.check(config.languages)
        self.examples = examples if examples is not None else Examples()
        self._config = config

    def clean(self, row: Kept) -> Kept | Dropped:
        """The cleaned dialogue with its changes added to the row's, or why there is none.

        Takes rows as adapters yield them. A dropped row is not a broken one.
        """
        changes: Counter[str] = Counter()
        turns = [
            (role, self._edit(row.where, role, text, changes))
            for role, text in _turns(row.dialogue)
        ]
        cleaned = self._assembled(row, turns, changes) if changes else row
        if isinstance(cleaned, Kept):
            words = Words.of(cleaned.dialogue)
            for reason, rule in DROPS.items():
                if rule(words, self._config):
                    cleaned = Dropped(row.where, reason, broken=False)
                    break
        if isinstance(cleaned, Dropped):
            shown = "\n".join(f"{role}: {text}" for role, text in _turns(row.dialogue))
            self.examples.add(cleaned.reason, row.where, shown, "")
        return cleaned

    def _edit(self, where: str, role: Role, text: str, changes: Counter[str]) -> str:
        for rule in EDITS:
            if role in rule.roles:
                edited, times = rule.edit(text)
                if times:
                    changes[rule.name] += times
                    self.examples.add(rule.name, where, text, edited)
                    text = edited
        return text

    def _assembled(self, row: Kept, turns: list[Turn], changes: Counter[str]) -> Kept | Dropped:
        cleaned = assemble(row.dialogue.source, row.where, turns)
        if isinstance(cleaned, Dropped):
            return Dropped(row.where, f"after cleaning: {cleaned.reason}", broken=False)
        system = row.dialogue.messages[0]
        dialogue = cleaned.dialogue
        if system.role == "system":
            dialogue = dialogue.with_system(system.content)
        counts = Counter(row.changes) + changes + Counter(cleaned.changes)
        return Kept(row.where, dialogue, counts)


def _turns(dialogue: Dialogue) -> list[tuple[Role, str]]:
    return [(m.role, m.content) for m in dialogue.messages if m.role != "system"]
