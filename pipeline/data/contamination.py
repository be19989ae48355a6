"""Which dialogues overlap with a public evaluation set, so that a model is not trained on its test.

A dialogue overlaps when it holds 13 words in a row of an item, or when the patient's question is
an item's question. Thirteen words are the rule of Brown et al., "Language Models are Few-Shot
Learners", 2020, arXiv 2005.14165, appendix C. As there, a 13-gram that is met too often says
nothing: one that stands in more than two different items of all the sets ("of the following is the
most likely cause of this patient's symptoms") is generic and left out; two may share a case. Words
are those of ``split.words``: case, punctuation and layout play no part.

What is not found: items of fewer than 13 words other than questions, and paraphrases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from medllm.pipeline.data.evaluation_sets import Item, read_items
from medllm.pipeline.data.split import normalised, words

GRAM = 13
MOST_ITEMS = 2  # a 13-gram of more items is generic
_FEWEST_WORDS = 3  # of a question that is compared as a whole: "hello" is no question

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class EvaluationSet:
    """One file of items and what of it is looked for."""

    name: str  # folder and file name
    items: int
    grams: int  # different 13-grams that no earlier file holds
    questions: int  # likewise


class EvaluationIndex:
    """Hashes of 8 bytes of the 13-grams and the questions of evaluation sets.

    It holds no text but single words. It can be sent to a worker process; a 13-gram costs 10
    bytes and some 20 of ``_Samples``, a different word about 200.
    """

    def __init__(self, sets: Iterable[tuple[str, Iterable[Item]]]) -> None:
        """Index the items of named sets; ``read`` is the way from files."""
        self._vocabulary: dict[str, int] = {}
        collected = _Collected()
        names, items = [], []
        for name, of_set in sets:
            names.append(name)
            items.append(0)
            for item in of_set:
                items[-1] += 1
                self._collect(item, len(names) - 1, collected)
        self._samples = _Samples(collected.samples)
        self._grams = _Table.of(collected.grams, collected.gram_owners, MOST_ITEMS)
        self._questions = _Table.of(collected.questions, collected.question_owners)
        grams, questions = (
            np.bincount(table.owners, minlength=len(names))
            for table in (self._grams, self._questions)
        )
        self.sets = tuple(
            EvaluationSet(name, items[i], int(grams[i]), int(questions[i]))
            for i, name in enumerate(names)
        )

    @classmethod
    def read(cls, paths: Sequence[Path]) -> EvaluationIndex:
        """Index files of the layouts that ``evaluation_sets`` knows.

        Raises MedllmError naming the file, and the row, that is none or is broken.
        """
        return cls((f"{path.parent.name}/{path.name}", read_items(path)) for path in paths)

    def overlap(self, texts: Sequence[str]) -> str | None:
        """Which set a dialogue overlaps with, and how; None where it does not.

        ``texts`` are its messages without the system prompt, the patient's first words first.
        Runs of 13 words may go from one message into the next, as turns are cut differently in
        different sets.
        """
        if not texts or not self.sets:
            return None
        owner = self._questions.owner(np.array([_digest(normalised(texts[0]))], np.uint64))
        if owner is not None:
            return f"question of {self.sets[owner].name}"
        found = list(chain.from_iterable(map(words, texts)))
        if not self._samples.may_hold(found):
            return None
        owner = self._grams.owner(self._hashed(found))
        return None if owner is None else f"13-gram of {self.sets[owner].name}"

    def _collect(self, item: Item, owner: int, collected: _Collected) -> None:
        passages = [(words(passage.text), words(passage.tail)) for passage in item.passages]
        whole = _digest(" | ".join(" ".join(text + tail) for text, tail in passages))
        if whole in collected.seen:  # the same item again does not make its words generic
            return
        collected.seen.add(whole)
        for question in item.questions:
            if len(words(question)) >= _FEWEST_WORDS:
                collected.questions.append(np.array([_digest(normalised(question))], np.uint64))
                collected.question_owners.append(owner)
        for text, tail in passages:
            for word in (*text, *tail):
                if word not in self._vocabulary:
                    self._vocabulary[word] = _digest(word) | 1
        # A 13-gram begins in the text: the tail alone is what items share.
        grams = [self._hashed(text + tail)[: len(text)] for text, tail in passages]
        for text, tail in passages:
            collected.samples.update(_Samples.hashes_of((text + tail)[: len(text) + GRAM - 1]))
        if grams:
            collected.grams.append(np.unique(np.concatenate(grams)))
            collected.gram_owners.append(owner)

    def _hashed(self, words: Sequence[str]) -> Hashes:
        """Hash of each 13-gram: the sum of word hashes times fixed odd numbers, modulo 2^64.

        A word that no set holds counts as 0, which fits a set's 13-gram by chance alone (2^-64).
        """
        if len(words) < GRAM or not self._vocabulary:
            return np.empty(0, np.uint64)
        ids = np.fromiter(map(self._vocabulary.get, words, repeat(0)), np.uint64, len(words))
        grams: Hashes = np.correlate(ids, _MULTIPLIERS)
        return grams


class _Samples:
    """Which texts cannot hold a 13-gram of a set, told from a few of their words.

    Every 13 words in a row hold one whole 5-gram of those that begin at every ninth word of a text.
    So nothing is missed by looking those up among all 5-grams of the sets. Of these a bit is set at
    a hash of each: one that is not theirs is taken for theirs less than once in a hundred times.
    """

    _WORDS = 5
    _STEP = GRAM - _WORDS + 1
    _BITS_EACH = 128

    def __init__(self, hashes: set[int]) -> None:
        """``hashes`` of all 5-grams that the sets hold, from ``hashes_of``."""
        size = 2**20
        while size < min(self._BITS_EACH * len(hashes), 2**32):
            size *= 2
        self._mask = size - 1
        self._bits = bytearray(size // 8)
        for value in hashes:
            place = value & self._mask
            self._bits[place >> 3] |= 1 << (place & 7)

    @classmethod
    def hashes_of(cls, passage: Sequence[str], step: int = 1) -> Iterator[int]:
        """Hashes of the 5-grams that begin at every ``step``-th word."""
        for at in range(0, len(passage) - cls._WORDS + 1, step):
            yield crc32(" ".join(passage[at : at + cls._WORDS]).encode())

    def may_hold(self, text: Sequence[str]) -> bool:
        """False only for words without a 13-gram of the sets."""
        for value in self.hashes_of(text, self._STEP):
            place = value & self._mask
            if self._bits[place >> 3] >> (place & 7) & 1:
                return True
        return False


class _Collected:
    """What the items of all sets gave, before it is sorted."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.samples: set[int] = set()
        self.grams: list[Hashes] = []
        self.gram_owners: list[int] = []
        self.questions: list[Hashes] = []
        self.question_owners: list[int] = []


