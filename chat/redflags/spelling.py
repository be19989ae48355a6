"""Typos in the words that rules are made of, mended within a bounded edit distance.

A word is mended when it is no word of English and no word of the rules, and a word of the rules is
near enough: a swap for 4 letters, one edit for 5 to 7, two for 8 and more. Edits are insertions,
deletions, substitutions and swaps of neighbours (optimal string alignment distance; Damerau,
CACM 7:171, 1964). First letters must agree, or be swapped with the second.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[A-Za-z]{4,}")
_LONG = 8  # letters from which two edits are mended
_TOO_LONG = 24


def corrected(text: str, known: frozenset[str]) -> str:
    """The text with typos mended to words of ``known`` (lower case)."""
    return _WORD.sub(lambda found: _mended(found[0], known), text)


@lru_cache(8192)
def _mended(word: str, known: frozenset[str]) -> str:
    lower = word.lower()
    if lower in known or len(lower) > _TOO_LONG or _is_word(lower):
        return word
    edits = 2 if len(lower) >= _LONG else 1
    near: list[tuple[int, str]] = []
    for other in known:
        if len(other) < 4 or abs(len(other) - len(lower)) > edits or not _same_start(lower, other):
            continue
        if len(lower) == 4 and sorted(lower) != sorted(other):
            continue
        distance = edit_distance(lower, other, edits)
        if distance <= edits:
            near.append((distance, other))
    near.sort()
    if not near or (len(near) > 1 and near[0][0] == near[1][0] and len(lower) < 6):
        return word
    return near[0][1]


def edit_distance(one: str, other: str, most: int) -> int:
    """Optimal string alignment distance, or ``most`` + 1 when it is larger."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        last, row = row, [i] + [0] * len(other)
        for j, b in enumerate(other, start=1):
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        if min(row) > most and (not before or min(last) > most):
            return most + 1
        before = last
    return min(row[-1], most + 1)


def _same_start(one: str, other: str) -> bool:
    return one[0] == other[0] or one[:2] == other[1::-1]


def _is_word(word: str) -> bool:
    from medllm.pipeline.privacy.vocabulary.english import counted

    return counted(word) > 0
