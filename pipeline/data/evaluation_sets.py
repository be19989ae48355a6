"""Items of public evaluation sets, read from the files as they are published.

MedQA (JSON Lines), MedMCQA (JSON Lines or parquet), PubMedQA (one object by PMID), MMLU (CSV
without a header), MTS-Dialog (CSV), HealthBench (JSON Lines), MedSafetyBench (CSV), and this
project's own multiple-choice questions (JSON Lines). The content decides what a file is, never its
name.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row, csv_rows, lines, rows, shape
from medllm.pipeline.sources.turns import Dropped

_SPEAKER = re.compile(r"^[^\S\n]*[A-Za-z]+(?:_\w+)?[^\S\n]*:", re.MULTILINE)
_LETTERS = "ABCDEFGHIJ"

Fields = Mapping[str, object]


@dataclass(frozen=True)
class Passage:
    """Words of an item; what follows in ``tail`` counts only together with words of ``text``."""

    text: str
    tail: str = ""


@dataclass(frozen=True)
class Item:
    """What must not be trained on: texts, and what a patient's message as a whole could be."""

    passages: tuple[Passage, ...]
    questions: tuple[str, ...] = ()


class _WrongTypeError(Exception):
    """A field that does not hold what the layout says."""


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file. Raises MedllmError for a file or row of none of the layouts."""
    from tqdm import tqdm

    empty = True
    for row in tqdm(read_rows(DataFile(path)), desc=path.name, unit=" items", disable=None):
        empty = False
        if isinstance(row, Dropped):
            raise _refused(path, f"{row.where}: {row.reason}")
        parse = next((parse for keys, parse in _LAYOUTS if keys <= row.value.keys()), None)
        if parse is None:
            raise _refused(path, f"{row.where} has the fields {', '.join(list(row.value)[:8])}")
        try:
            yield parse(row.value)
        except _WrongTypeError as error:
            raise _refused(path, f"{row.where}: {error} is empty or not as published") from None
    if empty:
        raise _refused(path, "it holds no items")


def _refused(path: Path, why: str) -> MedllmError:
    return MedllmError(
        f"{path} is no evaluation set that can be read: {why}.",
        "Give a file of MedQA, MedMCQA, PubMedQA, MMLU, MTS-Dialog, HealthBench, MedSafetyBench "
        "or of questions like eval.questions, as it was published.",
    )


# ---- rows ------------------------------------------------------------------------------------


def read_rows(file: DataFile) -> Iterator[Row | Dropped]:
    """The rows of a public evaluation set, whichever of the layouts the content has."""
    match shape(file):
        case "text":
            return _mmlu(file) if _is_mmlu(next(_records(file), [])) else csv_rows(file)
        case "json lines" if _is_one_object(file):
            return _entries(file)
        case _:
            return rows(file)


def _is_one_object(file: DataFile) -> bool:
    """Whether the file is one object by PMID and not an object a line."""
    first = next(line for _, line in lines(file) if line.strip())
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return True  # spread over lines
    return bool(value) and all(isinstance(entry, dict) for entry in value.values())


def _entries(file: DataFile) -> Iterator[Row | Dropped]:
    with file.open() as stream:
        try:
            whole = json.load(stream)
        except (ValueError, RecursionError):
            raise _refused(file.path, "it is not JSON, or broken in its first row") from None
    for key, value in whole.items():
        where = f"entry {key}"
        yield Row(where, value) if isinstance(value, dict) else Dropped(where, "not an object")


def _records(file: DataFile) -> Iterator[list[str]]:
    with io.TextIOWrapper(file.open(), encoding="utf-8-sig", newline="") as text:
        try:
            yield from csv.reader(text, strict=True)
        except (csv.Error, UnicodeDecodeError) as error:
            raise _refused(file.path, f"it is not CSV in UTF-8 ({error})") from None


def _is_mmlu(fields: list[str]) -> bool:
    return len(fields) == 6 and fields[5].strip() in tuple("ABCD")


def _mmlu(file: DataFile) -> Iterator[Row | Dropped]:
    for number, fields in enumerate(_records(file), 1):
        if _is_mmlu(fields):
            row = {"question": fields[0], "options": fields[1:5], "answer": fields[5]}
            yield Row(f"row {number}", row)
        else:
            yield Dropped(f"row {number}", "not a question, four options and a letter")


# ---- layouts ---------------------------------------------------------------------------------


def _text(row: Fields, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _WrongTypeError(key)
    return value


def _texts(value: object, key: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _WrongTypeError(key)
    return value


def _choice(question: str, options: Iterable[str], *more: object) -> Item:
    """A multiple-choice item: the question with its options as most prompts write them."""
    tail = "\n".join(f"{letter}. {text}" for letter, text in zip(_LETTERS, options, strict=False))
    passages = [Passage(question, tail)]
    passages += [Passage(text) for text in more if isinstance(text, str)]
    return Item(tuple(passages), (question, f"{question}\n{tail}"))


def _medqa(row: Fields) -> Item:
    options = row["options"]
    if not isinstance(options, dict):
        raise _WrongTypeError("options")
    return _choice(_text(row, "question"), _texts(list(options.values()), "options"))


def _medmcqa(row: Fields) -> Item:
    options = [str(row[key]) for key in ("opa", "opb", "opc", "opd")]
    return _choice(_text(row, "question"), options, row.get("exp"))


def _own_or_mmlu(row: Fields) -> Item:
    return _choice(_text(row, "question"), _texts(row["options"], "options"))


def _pubmedqa(row: Fields) -> Item:
    question = _text(row, "QUESTION")
    texts = [question, _text(row, "LONG_ANSWER"), *_texts(row["CONTEXTS"], "CONTEXTS")]
    return Item(tuple(map(Passage, texts)), (question,))


def _healthbench(row: Fields) -> Item:
    prompt = row["prompt"]
    if not isinstance(prompt, list) or not all(isinstance(turn, dict) for turn in prompt):
        raise _WrongTypeError("prompt")
    said = [(turn.get("role"), _text(turn, "content")) for turn in prompt]
    # The first words of a longer conversation ("hello") are not the item.
    questions = tuple(text for role, text in said if role == "user" and len(said) == 1)
    return Item((Passage("\n".join(text for role, text in said if role != "system")),), questions)


def _mts_dialog(row: Fields) -> Item:
    dialogue = _SPEAKER.sub("", _text(row, "dialogue"))
    return Item((Passage(dialogue), Passage(_text(row, "section_text"))))


def _medsafety(row: Fields) -> Item:
    request = _text(row, "harmful_medical_request")
    return Item((Passage(request), Passage(_text(row, "safe_response"))), (request,))


_LAYOUTS: tuple[tuple[frozenset[str], Callable[[Fields], Item]], ...] = (
    (frozenset({"question", "options", "answer_idx"}), _medqa),
    (frozenset({"question", "opa", "opb", "opc", "opd"}), _medmcqa),
    (frozenset({"question", "options", "answer"}), _own_or_mmlu),
    (frozenset({"prompt", "rubrics"}), _healthbench),
    (frozenset({"QUESTION", "CONTEXTS", "LONG_ANSWER"}), _pubmedqa),
    (frozenset({"section_text", "dialogue"}), _mts_dialog),
    (frozenset({"harmful_medical_request", "safe_response"}), _medsafety),
)
