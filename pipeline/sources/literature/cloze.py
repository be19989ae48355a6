"""Cloze questions over abstracts: which entity stands where ``XXXX`` is?

On disk one object of columns, ``{"abstracts", "titles", "entities_list", "answers"}``; the hub's
rows (``abstract, title, entities_list, answer``) are read too. A candidate is ``@entity9``
(setting B), or with kind and names, ``@entity9 :: ('MESH:D006261', 'Disease') :: ['headache']``
(setting A). The answer's own line is written otherwise, ``@entity9 :: (MESH:D006261,Disease) ::
['Headache']\\n``: only its ``@entity9`` is compared, and the candidate's line is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literals import literal
from medllm.pipeline.sources.literature.json_object import columns
from medllm.pipeline.sources.reading import shape
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, assemble, tidy

_COLUMNS = ("abstracts", "titles", "entities_list", "answers")
_ROW = ("abstract", "title", "entities_list", "answer")
_GAP = "XXXX"
_ENTITY = re.compile(r"\s*(@entity\d+)(?!\w)(.*)", re.DOTALL)
_PLAIN_LIST = re.compile(r"\['[^'\\]*'(?:, '[^'\\]*')*\]|\('[^'\\]*'(?:, '[^'\\]*')+\)")


@dataclass(frozen=True)
class Cloze:
    """A dataset of this shape, and what its texts are called when a question is put."""

    name: str
    text: str  # what holds the entities: "abstract"
    gapped: str  # what holds the gap: "title"

    def read(self, file: DataFile) -> Iterator[Kept | Dropped]:
        """One result a row. Raises MedllmError for columns that are missing or out of step."""
        if shape(file) == "json lines":
            for number, values in enumerate(columns(file, _COLUMNS), 1):
                yield self._parse(f"row {number}", values)
        else:
            for row in table(file, _ROW):
                if isinstance(row, Dropped):
                    yield row
                else:
                    yield self._parse(row.where, tuple(row.value[key] for key in _ROW))

    def _parse(self, where: str, values: tuple[object, ...]) -> Kept | Dropped:
        text, gapped, listed, answer = values
        if not (isinstance(text, str) and isinstance(gapped, str) and isinstance(answer, str)):
            return Dropped(where, f"{self.text}, {self.gapped} or answer is not text")
        if _GAP not in gapped:
            return Dropped(where, f"no {_GAP} in the {self.gapped}")
        text, gapped = _unquoted(text), _unquoted(gapped)
        if not text:
            return Dropped(where, f"no {self.text}")
        candidates = _candidates(listed)
        if isinstance(candidates, str):
            return Dropped(where, candidates)
        right = _ENTITY.match(answer)
        if right is None or right[1] not in candidates:
            return Dropped(where, "the answer is none of the candidates")
        question = "\n\n".join(
            [
                f"{_GAP} stands for an entity in the {self.gapped} below. Which of the candidates "
                f"is it, judging by the {self.text}?",
                f"{self.text.capitalize()}: {text}",
                f"{self.gapped.capitalize()}: {gapped}",
                "\n".join(["Candidates:", *candidates.values()]),
            ]
        )
        return assemble(self.name, where, [("user", question), ("assistant", candidates[right[1]])])


def _candidates(listed: object) -> dict[str, str] | str:
    """``@entity9`` to its line for a reader, in the list's order; or what is wrong with it."""
    if isinstance(listed, str):
        try:
            listed = literal(listed)
        except ValueError as error:
            return f"entities_list is {error}"
    if not isinstance(listed, list) or not listed:
        return "entities_list is not a list, or empty"
    candidates: dict[str, str] = {}
    for entry in listed:
        found = _ENTITY.match(entry) if isinstance(entry, str) else None
        if found is None:
            return "a candidate without @entity and a number"
        candidates.setdefault(found[1], found[1] + _described(found[2]))
    return candidates


def _described(rest: str) -> str:
    """`` :: ('MESH:D006261', 'Disease') :: ['headache', 'Headache']`` as ": headache (Disease)"."""
    fields = [field.strip() for field in rest.split("::")][1:]
    try:
        kind, names = map(_texts, fields)
        _, kind_name = kind
    except ValueError:  # not two lists of texts, the first of id and kind
        said = " ".join(filter(None, fields))
        return f": {said}" if said else ""
    different = {tidy(name).casefold(): tidy(name) for name in reversed(names)}
    said = "; ".join(reversed(different.values()))
    return f": {said} ({kind_name})" if said else f" ({kind_name})"


def _texts(field: str) -> list[str]:
    """The texts of a list or tuple of texts. Raises ValueError for anything else."""
    if _PLAIN_LIST.fullmatch(field):  # nearly all are, and parsing each would take minutes
        return field[2:-2].split("', '")
    value = literal(field)
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        raise ValueError("not a list of texts")
    return list(value)


def _unquoted(text: str) -> str:
    """Without the quote that opens BioMRC's texts and, where it is there, the one that closes."""
    text = tidy(text)
    if text.startswith('"') and text.endswith('"') and text.count('"') == 2:
        return text[1:-1].strip()
    return text[1:].strip() if text.startswith('"') and text.count('"') % 2 else text
