"""ChatDoctor's HealthCareMagic-100k, and every dataset of its shape.

A row is ``{"instruction", "input", "output"}``: the patient's words are ``input``, the doctor's
``output``. In HealthCareMagic the instruction is the same sentence in each row and nobody's words:
it is left out. Where instructions differ they are part of the question and stand before the input.

Source: Li et al., "ChatDoctor", arXiv 2303.14070.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from medllm.pipeline.data.schema import fault
from medllm.pipeline.sources.reading import Row, rows
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

NAME = "healthcaremagic"
# An instruction on so many of the rows is boilerplate; the few others (a damaged row, a joined
# file) must not turn it into the patient's words.
BOILERPLATE_SHARE = 0.9


def read(path: Path) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file; the file is read twice."""
    boilerplate = _boilerplate(path)
    for row in rows(path):
        yield row if isinstance(row, Dropped) else _parse(row, boilerplate)


def _boilerplate(path: Path) -> str | None:
    """The instruction that nearly all rows share, if there is one."""
    counts = Counter(
        row.value["instruction"]
        for row in rows(path)
        if isinstance(row, Row) and isinstance(row.value.get("instruction"), str)
    )
    if not counts:
        return None
    [(instruction, count)] = counts.most_common(1)
    return str(instruction) if count >= BOILERPLATE_SHARE * counts.total() else None


def _parse(row: Row, boilerplate: str | None) -> Kept | Dropped:
    texts = {}
    for key in ("instruction", "input", "output"):
        if key not in row.value:
            return Dropped(row.where, f"no key {key}")
        value = row.value[key]
        if not isinstance(value, str):
            return Dropped(row.where, f"{key} is not text")
        if wrong := fault(value):
            return Dropped(row.where, wrong)
        texts[key] = value
    instruction = "" if texts["instruction"] == boilerplate else tidy(texts["instruction"])
    question = "\n\n".join(part for part in (instruction, tidy(texts["input"])) if part)
    return assemble(NAME, row.where, [("user", question), ("assistant", texts["output"])])
