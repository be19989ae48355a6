"""Near duplicates: which dialogues say nearly the same, and which must share a split.

Two texts are near duplicates when the Jaccard similarity of their sets of word trigrams reaches a
threshold. MinHash with locality-sensitive hashing finds the candidates (Broder, "On the resemblance
and containment of documents", 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
chapter 3); every candidate is then verified on the texts themselves, so what is reported is exact.

Trigrams, because dialogues are short: one changed word touches three of them, but five 5-grams,
which would hide an edited copy of twenty words. A text of fewer than three words is one shingle:
it equals another or has nothing in common with it.

With 16 bands of 6 rows two texts of similarity s become candidates with probability
1 - (1 - s^6)^16: 0.992 at 0.8, 0.99999 at 0.9, 0.22 at 0.5, 0.001 at 0.2. Below a threshold of
0.8 too many pairs would be missed, so no lower one is accepted. A band's key has 32 bits: a chance
collision costs one verification, and 2 million rows have about 7,500 of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medllm.pipeline.data import split

LOWEST_THRESHOLD = 0.8
QUESTION_WORDS = 8  # a shorter question is linked to equal ones only: see groups()

_SHINGLE = 3
_BANDS = 16
_ROWS = 6
# 76 bytes a text: digest of the normalised words, their number, a key for each band.
SIGNATURE = np.dtype([("digest", "<u8"), ("words", "<u4"), ("bands", "<u4", (_BANDS,))])
_WINDOW = 16  # earlier rows of a bucket that one is compared with
_CACHED = 2048  # sets of shingles in memory, about 20 kB each for 1,000 characters

Signatures = NDArray[Any]  # of dtype SIGNATURE, one a row
Texts = Callable[[int], str]  # the text of a row, by its number


@dataclass(frozen=True)
class Links:
    """Which rows are linked, directly or through others. The order of rows plays no part."""

    component: NDArray[np.int64]  # (rows,): equal numbers are linked
    uncompared: int  # candidate pairs that crowded buckets left out, at most


@dataclass(frozen=True)
class NearDuplicates:
    """What to leave out, and what is linked by it."""

    of: NDArray[np.int64]  # (rows,): the earlier, kept row that it is a near duplicate of, or -1
    links: Links


@dataclass(frozen=True)
class Groups:
    """Rows that must stay in one split."""

    representative: NDArray[np.uint64]  # (rows,): smallest digest of the group's questions
    count: int
    largest: int  # rows of the largest group


def shingles(text: str) -> frozenset[str]:
    """The set of word trigrams of the normalised text; one shingle for fewer than three words."""
    return frozenset(_shingles(_words([text])))


def signature(*texts: str) -> bytes:
    """One item of SIGNATURE for texts after one another: the same bytes for the same words, in
    every process.
    """
    from rensa import RMinHash

    words = _words(texts)
    minhash = RMinHash(num_perm=_BANDS * _ROWS, seed=1)
    minhash.update(_shingles(words))
    rows = np.array(minhash.digest(), np.uint64).reshape(_BANDS, _ROWS)
    bands = (rows * _MULTIPLIERS).sum(axis=1, dtype=np.uint64) >> np.uint64(32)
    digest = hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()
    keys: bytes = bands.astype("<u4").tobytes()
    return digest + len(words).to_bytes(4, "little") + keys


def signatures(items: Iterable[bytes]) -> Signatures:
    """The array of what ``signature`` gave for each row."""
    return np.frombuffer(b"".join(items), SIGNATURE)


def near_duplicates(
    signatures: Signatures,
    texts: Texts,
    answers: Texts,
    threshold: float,
    progress: str = "near duplicates",
) -> NearDuplicates:
    """For each row the earlier row that it repeats; the first of them is kept.

    A row repeats another when the whole texts and the answers in them both have a Jaccard
    similarity of at least ``threshold``: two questions on one long passage are no repetition. A
    row is compared with kept rows only: one that is like a dropped row but not like the row that
    stands for it stays. Raises ValueError for a threshold outside [LOWEST_THRESHOLD, 1].
    """
    from tqdm import tqdm

    links = linked(signatures, texts, threshold, progress=progress)
    similarity, answers_alike = _Similarity(texts), _Similarity(answers)
    of = np.full(len(signatures), -1, np.int64)
    for rows in tqdm(_runs(links.component), desc=progress, unit=" groups", disable=None):
        bands = signatures["bands"][rows]
        keeper: dict[int, int] = {}  # digest of a row seen -> position of what stands for it
        kept: list[int] = []
        for position, row in enumerate(rows.tolist()):
            digest = int(signatures["digest"][row])
            if digest not in keeper:
                keeper[digest] = position
                for other in _likeliest(bands, kept, position):
                    earlier = int(rows[other])
                    if (
                        similarity(row, earlier) >= threshold
                        and answers_alike(row, earlier) >= threshold
                    ):
                        keeper[digest] = other
                        break
                else:
                    kept.append(position)
            if keeper[digest] != position:
                of[row] = rows[keeper[digest]]
    return NearDuplicates(of, links)


def linked(
    signatures: Signatures,
    texts: Texts,
    threshold: float,
    *,
    shortest: int = 0,
    progress: str = "near duplicates",
) -> Links:
    """Link equal rows, and near duplicates among the texts of at least ``shortest`` words.

    Rows are taken in the order of their digests, so the order in which they stand has no
    influence. In a bucket of more than 17 texts each is compared with the 16 before it, in an
    order that puts those with more equal bands side by side: the work is linear in the rows. Near
    copies of one text lose nothing by that, for one comparison links each to all before it; in a
    crowd of texts that are alike but below the threshold a pair can be missed, if it is
    neighbours in no band. ``uncompared`` bounds those pairs.
    """
    from tqdm import tqdm

    if not LOWEST_THRESHOLD <= threshold <= 1:
        raise ValueError(f"threshold {threshold} is not between {LOWEST_THRESHOLD} and 1")
    _, first, inverse = np.unique(signatures["digest"], return_index=True, return_inverse=True)
    similarity = _Similarity(lambda item: texts(int(first[item])))
    sets = _DisjointSets(len(first))
    long = np.flatnonzero(signatures["words"][first] >= shortest)
    bands = signatures["bands"]
    uncompared = 0
    with tqdm(total=_BANDS * len(long), desc=progress, unit=" keys", disable=None) as bar:
        for band in range(_BANDS):
            roots = sets.roots()
            for run in _runs(bands[first[long], band]):
                members = long[run]
                if (roots[members] == roots[members[0]]).all():
                    continue
                if len(members) > _WINDOW + 1:
                    members = members[_side_by_side(bands[first[members]], band)]
                _link(members.tolist(), sets, similarity, threshold)
                left_out = max(0, len(members) - _WINDOW)
                if left_out > 1 and len({sets.find(item) for item in members.tolist()}) > 1:
                    uncompared += left_out * (left_out - 1) // 2
                bar.update(len(members))
            bar.update(max(0, (band + 1) * len(long) - bar.n))
    return Links(sets.roots()[inverse].astype(np.int64), uncompared)


def groups(dialogues: Links, questions: Links, question_signatures: Signatures) -> Groups:
    """Join rows whose questions or whole dialogues are linked; ``questions`` are ``linked`` with
    ``shortest=QUESTION_WORDS``.

    Equal questions always stay together, so no question is asked in two splits. Questions of
    fewer than QUESTION_WORDS words ("what should I do", "fever") say too little to join anything
    else: neither a similar question nor a similar dialogue is linked through them, or greetings
    would chain unrelated dialogues into one giant group. A short question's group is therefore
    exactly the rows that ask it. Nothing is lost where ``near_duplicates`` dropped rows by the
    same threshold: of two similar dialogues one is gone.
    """
    _, question = np.unique(questions.component, return_inverse=True)
    sets = _DisjointSets(int(question.max(initial=-1)) + 1)
    long = np.flatnonzero(question_signatures["words"] >= QUESTION_WORDS)
    for run in _runs(dialogues.component[long]):
        items = question[long[run]].tolist()
        for item in items[1:]:
            sets.union(items[0], item)
    group = sets.roots()[question]
    smallest = np.full(sets.size, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, group, question_signatures["digest"])
    sizes = np.bincount(group)
    return Groups(smallest[group], int((sizes > 0).sum()), int(sizes.max(initial=0)))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over size of the union of two sets that are not empty."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def _words(texts: Sequence[str]) -> Sequence[str]:
    """The normalised words; texts without any ("???") stand for themselves."""
    found = [split.words(text) for text in texts]
    return (found[0] if len(found) == 1 else [*chain(*found)]) or ["\n".join(texts)]


def _shingles(words: Sequence[str]) -> list[str]:
    if len(words) < _SHINGLE:
        return [" ".join(words)]
    return list(map(" ".join, zip(*(words[i:] for i in range(_SHINGLE)), strict=False)))


class _Similarity:
    """Exact Jaccard similarity of two rows; the sets used last are kept."""

    def __init__(self, texts: Texts) -> None:
        self._shingles = lru_cache(_CACHED)(lambda row: shingles(texts(row)))

    def __call__(self, row: int, other: int) -> float:
        return jaccard(self._shingles(row), self._shingles(other))


class _DisjointSets:
    """Union-find with the smallest member as root, over the numbers below ``size``."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._parent = np.arange(size, dtype=np.int32)

    def find(self, item: int) -> int:
        parent = self._parent
        while (above := int(parent[item])) != item:
            parent[item] = parent[above]
            item = above
        return item

    def union(self, one: int, other: int) -> None:
        low, high = sorted((self.find(one), self.find(other)))
        self._parent[high] = low

    def roots(self) -> NDArray[np.int32]:
        """Root of each number, shape (size,)."""
        while ((above := self._parent[self._parent]) != self._parent).any():
            self._parent = above
        return self._parent.copy()


