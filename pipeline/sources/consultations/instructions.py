"""Rows of the shape ``{"instruction", "input", "output"}``, as several datasets have it.

The patient's words are ``input``, the doctor's ``output``. An instruction that nearly all rows
share is nobody's words and left out; where instructions differ they are part of the question and
stand before the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from medllm.pipeline.data.schema import fault
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, rows
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

# An instruction on so many of the rows is boilerplate; the few others (a damaged row, a joined
# file) must not turn it into the patient's words.
BOILERPLATE_SHARE = 0.9
_COUNTERS = 100  # the share is wrong by one part in so many at most


def read_instructions(
    source: str, file: DataFile, *, empty_input: bool = False
) -> Iterator[Kept | Dropped]:
    """One result a row of a JSON list, JSON Lines or parquet file, which is read twice.

    With ``empty_input`` a row without input, or with null, is one whose input is empty, and there
    the instruction is always the question.
    """
    boilerplate = _boilerplate(file)
    for row in rows(file):
        yield row if isinstance(row, Dropped) else _parse(source, row, boilerplate, empty_input)


def _boilerplate(file: DataFile) -> str | None:
    """The instruction that nearly all rows share, if there is one.

    Counted after Misra and Gries (1982), so that a file of instructions that all differ does not
    fill the memory.
    """
    counts: Counter[str] = Counter()
    total = 0
    for row in rows(file):
        instruction = row.value.get("instruction") if isinstance(row, Row) else None
        if not isinstance(instruction, str):
            continue
        total += 1
        if instruction in counts or len(counts) < _COUNTERS:
            counts[instruction] += 1
        else:
            counts = Counter({text: n - 1 for text, n in counts.items() if n > 1})
    if not counts:
        return None
    [(instruction, count)] = counts.most_common(1)
    return instruction if count >= (BOILERPLATE_SHARE - 1 / _COUNTERS) * total else None


def _parse(source: str, row: Row, boilerplate: str | None, empty_input: bool) -> Kept | Dropped:
    texts = {}
    for key in ("instruction", "input", "output"):
        value = row.value.get(key)
        if key == "input" and value is None and empty_input:
            value = ""
        if value is None and key not in row.value:
            return Dropped(row.where, f"no key {key}")
        if not isinstance(value, str):
            return Dropped(row.where, f"{key} is not text")
        if wrong := fault(value):
            return Dropped(row.where, wrong)
        texts[key] = value
    instruction, words = tidy(texts["instruction"]), tidy(texts["input"])
    if texts["instruction"] == boilerplate and (words or not empty_input):
        instruction = ""
    question = "\n\n".join(part for part in (instruction, words) if part)
    return assemble(source, row.where, [("user", question), ("assistant", texts["output"])])
