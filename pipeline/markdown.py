"""Markdown from other people's words: tables and text that show as they are."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> Iterator[str]:
    """The lines of a table; cells are escaped, the last ``numbers`` columns end on the right."""
    yield "| " + " | ".join(head) + " |"
    yield "|---" * (len(head) - numbers) + "|---:" * numbers + "|"
    for row in rows:
        yield "| " + " | ".join(map(plain, row)) + " |"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = re.sub(r"([\\`*_\[\]#|~$!])", r"\\\1", " ".join(text.split()))
    return html.escape(text, quote=False)
