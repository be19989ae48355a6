"""A user's own conversations: ``{"messages": [{"role", "content"}, …]}``, one a line.

Roles are ``system`` (once, first), ``user`` and ``assistant``. Other keys of a row are not read.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, rows
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble

NAME = "messages"


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON Lines, JSON list or parquet file."""
    for row in rows(file):
        yield row if isinstance(row, Dropped) else _parse(row)


def _parse(row: Row) -> Kept | Dropped:
    messages = row.value.get("messages")
    if not isinstance(messages, list):
        return Dropped(row.where, "messages is not a list" if messages else "no key messages")
    system = ""
    turns: list[Turn] = []
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            return Dropped(row.where, "a message is not a JSON object")
        role, content = message.get("role"), message.get("content")
        if not isinstance(content, str):
            return Dropped(row.where, "a message's content is not text")
        if role == "system":
            if index:
                return Dropped(row.where, "a system message that is not the first")
            system = content
        elif role == "user":
            turns.append(("user", content))
        elif role == "assistant":
            turns.append(("assistant", content))
        else:
            return Dropped(row.where, "a role other than system, user and assistant")
    return assemble(NAME, row.where, turns, system=system)


SOURCE = Source(
    name=NAME,
    title="Your own conversations",
    size="any",
    access="""write JSON Lines: {"messages": [{"role": "user", "content": …}, …]}.""",
    terms=Terms(
        licence="yours",
        clause="You answer for the rights in the texts and for the consent of those who speak.",
        url="",
        publish="allowed",
    ),
    citation="",
    read=read,
    example="{name: messages, path: data/mine.jsonl}",
)
