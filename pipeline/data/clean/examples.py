"""A few examples of what each rule did, for the person who reviews the rules.

They quote the source, names and all: they belong into a file of their own that is never published,
never into a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

WARNING = (
    "This file quotes the source data before it was de-identified. It is for the reviewer of the\n"
    "rules: do not publish it, do not send it on, delete it when the rules are agreed.\n"
)
_AROUND = 60  # characters of context on either side of a change
_LENGTH = 240  # characters of a snippet


@dataclass(frozen=True)
class Example:
    """One change: where, what stood there and what stands there now ('' for a dropped row)."""

    rule: str
    where: str
    before: str
    after: str


@dataclass
class Examples:
    """The first ``limit`` examples of each rule by row order, so always the same ones.

    Where rows are shared out to workers, each has its own and hands on what ``take`` gives after
    a row; adding those up with ``merge`` in the order of rows finds the same examples.
    """

    limit: int = 3
    found: dict[str, list[Example]] = field(default_factory=dict)
    _new: list[Example] = field(default_factory=list)

    def add(self, rule: str, where: str, before: str, after: str) -> None:
        """Remember an example of a rule while there are fewer than ``limit``."""
        if len(self.found.get(rule, ())) < self.limit:
            self.merge((Example(rule, where, *snippets(before, after)),))

    def merge(self, examples: Iterable[Example]) -> None:
        """Remember those of another collector that come later by row order."""
        for example in examples:
            shown = self.found.setdefault(example.rule, [])
            if len(shown) < self.limit:
                shown.append(example)
                self._new.append(example)

    def take(self) -> tuple[Example, ...]:
        """What has been added since the last call."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def write(self, path: Path) -> None:
        """Write all as Markdown under a warning, with four spaces before each quoted line."""
        lines = ["# Examples of the rules", "", WARNING]
        for rule in sorted(self.found):
            lines.append(f"## {rule}\n")
            for example in self.found[rule]:
                lines += [f"{example.where}:", "", *_quoted("-", example.before)]
                lines += [*_quoted("+", example.after), ""]
        path.write_text("\n".join(lines), encoding="utf-8")


def snippets(before: str, after: str) -> tuple[str, str]:
    """The part of both texts that differs, with some context, each cut to a readable length."""
    same = _common(before, after)
    tail = min(_common(before[::-1], after[::-1]), min(len(before), len(after)) - same)
    start = max(0, same - _AROUND)
    clip = [_clipped(t, start, min(len(t), len(t) - tail + _AROUND)) for t in (before, after)]
    return clip[0], clip[1]


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _clipped(text: str, start: int, end: int) -> str:
    part = text[start:end]
    if len(part) > _LENGTH:
        part = part[: _LENGTH // 2] + " […] " + part[-_LENGTH // 2 :]
    return ("… " if start else "") + part + (" …" if end < len(text) else "")


def _quoted(sign: str, text: str) -> list[str]:
    return [f"    {sign} {line}" for line in text.splitlines()] or [f"    {sign}"]