def _link(
    members: list[int], sets: _DisjointSets, similarity: _Similarity, threshold: float
) -> None:
    for position, item in enumerate(members):
        for other in reversed(members[max(0, position - _WINDOW) : position]):
            if sets.find(item) != sets.find(other) and similarity(item, other) >= threshold:
                sets.union(item, other)


def _runs(keys: NDArray[Any]) -> Iterator[NDArray[np.int64]]:
    """The positions of each key that stands more than once, in rising order."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.r_[0, np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(keys)]
    for run in np.flatnonzero(np.diff(edges) > 1).tolist():
        yield order[edges[run] : edges[run + 1]]


def _side_by_side(bands: NDArray[np.uint32], band: int) -> NDArray[np.int64]:
    """An order of rows that are equal in ``band``: by the next band, then by the one after."""
    return np.lexsort(np.roll(bands, -band - 1, axis=1).T[::-1])


def _likeliest(bands: NDArray[np.uint32], kept: list[int], position: int) -> list[int]:
    """Of the kept positions those to compare with: the most equal bands, then the earliest."""
    if len(kept) <= _WINDOW:
        return kept
    equal = (bands[kept] == bands[position]).sum(axis=1)
    return [kept[i] for i in np.argsort(-equal, kind="stable")[:_WINDOW]]


_MULTIPLIERS = np.frombuffer(hashlib.sha512(b"band").digest(), "<u8")[:_ROWS] | np.uint64(1)
