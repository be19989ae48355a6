"""Names of people in running text, by the lists of names and by the words around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import (
    CAPITAL,
    MEDICAL_SHAPE,
    Found,
    SpanRecognizer,
    is_mid_sentence,
    is_whole,
)
from medllm.pipeline.privacy.recognizers.clues import SURNAME_ENDING, Clues
from medllm.pipeline.privacy.recognizers.names.name_rules import (
    MONTHS,
)
from medllm.pipeline.privacy.recognizers.names.run_signs import THING_BEHIND
from medllm.pipeline.privacy.vocabulary.english import SHORT_SURNAMES, is_english
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS, SURE_HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    EPONYM,
    FIRST,
    LAST,
    MAYBE_EPONYM,
    NAME,
    RARE,
    REGION,
    USUAL,
    WORD,
    lexicon,
)

_LETTERS = r"(?:[^\W\d_]|['’\-](?=[^\W\d_]))*"
WORD_SHAPE = rf"[^\W\d_]{_LETTERS}"
_CAPITALISED = re.compile(rf"(?<![\w@/])[{CAPITAL}]{_LETTERS}")
NEXT = re.compile(
    rf"(?:(?<=[ .\-][{CAPITAL}])\.?\s?|[ \t]+)"
    r"(?:(?:de|la|las|los|del|van|von|der|den|bin|ibn|al|el|da|di|dos|du|le|ter)[ ])*"
    rf"(?P<word>[{CAPITAL}](?:\.|{_LETTERS}))"
)
_BEFORE = re.compile(rf"(?:^|(?<![\w@/]))(?P<word>[{CAPITAL}](?:\.|[^\W\d_]+))[ ]?$")
ANY_WORD = re.compile(WORD_SHAPE)
_LOWER_WORD = re.compile(r"[a-zß-öø-ÿāăąćčďđēęěğģıķľłńňōőœŕřśşšţťūůűźżž\-]{4,}")
LOWER_NEXT = re.compile(
    r"[ ](?:[a-z]\.[ ]|[b-z][ ])?(?:(?:van|von|der|den|de|la|del|ten|ter|di|dos|da|el|al|bin)[ -])*"
    r"([^\W\d_A-Z]{2,}(?:['’-][^\W\d_]{2,})*)\b"
)
_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|II|III|IV)\b\.?")
_INITIAL = re.compile(rf"^[{CAPITAL}]\.?$")
POSSESSIVE = re.compile(r"['’]s$|['’]$")
_HEAD_NEAR = re.compile(rf"(?:['’]s?)?(?:[ \-]+{WORD_SHAPE}){{1,3}}")
_SPEAKS = re.compile(
    r",? (?:said|says|told|asked|lives|lived|works as|was born|complained|wrote|had \w+e[dn])\b"
)
_VERB_OF_A_PERSON = re.compile(
    r"(?:['’]s (?:mother|father|wife|husband|son|daughter|doctor|mom|dad|sister|brother))?,?\s+"
    r"(?:tells|asks|called|calls|worked|complains|reports|reported|denies|denied|"
    r"was (?:admitted|seen|diagnosed|discharged)|is (?:a \d|\d|my|our)|has been|takes|took|went|"
    r"came|and (?:I|my)\b|\(?\d\d?\b)"
)
_SUBJECT = re.compile(
    rf"[ ]{WORD_SHAPE}(?:[ ]{WORD_SHAPE})?(?:['’]s\b|\s*[,.:;\n]|$|"
    r"[ ](?:was|is|has|had|and|said|came|went)\b)"
)
_TO_A_PERSON = re.compile(
    r"\b(?:asked|told|with|to|by|called|saw|met|tell|ask|let|gave|give|visited|phoned|and|for)[ ]$"
)
_MAX_WORDS = 4


class PersonRecognizer(SpanRecognizer):
    """One scan of the capitalised words against the lexicon.

    A plain word ("Rose", "Mark") is a name only beside another name or with a person's verb; an
    eponym is none here, see ``SignRecognizer``.
    """

    TYPES = (PhiType.NAME,)

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        lists = lexicon()
        self._flags = lists.flags
        self._usual = lists.usual_first
        self._given = lists.strange_first | lists.usual_first

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names in ``text``."""
        if clues.has_name:
            yield from self._in_running_text(text)
        if not self._given.isdisjoint(clues.words):
            yield from self._typed_small(text)

    def _in_running_text(self, text: str) -> Iterator[Found]:
        end = 0
        for match in _CAPITALISED.finditer(text):
            if match.start() < end:
                continue
            flags = self._flags_of(match[0])
            found = self._without_sign(text, match, flags) if flags & NAME else None
            if found:
                end = found[1]
                yield *found, PhiType.NAME

    def _flags_of(self, word: str) -> int:
        """The lexicon's flags of a word, possessive and hyphen seen through."""
        flags = self._flags.get(word.casefold(), 0)
        if flags:
            return flags
        bare = POSSESSIVE.sub("", word).rstrip(".").casefold()
        flags = self._flags.get(bare, 0)
        if not flags and "-" in bare:
            parts = [self._flags.get(part, 0) for part in bare.split("-")]
            if all(part & NAME and not part & (WORD | EPONYM) for part in parts):
                return FIRST | LAST
        if not flags and word[0].isupper() and SURNAME_ENDING.search(bare):
            return LAST
        return flags

    def _without_sign(self, text: str, match: re.Match[str], flags: int) -> tuple[int, int] | None:
        """The name that this word begins or ends, if it is one without any sign before it."""
        start, word = match.start(), POSSESSIVE.sub("", match[0])
        end = start + len(word)
        if word.isupper() and len(word) < 5 and not text.isupper():
            return None
        if flags & MAYBE_EPONYM and self._head_follows(text, end):
            return None
        if not flags & (WORD | EPONYM | REGION | COMMON):
            if not flags & USUAL and THING_BEHIND.match(text, end):
                return None
            if flags & RARE and (not word.istitle() and word[1:].islower() is word[1:].isupper()):
                return None
            if flags & RARE and self._head_follows(text, end):
                return None
            end = self._extended(text, end)
            if len(match[0]) == len(word) and self._head_follows(text, end, sure=True):
                return None
            return self._preceded(text, start), end
        if flags & (EPONYM | COMMON) or not flags & FIRST:
            return None
        follower = NEXT.match(text, match.end())
        if follower and self._makes_a_name(text, start, word, follower["word"]):
            end = self._extended(text, match.end())
            if end > match.end() + 3 and not self._head_follows(text, end):
                return start, end
        if flags & REGION or word.casefold() in MONTHS:
            return None
        inside = is_mid_sentence(text, start) and not word.isupper()
        if (
            _SPEAKS.match(text, match.end())
            or (inside and _VERB_OF_A_PERSON.match(text, match.end()))
            or (inside and flags & USUAL and _TO_A_PERSON.search(text, max(0, start - 15), start))
        ):
            return start, start + len(word)
        return None

    def _makes_a_name(self, text: str, start: int, word: str, following: str) -> bool:
        """Whether a plain word that is also a given name and the word behind it are one name."""
        if following.isupper() != word.isupper() and len(following) > 2:
            return False
        flags = self._flags_of(following)
        if flags & LAST and not flags & (WORD | EPONYM | REGION | COMMON):
            return True
        if _INITIAL.match(following):
            return following not in ("I", "A")
        if word.casefold() in MONTHS:
            return False
        if flags and (not flags & LAST or flags & (COMMON | REGION)):
            return False
        if is_mid_sentence(text, start):
            return bool(flags) or (
                len(following) > 3
                and bool(self._flags_of(word) & USUAL)
                and not MEDICAL_SHAPE.search(following)
            )
        usual = self._flags_of(word) & USUAL
        return bool(flags and usual and _SUBJECT.match(text, start + len(word)))

    def _preceded(self, text: str, start: int) -> int:
        """Where the name begins, when initials or given names stand before ``start``."""
        for _ in range(_MAX_WORDS - 1):
            before = _BEFORE.search(text, max(0, start - 30), start)
            if not before:
                break
            word = before["word"].rstrip(".")
            flags = self._flags_of(word)
            if len(word) == 1:
                taken = word not in ("I", "A") or before["word"].endswith(".")
            else:
                given = flags & FIRST and not flags & (COMMON | REGION | EPONYM)
                taken = not word.isupper() and bool(given or (not flags and len(word) > 2))
            if not taken:
                break
            start = before.start("word")
        return start

    def _extended(self, text: str, end: int) -> int:
        """The end of the name whose first word ends at ``end``: more names, initials, a surname."""
        for _ in range(_MAX_WORDS - 1):
            follower = NEXT.match(text, end)
            if not follower:
                break
            word = follower["word"]
            bare = POSSESSIVE.sub("", word)
            if not self._belongs(text, end, bare, follower):
                break
            end = follower.end() - (len(word) - len(bare))
            if len(bare) < len(word):
                break
        suffix = _SUFFIX.match(text, end)
        return suffix.end() if suffix else end

    def _belongs(self, text: str, end: int, word: str, follower: re.Match[str]) -> bool:
        """Whether a capitalised word behind a name is part of it."""
        if _INITIAL.match(word):
            dotted = word.endswith(".") or NEXT.match(text, follower.end()) is not None
            return word not in ("I", "A") and dotted
        flags = self._flags_of(word)
        if not flags:
            return len(word) > 2 and (not word.isupper() or text[end - 2].isupper())
        if flags & COMMON:
            return False
        if flags & NAME:
            return bool(flags & LAST) or not flags & WORD
        return not flags & (CITY | REGION | WORD)

    @staticmethod
    def _head_follows(text: str, end: int, *, sure: bool = False) -> bool:
        """Whether "syndrome", "sign" and the like stand behind; ``sure``: as the very next word."""
        near = _HEAD_NEAR.match(text, end)
        if not near:
            return False
        words = ANY_WORD.findall(near[0])
        if sure:
            return words[0].casefold() in SURE_HEADS
        return any(word.casefold() in HEADS for word in words)

    @staticmethod
    def _strange(word: str) -> bool:
        """Whether neither English nor the shape of medical words explains ``word``."""
        if len(word) < 3:
            return word in SHORT_SURNAMES and word not in {"do", "ha", "ye", "ho", "ba", "lo"}
        parts = word.split("-")
        return not MEDICAL_SHAPE.search(word) and not all(is_english(part) for part in parts)

    def _typed_small(self, text: str) -> Iterator[Found]:
        """Usual given names that somebody typed without a capital, with a surname behind them."""
        for match in _LOWER_WORD.finditer(text):
            if match[0] not in self._given or not is_whole(text, match.start(), match.end()):
                continue
            end = match.end()
            follower = LOWER_NEXT.match(text, end)
            if follower:
                flags = self._flags.get(follower[1], 0)
                if (flags & LAST and not flags & (WORD | COMMON | EPONYM)) or (
                    not flags and self._strange(follower[1])
                ):
                    end = follower.end()
            yield match.start(), end, PhiType.NAME
