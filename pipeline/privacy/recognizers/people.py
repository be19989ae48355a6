"""Names of people: by title, greeting, signature, introduction, relation, and in running text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import (
    CAPITAL,
    Found,
    SpanRecognizer,
    is_mid_sentence,
    is_whole,
)
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.name_rules import (
    MODALS,
    MONTHS,
    NEVER_LOWER,
    RULES,
    Rule,
)
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS, NEVER, SURE_HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    EPONYM,
    FIRST,
    LAST,
    MAYBE_EPONYM,
    NAME,
    REGION,
    USUAL,
    WORD,
    lexicon,
)

_LETTERS = r"(?:[^\W\d_]|['’\-](?=[^\W\d_]))*"
_WORD = rf"[^\W\d_]{_LETTERS}"
_CAPITALISED = re.compile(rf"(?<![\w@/])[{CAPITAL}]{_LETTERS}")
_NEXT = re.compile(
    rf"(?:(?<=[ .\-][{CAPITAL}])\.?\s?|[ \t]+)"
    r"(?:(?:de|la|las|los|del|van|von|der|den|bin|ibn|al|el|da|di|dos|du|le|ter)[ ])*"
    rf"(?P<word>[{CAPITAL}](?:\.|{_LETTERS}))"
)
_BEFORE = re.compile(rf"(?:^|(?<![\w@/]))(?P<word>[{CAPITAL}](?:\.|[^\W\d_]+))[ ]?$")
_ANY_WORD = re.compile(_WORD)
_LOWER_WORD = re.compile(r"[a-z]{4,}")
_LOWER_NEXT = re.compile(r"[ ]([a-z]{3,})\b")
_COMMA_GIVEN = re.compile(rf",[ ]({_WORD}(?:[ ][{CAPITAL}]\b\.?)?)")
_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|II|III|IV)\b\.?")
_INITIAL = re.compile(rf"^[{CAPITAL}]\.?$")
_POSSESSIVE = re.compile(r"['’]s$|['’]$")
_HEAD_NEAR = re.compile(rf"(?:['’]s?)?(?:[ \-]+{_WORD}){{1,3}}")
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
    rf"[ ]{_WORD}(?:[ ]{_WORD})?(?:['’]s\b|\s*[,.:;\n]|$|[ ](?:was|is|has|had|and|said|came|went)\b)"
)
_TO_A_PERSON = re.compile(
    r"\b(?:asked|told|with|to|by|called|saw|met|tell|ask|let|gave|give|visited|phoned|and|for)[ ]$"
)
_PRONOUN = re.compile(
    r"[ ]+(?:i|it|this|that|the|you|he|she|there|be|these|we|they|my|not|any|all|your|his|her|do|try)\b",
    re.IGNORECASE,
)
_MAX_WORDS = 4


class PersonRecognizer(SpanRecognizer):
    """One scan of the capitalised words against the lexicon, then the rules a text calls for.

    A plain word ("Rose", "Mark") is a name only beside another name or after a sign of a person;
    an eponym only after such a sign.
    """

    TYPES = (PhiType.NAME,)

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        lists = lexicon()
        self._flags = lists.flags
        self._usual = lists.usual_first

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names in ``text``."""
        usual = not self._usual.isdisjoint(clues.words)
        if clues.has_name:
            yield from self._in_running_text(text)
        if usual:
            yield from self._typed_small(text)
        for rule in RULES:
            if rule.unlisted == "no":
                possible = clues.has_name or usual
            else:
                possible = clues.uncommon or usual or rule.unlisted == "any"
            if possible and not rule.words.isdisjoint(clues.words):
                for match in rule.pattern.finditer(text):
                    found = self._after_sign(text, match.end(), rule)
                    if found:
                        yield *found, PhiType.NAME

    # ---- running text ------------------------------------------------------------------------

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
        bare = _POSSESSIVE.sub("", word).rstrip(".").casefold()
        flags = self._flags.get(bare, 0)
        if not flags and "-" in bare:
            parts = [self._flags.get(part, 0) for part in bare.split("-")]
            if all(part & NAME and not part & (WORD | EPONYM) for part in parts):
                return FIRST | LAST
        return flags

    def _without_sign(self, text: str, match: re.Match[str], flags: int) -> tuple[int, int] | None:
        """The name that this word begins or ends, if it is one without any sign before it."""
        start, word = match.start(), _POSSESSIVE.sub("", match[0])
        end = start + len(word)
        if word.isupper() and len(word) < 5 and not text.isupper():
            return None
        if flags & MAYBE_EPONYM and self._head_follows(text, end):
            return None
        if not flags & (WORD | EPONYM | REGION | COMMON):
            end = self._extended(text, end)
            if len(match[0]) == len(word) and self._head_follows(text, end, sure=True):
                return None
            return self._preceded(text, start), end
        if flags & (EPONYM | COMMON) or not flags & FIRST:
            return None
        follower = _NEXT.match(text, match.end())
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
            return bool(flags) or len(following) > 3
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
            follower = _NEXT.match(text, end)
            if not follower:
                break
            word = follower["word"]
            bare = _POSSESSIVE.sub("", word)
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
            dotted = word.endswith(".") or _NEXT.match(text, follower.end()) is not None
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
        words = _ANY_WORD.findall(near[0])
        if sure:
            return words[0].casefold() in SURE_HEADS
        return any(word.casefold() in HEADS for word in words)

    def _typed_small(self, text: str) -> Iterator[Found]:
        """Usual given names that somebody typed without a capital, with a surname behind them."""
        for match in _LOWER_WORD.finditer(text):
            if match[0] not in self._usual or not is_whole(text, match.start(), match.end()):
                continue
            end = match.end()
            follower = _LOWER_NEXT.match(text, end)
            if follower:
                flags = self._flags.get(follower[1], 0)
                if flags & LAST and not flags & (WORD | COMMON | EPONYM):
                    end = follower.end()
            yield match.start(), end, PhiType.NAME

    # ---- after a sign ------------------------------------------------------------------------

    def _after_sign(self, text: str, start: int, rule: Rule) -> tuple[int, int] | None:
        """The name that begins at ``start``, behind a title, a greeting or another sign."""
        match = _ANY_WORD.match(text, start)
        if not match:
            return None
        word = _POSSESSIVE.sub("", match[0])
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
            if not self._fits_small(word, flags, rule):
                return None
            end = self._small_surname(text, end, rule)
        if rule.behind and not rule.behind.match(text, end):
            return None
        return start, end

    def _fits(self, text: str, match: re.Match[str], word: str, flags: int, rule: Rule) -> bool:
        """Whether a capitalised word behind a sign is a name."""
        lowered = word.casefold()
        if len(word) == 1:
            return rule.sure and word != "I" and _NEXT.match(text, match.end()) is not None
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
        return rule.unlisted != "no" and (not word.isupper() or len(word) > 4)

    @staticmethod
    def _fits_small(word: str, flags: int, rule: Rule) -> bool:
        """Whether a word without a capital behind a sign is a name."""
        if word in NEVER_LOWER:
            return False
        if flags & NAME and not flags & (WORD | COMMON | EPONYM | REGION):
            return rule.sure or bool(flags & FIRST)
        if rule.sure and flags & NAME and not flags & COMMON:
            return word not in MODALS
        return rule.unlisted == "any" and not flags and len(word) > 2

    def _small_surname(self, text: str, end: int, rule: Rule) -> int:
        follower = _LOWER_NEXT.match(text, end)
        if not follower or follower[1] in MODALS:
            return end
        flags = self._flags.get(follower[1], 0)
        listed = flags & LAST and not flags & COMMON and (rule.sure or not flags & WORD)
        return follower.end() if listed or (rule.unlisted == "any" and not flags) else end
