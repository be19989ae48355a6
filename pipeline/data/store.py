"""Candidates between the two passes: on disk what is long, in arrays what decisions need."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from medllm.pipeline.data.duplicates import SIGNATURE, Signatures


@dataclass(frozen=True)
class Stored:
    """What of a candidate is counted when it goes into a split."""

    where: str
    turns: int
    with_system: bool
    characters: int
    tokens: int
    changes: dict[str, int]
    replaced: dict[str, int]  # type of identifier -> how many stood in the dialogue
    surrogates: dict[str, str] = field(default_factory=dict)  # invented value -> its type


class Candidate(NamedTuple):
    """A dialogue that may go into a split, with what that is decided by."""

    source: int  # which item of ``prepare.sources``
    record: bytes  # from ``record``
    digest: bytes  # 16 bytes, equal for equal turns
    text_signature: bytes
    question_signature: bytes


def record(stored: Stored, line: str, tagged: list[str]) -> bytes:
    """What the store keeps on disk of a candidate, as three lines.

    ``line`` is the dialogue as it will be written, ``tagged`` its turns with identifiers as tags:
    what near duplicates are compared by.
    """
    fields = json.dumps(tuple(vars(stored).values()), ensure_ascii=False)
    return f"{fields}\n{line}{json.dumps(tagged, ensure_ascii=False)}\n".encode()


class CandidateStore:
    """A file of candidates in the order in which they came; 180 bytes of memory for each.

    The arrays are views: no candidate is added once one has been asked for.
    """

    def __init__(self, path: Path) -> None:
        """Write to ``path``, which must not hold identifiers for longer than the stage runs."""
        self._file = path.open("w+b")
        self._path = path
        self._end = 0
        self._starts = array("Q")
        self._sources = array("H")
        self._digests = bytearray()
        self._texts = bytearray()
        self._questions = bytearray()

    def __enter__(self) -> CandidateStore:
        """Nothing more to open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete the file."""
        self._file.close()
        self._path.unlink()

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self._starts)

    def add(self, candidate: Candidate) -> None:
        """Append one."""
        self._starts.append(self._end)
        self._end += self._file.write(candidate.record)
        self._sources.append(candidate.source)
        self._digests += candidate.digest
        self._texts += candidate.text_signature
        self._questions += candidate.question_signature

    def __getitem__(self, row: int) -> tuple[Stored, bytes]:
        """One candidate's counts and its line, read back from the file."""
        self._file.seek(self._starts[row])
        return Stored(*json.loads(self._file.readline())), self._file.readline()

    def tagged(self, row: int) -> list[str]:
        """One candidate's turns, the patient's first, with identifiers as tags."""
        self._file.seek(self._starts[row])
        for _ in range(2):
            self._file.readline()
        turns: list[str] = json.loads(self._file.readline())
        return turns

    def source(self, row: int) -> int:
        """Which item of ``prepare.sources`` a row comes from."""
        return self._sources[row]

    @property
    def digests(self) -> NDArray[np.void]:
        """Digest of the turns of each row, shape (rows,), 16 bytes."""
        return np.frombuffer(self._digests, "V16")

    @property
    def text_signatures(self) -> Signatures:
        """Signature of the whole dialogue of each row, shape (rows,)."""
        return np.frombuffer(self._texts, SIGNATURE)

    @property
    def question_signatures(self) -> Signatures:
        """Signature of the patient's first words of each row, shape (rows,)."""
        return np.frombuffer(self._questions, SIGNATURE)
