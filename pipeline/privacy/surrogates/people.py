"""One invented person for each real one: given names, family names and initials agree."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random

from medllm.pipeline.privacy.surrogates.pools import FAMILIES, MEN, WOMEN
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.lexicon import FEMALE, FIRST, LAST, MALE

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_KEPT = word_set(
    "de la las los del van von der den bin ibn al el da di dos du le ter jr sr ii iii iv"
)


class People:
    """Names of one dialogue; each word of a name has one substitute, by its place in the name."""

    def __init__(
        self, names: Sequence[str], flags: Mapping[str, int], taken: Collection[str], rng: Random
    ) -> None:
        """``names`` in order of their occurrence; ``taken``: case-folded words to avoid."""
        self._flags = flags
        self._rng = rng
        self._taken = set(taken)
        self._new: dict[str, str] = {}
        # Longer names first: "John Miller" says which of the two "Miller" alone is.
        for name in sorted(dict.fromkeys(names), key=lambda name: -len(_WORD.findall(name))):
            self._learn(name)

    def substitute(self, name: str) -> str:
        """The invented name, with the original's order, case, initials and signs."""
        return _WORD.sub(lambda match: self._word(match[0]), name)

    def known(self, word: str) -> str | None:
        """The substitute of a word of a name, if it is one."""
        return self._new.get(word.casefold())

    def invented(self) -> tuple[str, str]:
        """A given and a family name that nobody in the dialogue has."""
        return self._pick(MEN + WOMEN), self._pick(FAMILIES)

    def _learn(self, name: str) -> None:
        words = [word for word in _WORD.findall(name) if len(word) > 1]
        words = [word for word in words if word.casefold() not in _KEPT]
        family_first = "," in name
        for place, word in enumerate(words):
            key = word.casefold()
            if key in self._new:
                continue
            if len(words) > 1:
                family = place == (0 if family_first else len(words) - 1)
            else:
                flags = self._flags.get(key, 0)
                family = not flags & FIRST or (bool(flags & LAST) and not flags & (MALE | FEMALE))
            self._new[key] = self._pick(FAMILIES if family else self._given(key))

    def _given(self, key: str) -> tuple[str, ...]:
        flags = self._flags.get(key, 0)
        if flags & MALE:
            return MEN
        return WOMEN if flags & FEMALE else MEN + WOMEN

    def _pick(self, pool: Sequence[str]) -> str:
        free = [name for name in pool if name.casefold() not in self._taken]
        name = self._rng.choice(free or [f"{name}e" for name in pool])
        self._taken.add(name.casefold())
        return name

    def _word(self, word: str) -> str:
        if word.casefold() in _KEPT:
            return word
        if len(word) == 1:
            return in_case_of(word, self._initial(word))
        return in_case_of(word, self._new.get(word.casefold()) or self._pick(FAMILIES))

    def _initial(self, letter: str) -> str:
        """The first letter of the substitute whose original began with ``letter``."""
        key = letter.casefold()
        for original, new in self._new.items():
            if original.startswith(key):
                return new[0]
        return self._new.setdefault(key, _other_letter(letter, self._rng.choice))


def in_case_of(original: str, new: str) -> str:
    """``new`` in capitals, small letters or with a capital, as ``original`` is written."""
    if original.islower():
        return new.lower()
    if original.isupper() and len(original) > 1:
        return new.upper()
    return new[:1].upper() + new[1:]


def _other_letter(letter: str, choose: Callable[[Sequence[str]], str]) -> str:
    return choose([char for char in "BCDEFGHJKLMNPRSTVW" if char != letter.upper()])


def name_words(names: Iterable[str]) -> set[str]:
    """The words of names that identify by themselves: neither initials nor "de" and "Jr"."""
    found = {word for name in names for word in _WORD.findall(name)}
    return {word for word in found if len(word) > 2 and word.casefold() not in _KEPT}