@dataclass(frozen=True)
class _Table:
    """Sorted hashes and the number of the first set that holds each."""

    hashes: Hashes  # (n,)
    owners: NDArray[np.uint16]  # (n,)

    @classmethod
    def of(cls, hashes: list[Hashes], owners: list[int], most: int | None = None) -> _Table:
        """One entry a hash; those that stand in more than ``most`` of the arrays are left out."""
        if not hashes:
            return cls(np.empty(0, np.uint64), np.empty(0, np.uint16))
        flat = np.concatenate(hashes)
        owner = np.repeat(np.array(owners, np.uint16), [len(array) for array in hashes])
        unique, first, counts = np.unique(flat, return_index=True, return_counts=True)
        kept = counts <= most if most else slice(None)
        return cls(unique[kept], owner[first[kept]])

    def owner(self, hashes: Hashes) -> int | None:
        """The set of the first of some hashes that is here."""
        if not len(hashes) or not len(self.hashes):
            return None
        at = np.searchsorted(self.hashes, hashes)
        found = np.flatnonzero(self.hashes.take(at, mode="clip") == hashes)
        return int(self.owners[at[found[0]]]) if len(found) else None


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


_MULTIPLIERS = np.array([_digest(f"13-gram {i}") | 1 for i in range(GRAM)], np.uint64)
