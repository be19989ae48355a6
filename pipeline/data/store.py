"""Candidates between the two passes: on disk what is long, in arrays what decisions need."""

from __future__ import annotations

import io
import json
from array import array
from dataclasses import astuple, dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from medllm.pipeline.data.duplicates import SIGNATURE, Signatures


@dataclass(frozen=True)
class Stored:
    """What of a candidate is read back when it goes into a split, or is compared."""

    where: str
    line: str  # the dialogue as it will be written
    question: str  # the patient's first words, identifiers as tags
    text: str  # all turns, identifiers as tags: what near duplicates are compared by
    answer: str  # the doctor's turns of it
    turns: int
    with_system: bool
    characters: int
    tokens: int
    changes: dict[str, int]
    replaced: dict[str, int]  # type of identifier -> how many stood in the dialogue
    surrogates: dict[str, str] = field(default_factory=dict)  # invented value -> its type


@dataclass(frozen=True)
class Candidate:
    """A dialogue that may go into a split, with what that is decided by."""

    source: int  # which item of ``prepare.sources``
    stored: Stored
    digest: bytes  # 16 bytes, equal for equal turns
    text_signature: bytes
    question_signature: bytes


class CandidateStore:
    """A file of candidates in the order in which they came; 180 bytes of memory for each.

    The arrays are views: no candidate is added once one has been asked for.
    """

    def __init__(self, path: Path) -> None:
        """Write to ``path``, which must not hold identifiers for longer than the stage runs."""
        self._file = path.open("w+b")
        self._path = path
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
        self._starts.append(self._file.seek(0, io.SEEK_END))
        self._file.write(json.dumps(astuple(candidate.stored), ensure_ascii=False).encode())
        self._file.write(b"\n")
        self._sources.append(candidate.source)
        self._digests += candidate.digest
        self._texts += candidate.text_signature
        self._questions += candidate.question_signature

    def __getitem__(self, row: int) -> Stored:
        """One candidate, read back from the file."""
        self._file.seek(self._starts[row])
        return Stored(*json.loads(self._file.readline()))

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
