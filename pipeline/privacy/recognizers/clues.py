"""What one cheap pass over a text tells: which recognisers have anything to look for in it.

A regular expression that scans a thousand characters takes 50 to 150 µs, so forty of them a text
are too slow. Splitting the text into a set of words takes 15 µs; a recogniser first asks that set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from medllm.pipeline.privacy.vocabulary.lexicon import CITY, COMMON, NAME, Lexicon

# Everything in ASCII but letters and the apostrophe, and some typographic signs, part words.
_LETTERS = {
    code: " " for code in range(128) if not chr(code).isalpha() and chr(code) != "'"
} | dict.fromkeys(map(ord, "“”„«»–—…•·‘´`"), " ")
_LETTERS[ord("’")] = "'"
_GROUP = re.compile(r"\d+")
_DIGITS = re.compile(r"\d+(?:[-/.:() ]{1,3}\d+)*")
_MIXED = re.compile(r"(?<=[A-Za-z])\d|\d(?=[A-Z])")
SURNAME_ENDING = re.compile(
    r"^.{3,}(?:ova|eva|ović|ovic|evic|ić|icz|czyk|wski|wska|cki|cka|nsky|nski|enko|chuk|sson|sdottir|"
    r"sdóttir|inen|escu|oğlu|oglu|poulos|shvili|adze|ström|strom|quist|berg|feld|mann|stein|ková)$"
)
"""How many a family name ends that is on no list."""
_CONTRACTIONS = frozenset(("s", "m", "ve", "ll", "re", "d", "t"))


@dataclass(frozen=True, slots=True)
class Clues:
    """Of one text: its words and what kinds of words and numbers it holds."""

    words: frozenset[str]  # lower case
    tokens: frozenset[str]  # as written
    capitals: frozenset[str]  # of the tokens, those that begin with a capital; no contractions
    has_name: bool  # a capitalised word is on the lists of names
    has_city: bool  # a capitalised word is, or begins, a town on the list
    has_unlisted: bool  # a capitalised word is neither a frequent word nor a name
    numbers: frozenset[str]  # digits in a row
    longest: int  # digits in a row, at most
    most: int  # digits in a run, at most
    mixed: bool  # a digit stands next to a letter

    @property
    def uncommon(self) -> bool:
        """Whether any capitalised word could be a name."""
        return self.has_name or self.has_unlisted


_NAME, _CITY, _TOWN, _UNLISTED = 1, 2, 4, 8
_MOST_KNOWN = 100_000
_KNOWN: dict[str, int] = {}
"""What the lexicon says of a word with a capital: the same few thousand begin all sentences."""


def _sense(lowered: str, lexicon: Lexicon) -> int:
    flag = lexicon.flags.get(lowered, 0)
    town = _TOWN if lowered in lexicon.towns else 0
    if flag & COMMON:
        return town | (_CITY if town and flag & CITY else 0)
    name = flag & NAME or (not flag and SURNAME_ENDING.search(lowered))
    return town | _UNLISTED | (_NAME if name else 0) | (_CITY if flag & CITY else 0)


def read_clues(text: str, lexicon: Lexicon) -> Clues:
    """One pass over ``text``."""
    letters = text.translate(_LETTERS)
    tokens = frozenset(letters.split())
    words = frozenset(letters.lower().split())
    capitals = set()
    for token in tokens:
        if token.islower():
            continue
        if "'" in token:
            token, _, ending = token.partition("'")
            if ending not in _CONTRACTIONS:
                token = f"{token}'{ending}"
            elif ending != "s":
                continue
        if len(token) > 1 and token[0].isupper():
            capitals.add(token)
    has_name = has_city = has_unlisted = False
    known = _KNOWN
    for token in capitals:
        sense = known.get(token)
        if sense is None:
            sense = _sense(token.casefold(), lexicon)
            if len(known) < _MOST_KNOWN:
                known[token] = sense
        has_name = has_name or bool(sense & _NAME)
        has_unlisted = has_unlisted or bool(sense & _UNLISTED)
        if sense & _CITY:
            has_city = True
        elif sense & _TOWN and not has_city:
            has_city = any(rest[0] in words for rest in lexicon.towns[token.casefold()])
    numbers = frozenset(_GROUP.findall(text))
    longest = max(map(len, numbers), default=0)
    most = longest
    if len(numbers) > 1:
        most = max(sum(map(str.isdigit, run)) for run in _DIGITS.findall(text))
    return Clues(
        words,
        tokens,
        frozenset(capitals),
        has_name,
        has_city,
        has_unlisted,
        numbers,
        longest,
        most,
        bool(numbers) and _MIXED.search(text) is not None,
    )
