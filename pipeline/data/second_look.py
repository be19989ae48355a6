"""The second scan for identifiers, over the finished files, shared out to the processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from medllm.pipeline.data.pool import Pool
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.data.split import SPLITS
from medllm.pipeline.privacy.identifiers import Mode
from medllm.pipeline.privacy.residual import Look, look, residues

_BYTES = 2**22  # of a file that a process looks at at once


@dataclass(frozen=True)
class _Part:
    """The lines of a file that begin in a range of its bytes."""

    path: Path
    start: int
    end: int
    mode: Mode


def second_look(
    mode: Mode | Literal["off"], folder: Path, pool: Pool
) -> dict[str, tuple[int, str]]:
    """What the splits' files still hold that looks like an identifier: kind -> times, first place.

    A word that is written small anywhere in the three files is no name in any of them.
    """
    if mode == "off":
        return {}
    parts = [part for name in SPLITS for part in _parts(folder / f"{name}.jsonl", mode)]
    looks: dict[Path, Look] = {}
    results = zip(parts, pool.map(_look, parts), strict=True)
    for part, new in tqdm(results, total=len(parts), desc="second look", disable=None):
        looks.setdefault(part.path, Look()).add(new)
    small = set[str]().union(*(one.small for one in looks.values()))
    found: dict[str, tuple[int, str]] = {}
    for path, one in looks.items():
        for residue in residues(one, small):
            times, first = found.get(residue.kind, (0, f"{path.name}:{residue.lines[0]}"))
            found[residue.kind] = (times + residue.count, first)
    return found


def _parts(path: Path, mode: Mode) -> Iterator[_Part]:
    size = path.stat().st_size
    for start in range(0, size, _BYTES):
        yield _Part(path, start, min(start + _BYTES, size), mode)


def _look(part: _Part) -> Look:
    return look(_texts(part), part.mode)


def _texts(part: _Part) -> Iterator[str]:
    with part.path.open("rb") as file:
        if part.start:
            file.seek(part.start - 1)
            file.readline()  # the end of a line that begins in the part before
        while file.tell() < part.end:
            dialogue = Dialogue.model_validate_json(file.readline())
            yield "\n".join(m.content for m in dialogue.messages if m.role != "system")
