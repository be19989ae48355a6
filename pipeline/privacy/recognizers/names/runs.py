"""Names on no list: runs of capitalised words that English does not know, judged by place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import (
    CAPITAL,
    MEDICAL_SHAPE,
    Found,
    SpanRecognizer,
    is_mid_sentence,
)
from medllm.pipeline.privacy.recognizers.clues import SURNAME_ENDING, Clues
from medllm.pipeline.privacy.recognizers.names import run_signs as signs
from medllm.pipeline.privacy.recognizers.names.name_rules import MODALS, MONTHS
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.english import (
    ABBREVIATIONS,
    SHORT_SURNAMES,
    english,
    is_english,
    seldom_english,
)
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS, NEVER
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    DRUG,
    EPONYM,
    FIRST,
    MAYBE_EPONYM,
    NAME,
    REGION,
    WORD,
    lexicon,
)

_PARTICLES = (
    r"(?:(?:(?:[Vv]an|VAN|[Vv]on|VON|[Dd]e|DE|[Ll]a|LA|las|los|[Dd]el|DEL|[Dd]er|DER|[Dd]en|DEN|"
    r"[Dd]os|DOS|[Dd]as|[Dd]a|DA|[Dd]i|DI|[Dd]u|[Ll]e|[Tt]er|TER|[Tt]en|TEN|bin|ibn|[Ss]t\.?)[ ])"
    r"{1,3}|(?:al|el)[- ])"
)
_WORD = rf"[{CAPITAL}](?:[^\W\d_]|['’](?!s\b)(?=[^\W\d_])|-(?=[^\W\d_]))+(?![\w])"
_PART = rf"(?:{_PARTICLES})?{_WORD}"
_INITIAL = rf"[{CAPITAL}]\.(?![a-z])"
_RUN = re.compile(
    rf"(?=[{CAPITAL}vdlatebis])(?<![\w@/#&'’\-])(?:(?:{_INITIAL}[ ]?){{1,2}})?{_PART}"
    rf"(?:[ ](?:(?:{_INITIAL})+|[{CAPITAL}](?=[ ][{CAPITAL}][^\W\d_])|{_PART}))*"
)
_TOKEN = re.compile(rf"(?P<initials>(?:{_INITIAL})+|[{CAPITAL}](?=[ ]))|(?P<word>{_PART})")
_PARTICLE_WORDS = word_set("van von de la le del der den dos das di du ter ten bin ibn al el")
_PARTICLE = re.compile(_PARTICLES)
_GIVEN = re.compile(
    rf",[ ]?(?P<given>{_PART}(?:[ ]{_WORD})?|[{CAPITAL}]\.)"
    rf"(?P<more>[ ][{CAPITAL}](?:\.|\b(?!['’\-])))?"
)
_LETTER_BEHIND = re.compile(rf"[ ][{CAPITAL}](?:\.(?=[\s,;:)]|$)|(?=\s*(?:[,;:)|\n]|$)|[ ]{{2}}))")
_ALSO = re.compile(rf"/(?P<name>{_PART})")
_ENDS_THE_TEXT = re.compile(r"[.!?)][ \n]+[-–]?[ ]?$")
_REST = re.compile(rf"^(?:[ ][{CAPITAL}]\b)?[ .,]*$")
_JOINED = re.compile(rf"({_WORD})[ ](?:and|or|&)[ ]$")
_HEAD_NEAR = re.compile(r"(?:['’]s?)?(?:[ \-]+[^\W\d_]+){1,2}")
_ANY = re.compile(r"[^\W\d_]+")
_ALSO_WORDS = MODALS | MONTHS  # names only where a rule of name_rules says so
_LAST_WORD = re.compile(r"\w+$")
_PAUSES = ' \t\n:/–|-(["“.,'
_DAYS = frozenset(["jan", "mar", "apr", "jun", "jul", "mon", "tue", "thu", "fri", "sun"])
_PLAIN, _MAYBE, _UNKNOWN, _LISTED = 0, 1, 2, 3


def _label(text: str, start: int) -> bool:
    """Whether a label, a role or a relation stands right before ``start``."""
    before = text[max(0, start - 40) : start]
    last = _LAST_WORD.search(before.rstrip(_PAUSES))
    if not last or not (last[0].isdigit() or last[0].casefold() in signs.LAST_OF_A_LABEL):
        return False
    return signs.LABEL.search(text, max(0, start - 40), start) is not None


class _Part(NamedTuple):
    """One word of a run; ``kind`` says how much it looks like a name."""

    start: int
    end: int
    kind: int
    initials: bool


class RunRecognizer(SpanRecognizer):
    """A capitalised run is a name if its words are no plain ones and its place does not object.

    Two words need no more; one word needs a label, a credential or a person's verb beside it.
    """

    TYPES = (PhiType.NAME,)
    SCORE = 0.6

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags
        english()
        self._kinds: dict[str, int] = {}

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names in ``text``."""
        kinds = self._kinds
        strange = clues.uncommon and any(
            kinds[token] if token in kinds else self.kind(token) for token in clues.capitals
        )
        if strange or not clues.words.isdisjoint(_PARTICLE_WORDS):
            for run in _RUN.finditer(text):
                if kinds.get(run[0], 1) == _PLAIN:
                    continue
                yield from self._in_run(text, run)
        yield from self._letters(text, clues)

    def _in_run(self, text: str, run: re.Match[str]) -> Iterator[Found]:
        """The names in one run, parted by its plain words."""
        parts: list[_Part] = []
        for token in _TOKEN.finditer(text, run.start(), run.end()):
            word = token["word"]
            if word is None:
                parts.append(_Part(token.start(), token.end(), _MAYBE, initials=True))
                continue
            if word.casefold() in signs.DRUG_FORMS:
                return
            kind = self.kind(word)
            if kind == _PLAIN:
                yield from self._judged(text, parts)
                parts = []
            else:
                parts.append(_Part(token.start(), token.end(), kind, initials=False))
        yield from self._judged(text, parts)

    def kind(self, word: str) -> int:
        """How much one capitalised word looks like a name: 0 not at all, 3 it is on a list."""
        kind = self._kinds.get(word)
        if kind is None:
            kind = self._kind_of(_PARTICLE.sub("", word), particle=bool(_PARTICLE.match(word)))
            if len(self._kinds) < 100_000:
                self._kinds[word] = kind
        return kind

    def _kind_of(self, word: str, *, particle: bool) -> int:
        lowered = word.casefold()
        flags = self._flags.get(lowered, 0)
        if len(word) < 3:
            return _MAYBE if lowered in SHORT_SURNAMES or particle else _PLAIN
        if (
            lowered in ABBREVIATIONS
            or lowered in signs.LABEL_WORDS
            or lowered in NEVER
            or flags & (COMMON | REGION)
        ):
            return _PLAIN
        if flags & NAME:
            if particle:
                return _LISTED
            return _MAYBE if flags & (WORD | EPONYM | MAYBE_EPONYM) else _LISTED
        if flags & (EPONYM | MAYBE_EPONYM | CITY):
            return _MAYBE
        if flags & (WORD | DRUG):
            return _PLAIN
        if "-" in word:
            kinds: list[int] = [
                self._kind_of(part, particle=False) for part in word.split("-") if len(part) > 1
            ]
            return max(kinds) if kinds and (all(kinds) or max(kinds) > _MAYBE) else _PLAIN
        if lowered in _DAYS or lowered in seldom_english():
            return _MAYBE
        if is_english(lowered):
            return _MAYBE if particle else _PLAIN
        if word.isupper() and len(word) < 5:
            return _MAYBE if particle else _PLAIN
        if SURNAME_ENDING.search(lowered) or particle:
            return _LISTED
        if word.isascii() and (MEDICAL_SHAPE.search(lowered) or signs.DRUG_SHAPE.search(lowered)):
            return _MAYBE
        return _UNKNOWN

    def _judged(self, text: str, parts: list[_Part]) -> Iterator[Found]:
        """The run as a name, with "Last, First" behind it, if the place allows."""
        while parts and parts[-1].initials and len(parts) > 1 and text[parts[-1].end - 1] == " ":
            parts = parts[:-1]
        words = [part for part in parts if not part.initials]
        if not words:
            return
        start, end = parts[0].start, len(text[: parts[-1].end].rstrip())
        last = text[words[-1].start : words[-1].end].casefold()
        if last in signs.SPECIES or (len(words) == 1 and last in _ALSO_WORDS):
            return
        given = self._given(text, start, end, words)
        label = _label(text, start)
        credential = signs.CREDENTIAL.match(text, given or end)
        sure = bool(label or credential or given)
        best = max(part.kind for part in words)
        if not sure and (self._head_follows(text, end) or signs.THING_BEHIND.match(text, end)):
            return
        if not (sure or self._fits(text, start, end, parts, words, best)):
            return
        if label and not credential and not given and self._head_follows(text, end):
            return
        if not given:
            letter = _LETTER_BEHIND.match(text, end)
            end = letter.end() if letter else end
        yield start, given or end, PhiType.NAME
        also = _ALSO.match(text, given or end)
        if also and self.kind(also["name"]):
            yield *also.span("name"), PhiType.NAME

    def _fits(
        self, text: str, start: int, end: int, parts: list[_Part], words: list[_Part], best: int
    ) -> bool:
        """Whether a run without a label is a name."""
        personal = signs.PERSONAL.match(text, end) or signs.KIN_BEHIND.match(text, end)
        if len(parts) > len(words):
            last = _PARTICLE.sub("", text[words[-1].start : words[-1].end]).casefold()
            known = self._flags.get(last, 0) & NAME
            return bool(best > _MAYBE or personal or known)
        if len(words) > 1:
            if best > _MAYBE:
                return sum(part.kind for part in words) >= _UNKNOWN + _MAYBE or bool(
                    personal or self._alone(text, start, end)
                    or signs.SOFT_BEFORE.search(text, max(0, start - 20), start)
                    or signs.SOFT_BEHIND.match(text, end)
                )  # fmt: skip
            return bool(personal) or self._alone(text, start, end)
        if signs.KIN_BEHIND.match(text, end):
            return True
        if not text[end:].strip(" .!\n") and _ENDS_THE_TEXT.search(text[max(0, start - 5) : start]):
            return True
        if best == _MAYBE:
            return False
        if self._alone(text, start, end) or personal:
            return True
        if signs.PERSON_BEFORE.search(text, max(0, start - 25), start):
            return True
        joined = _JOINED.search(text, max(0, start - 30), start)
        if joined and self.kind(joined[1]) > _MAYBE:
            return True
        before = signs.SOFT_BEFORE.search(text, max(0, start - 20), start)
        behind = signs.SOFT_BEHIND.match(text, end)
        return bool(behind if not is_mid_sentence(text, start) else before and behind)

    def _given(self, text: str, start: int, end: int, words: list[_Part]) -> int | None:
        """The end of "Last, First M" that begins with the run, if the second half is a name."""
        match = _GIVEN.match(text, end)
        if not match or len(words) > 2 or text[end - 1] == ".":
            return None
        if (
            match["given"].isupper()
            and match["given"][1:2].isalpha()
            and not text[start:end].isupper()
        ):
            return None
        both = (text[words[-1].start : words[-1].end], match["given"])
        if all(self._flags.get(word.casefold(), 0) & EPONYM for word in both):
            return None
        kinds = [
            self.kind(word.title() if word.isupper() else word)
            for word in match["given"].split()
            if len(word) > 1 and word[1] != "."
        ]
        if not kinds:  # "Ito, K."
            return match.end() if max(part.kind for part in words) > _MAYBE else None
        last = max(part.kind for part in words)
        first = self._flags.get(match["given"].split()[0].casefold(), 0)
        given = first & FIRST
        labelled = _label(text, start)
        if not kinds[0]:
            if not labelled or last < _UNKNOWN or first & COMMON:
                return None
            kinds[0] = _MAYBE
        lonely = signs.LINE_START.search(text, max(0, start - 6), start)
        if last + kinds[0] < _UNKNOWN + _MAYBE and not (labelled or lonely or match["more"]):
            return None
        if not (given or labelled or lonely or match["more"]):
            return None
        if len(kinds) > 1 and not kinds[1]:
            return match.start("given") + len(match["given"].split()[0])
        return match.end()

    def _head_follows(self, text: str, end: int) -> bool:
        near = _HEAD_NEAR.match(text, end)
        return bool(near) and any(
            word.casefold() in HEADS for word in _ANY.findall(near[0] if near else "")
        )

    @staticmethod
    def _alone(text: str, start: int, end: int) -> bool:
        """Whether nothing else stands on the line."""
        if not signs.LINE_START.search(text, max(0, start - 6), start):
            return False
        stop = text.find("\n", end)
        rest = text[end : stop if stop >= 0 else len(text)]
        return start > 0 and not _REST.sub("", rest)

    def _letters(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names spelled out, and initials in the place of a name."""
        if not clues.words.isdisjoint(signs.SPELLING):
            for match in signs.SPELLED.finditer(text):
                if signs.SPELLS.search(text, max(0, match.start() - 50), match.start()):
                    yield *match.span(), PhiType.NAME
        if not clues.words.isdisjoint(signs.INITIAL_WORDS) or "." in text[:4]:
            for match in signs.INITIALS.finditer(text):
                group = match.lastgroup or "labelled"
                if match[group].replace(".", "").strip() not in signs.NO_INITIALS:
                    yield match.start(group), len(text[: match.end(group)].rstrip()), PhiType.NAME
