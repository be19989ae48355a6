"""What was already said, on disk: an interrupted evaluation asks no model twice.

One line of JSON a reply, written whole and handed to the system at once, so that a process killed
at any moment loses at most the reply that it was writing; half a line at the end is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from pydantic import ValidationError

from medllm.eval.engines.speaker import Said


class Journal:
    """Replies by the key of their request; use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier, killed evaluation left at ``path``."""
        self._said: dict[str, Said] = {}
        self.found = 0  # replies of an earlier evaluation
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        if path.exists():
            for line in path.read_bytes().splitlines(keepends=True):
                entry = _entry(line)
                if entry is None:
                    break
                self._said |= entry
                whole += len(line)
            self.found = len(self._said)
        self._file = path.open("ab")
        self._file.truncate(whole)

    def __enter__(self) -> Journal:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def get(self, key: str) -> Said | None:
        """What was said, if it was."""
        return self._said.get(key)

    def put(self, key: str, said: Said) -> None:
        """Keep a reply."""
        self._said[key] = said
        line = json.dumps({key: said.model_dump(mode="json")}, ensure_ascii=True)
        self._file.write(line.encode() + b"\n")
        self._file.flush()


def _entry(line: bytes) -> Mapping[str, Said] | None:
    """A line's reply; None for half a line or one that is damaged."""
    try:
        raw = json.loads(line) if line.endswith(b"\n") else None
        return {key: Said.model_validate(said) for key, said in raw.items()} if raw else None
    except (ValueError, AttributeError, ValidationError):
        return None
