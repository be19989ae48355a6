"""Names behind a sign of a person: a title, a greeting, "my name is", "my husband", "Regards"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import CAPITAL, Found
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.names.name_rules import (
    JOBS,
    MODALS,
    MONTHS,
    NEVER_LOWER,
    RULES,
    Rule,
)
from medllm.pipeline.privacy.recognizers.names.people import (
    ANY_WORD,
    LOWER_NEXT,
    NEXT,
    POSSESSIVE,
    WORD_SHAPE,
    PersonRecognizer,
)
from medllm.pipeline.privacy.vocabulary.english import is_english
from medllm.pipeline.privacy.vocabulary.eponyms import NEVER
from medllm.pipeline.privacy.vocabulary.lexicon import (
    COMMON,
    EPONYM,
    FIRST,
    LAST,
    MAYBE_EPONYM,
    NAME,
    REGION,
    USUAL,
    WORD,
)

_RULES_OF: dict[str, list[int]] = {}
for _number, _rule in enumerate(RULES):
    for _word in _rule.words:
        _RULES_OF.setdefault(_word, []).append(_number)
_RULE_WORDS = frozenset(_RULES_OF)
_COMMA_GIVEN = re.compile(rf",[ ]({WORD_SHAPE}(?:[ ][{CAPITAL}]\b\.?)?)")
_PARTICLES = re.compile(
    r"(?:(?:van|von|der|den|de|la|del|ten|ter|di|dos|da|el|al|bin)[ -])+(?=[^\W\d_]{3})"
)
_LETTER_ENDS = re.compile(r"[.]?(?:[!,;:?)\n]|$|[ ](?:and|said|will|is|was|has|at|for)\b)")
_SMALL_INITIAL = re.compile(r"[a-z]\.?[ ](?P<name>[a-z'’-]{3,})\b")
_PRONOUN = re.compile(
    r"[ ]+(?:i|it|this|that|the|you|he|she|there|be|these|we|they|my|not|any|all|your|his|"
    r"her|do|try)\b",
    re.IGNORECASE,
)


class SignRecognizer(PersonRecognizer):
    """After a sign a plain word, an eponym or a word on no list is a name too, as the rule says."""

    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names in ``text``."""
        present = clues.words & _RULE_WORDS
        if not present:
            return
        usual = not self._given.isdisjoint(clues.words)
        for number in sorted({number for word in present for number in _RULES_OF[word]}):
            rule = RULES[number]
            if rule.unlisted == "no":
                possible = clues.has_name or usual or rule.small
            else:
                possible = clues.uncommon or usual or rule.small or rule.unlisted == "any"
            if possible:
                for match in rule.pattern.finditer(text):
                    found = self._after_sign(text, match.end(), rule)
                    if found:
                        yield *found, PhiType.NAME

    def _after_sign(self, text: str, start: int, rule: Rule) -> tuple[int, int] | None:
        """The name that begins at ``start``, behind a title, a greeting or another sign."""
        first = start
        particles = _PARTICLES.match(text, start) if rule.small else None
        match = ANY_WORD.match(text, particles.end() if particles else start)
        if not match:
            return None
        start = match.start()
        word = POSSESSIVE.sub("", match[0])
        flags = self._flags_of(word)
        end = start + len(word)
        if word[0].isupper():
            if not self._fits(text, match, word, flags, rule):
                return None
            if len(match[0]) == len(word):
                end = self._extended(text, end)
            given = _COMMA_GIVEN.match(text, end) if flags & LAST else None
            if given and self._flags_of(given[1].split()[0]) & FIRST:
                end = given.end(1)
        else:
            initial = _SMALL_INITIAL.match(text, start) if rule.sure and rule.small else None
            listed = self._flags.get(initial["name"], 0) if initial else 0
            if initial and (
                not is_english(initial["name"]) or (listed & NAME and not listed & COMMON)
            ):
                return first, initial.end()
            if not self._fits_small(word, flags, rule):
                return None
            end = self._small_surname(text, end, rule)
        if rule.behind and not rule.behind.match(text, end):
            return None
        return first, end

    def _fits(self, text: str, match: re.Match[str], word: str, flags: int, rule: Rule) -> bool:
        """Whether a capitalised word behind a sign is a name."""
        lowered = word.casefold()
        if len(word) == 1:
            named = NEXT.match(text, match.end()) or _LETTER_ENDS.match(text, match.end())
            return rule.sure and word not in "IA" and named is not None
        if lowered in MONTHS and rule.unlisted == "no":
            return False
        if lowered in NEVER or (lowered in MODALS and _PRONOUN.match(text, match.end())):
            return False
        if flags & (COMMON | REGION):
            return rule.sure and bool(flags & NAME)
        if flags & NAME:
            if rule.sure:
                return True
            wanted = USUAL if rule.unlisted == "no" else FIRST
            plain_word = flags & WORD and not flags & wanted
            return not (plain_word or flags & EPONYM) and not (
                self._head_follows(text, match.end(), sure=True)
            )
        if flags & (WORD | EPONYM | MAYBE_EPONYM):
            return rule.sure and not flags & WORD
        if lowered in JOBS or (not rule.plain and is_english(lowered)):
            return False
        return rule.unlisted != "no" and (not word.isupper() or len(word) > 4 or text.isupper())

    @staticmethod
    def _fits_small(word: str, flags: int, rule: Rule) -> bool:
        """Whether a word without a capital behind a sign is a name."""
        if word in NEVER_LOWER:
            return False
        if flags & NAME and not flags & (WORD | COMMON | EPONYM | REGION):
            return rule.sure or bool(flags & FIRST)
        if rule.sure and flags & NAME and not flags & COMMON:
            return word not in MODALS
        if rule.small and not flags and SignRecognizer._strange(word):
            return True
        return rule.unlisted == "any" and not flags and len(word) > 2 and not is_english(word)

    def _small_surname(self, text: str, end: int, rule: Rule) -> int:
        follower = LOWER_NEXT.match(text, end)
        if not follower or follower[1] in MODALS:
            return end
        flags = self._flags.get(follower[1], 0)
        listed = flags & LAST and not flags & COMMON and (rule.sure or not flags & WORD)
        unlisted = not flags and (
            rule.unlisted == "any" or (rule.small and self._strange(follower[1]))
        )
        return follower.end() if listed or unlisted else end
