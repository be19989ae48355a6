"""Towns and counties."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import CAPITAL, Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    EPONYM,
    MAYBE_EPONYM,
    METRO,
    NAME,
    RARE,
    REGION,
    USUAL,
    WORD,
    lexicon,
)

CAP_WORD = rf"(?:(?:St|Ste|Mt|Ft|Dr|N|S|E|W)\.|[{CAPITAL}](?:[\w'’]|-(?=\w))*)"
_TOKEN = re.compile(rf"(?<![\w@/'’])[{CAPITAL}](?:[^\W\d_]|['’\-](?=[^\W\d_]))*")
_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_FOLLOWING = re.compile(r"\.?[ \-]([^\W\d_]+(?:['’.\-][^\W\d_]+)*)")
_IN = re.compile(r"\b(?:in|from|near|outside|around|downtown)[ ]$", re.IGNORECASE)
_PLACE_ENDS = re.compile(
    r"\s*(?:[,.;!?)]|$|and\b|with\b|for\b|last\b|on\b|since\b|when\b|where\b|\d|this\b|but\b|to\b)"
)
_PHRASE = re.compile(r"[^.,;:()\n]{0,40}")
_GRADED = re.compile(r"[ ](?:[IVX]+|mild|moderate|severe|criteria|definition|grade|C\dM\d+)\b")
_CITY_LABEL = re.compile(
    rf"\b(?:City|CITY|Town|TOWN)[ ]*[:|=][ ]*(?P<place>{CAP_WORD}(?:[ ]{CAP_WORD})?)"
)
_ZIP_BEHIND = re.compile(r",?[ ]\d{5}\b")
_CAPITALS = re.compile(r"[A-Z]{2}")  # an abbreviation: TIAs, IL-2
_LIVES = re.compile(
    r"\b(?:(?:liv(?:e|es|ed|ing)|resid(?:e|es|ed|ing)|resident|born|raised|grew up|mov(?:e|ed|ing)|"
    r"stay(?:s|ed|ing)?|based|settled|located|relocat(?:e|ed|ing)|flew|drove|hail(?:s|ing)?|"
    r"travel(?:l?ed|l?ing|s)?|originally|back|c[ao]me|comes|here|arriv(?:e|es|ed)|"
    r"return(?:s|ed|ing)?|trip)[ ]"
    r"(?:in|from|to|near|outside|around|at|of)|visit(?:ed|ing)|(?:am|is|are|was|were|['’]m) from|"
    r"(?:city|town|village|suburb|outskirts)[ ]of)[ ](?:the (?:city|town|village) of )?"
    rf"(?P<place>{CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}})"
    rf"(?:,?[ ](?:to|from|and)[ ](?P<second>{CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}}))?"
)
_LIVING = word_set(
    """
    live lives lived living reside resides resided residing resident born raised grew move moved
    moving stay stays stayed staying based settled originally hail hails located relocate relocated
    visit visited visiting flew drove travel travelled traveled traveling travelling travels back
    here am is are was were i'm come came comes arrive arrives arrived return returns returned
    returning trip city town village suburb outskirts just
    """
)
_COUNTIES = word_set("county township parish borough village census")
_COUNTY_SMALL = re.compile(
    r"\b(?:in|from|of|near|to)[ ](?P<place>[a-z]+(?:[ ][a-z]+)??[ ]county)\b"
)
_SMALL_TOWN = re.compile(
    r"\b(?P<cue>liv(?:e|es|ed|ing)(?: (?:with me |alone )?(?:in|near|at))?|moved(?: here| "
    r"back)? to|"
    r"move to|in|from|near|outside|around|to)[ ](?P<place>[a-z]+(?:['’-][a-z]+)*(?:[ ][a-z]+)?)"
)
_SMALL_LIVING = word_set("live lives lived living moved move in from near outside around")
_COUNTY = re.compile(
    rf"(?<!\w){CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}}[ ]"
    r"(?:County|COUNTY|Township|Parish|Borough|Village|Census Area)\b"
)
_CITY_STATE = re.compile(
    rf"(?<!\w)(?P<city>{CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}}),[ ]?(?P<state>[A-Z]{{2}}|"
    rf"{CAP_WORD}(?:[ ]{CAP_WORD})?)\b"
)
GENERIC = word_set(
    """
    the a an my our your his her their this that local general city county district state
    government govt private public children childrens children's women women's womens men's
    university community regional national memorial eye dental heart cancer mental health medical
    emergency outpatient pain sleep fertility central main big good nearest nearby another any some
    other at in to from of and for with visit free walk-in specialty speciality teaching acute
    long-term psychiatric super multi multispeciality family primary urgent advanced home nursing
    sexual std gum wound surgical maternity skin ortho orthopedic orthopaedic diabetes diabetic ent
    ivf chest weight rehab rehabilitation breast veterans veteran's specialist tertiary care base
    reputed reputable when if after before then once since please go see call get find contact is
    was no i he she we they it dear doctor hi hello diagnostic pathology blood imaging radiology
    and/or online
    """
)
_AMBIGUOUS_CODES = frozenset(("MD", "DO", "PA", "MA", "OR", "IN", "ME", "HI", "OK", "ID", "OH"))


class PlaceRecognizer(SpanRecognizer):
    """Towns by the lexicon and by what stands around them."""

    TYPES = (PhiType.CITY,)
    SCORE = 0.8

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        lists = lexicon()
        self._flags = lists.flags
        self._towns = lists.towns
        self._states = lists.states
        self._codes = lists.state_codes
        self._first_words = frozenset(lists.towns)
        plain = COMMON | WORD | EPONYM | MAYBE_EPONYM | REGION
        self._small_towns = frozenset(
            word for word, flag in lists.flags.items() if flag & CITY and not flag & plain
        )
        self._state_words = lists.state_codes | {
            state.split()[0].capitalize() for state in lists.states
        }

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Places in ``text``."""
        if clues.has_city:
            yield from self._listed(text)
        if clues.uncommon or clues.has_city:
            if not _LIVING.isdisjoint(clues.words):
                for match in _LIVES.finditer(text):
                    yield from self._town(match, "place")
                    if match["second"]:
                        yield from self._town(match, "second")
            if "city" in clues.words or "town" in clues.words:
                for match in _CITY_LABEL.finditer(text):
                    yield *match.span("place"), PhiType.CITY
            if not _COUNTIES.isdisjoint(clues.words):
                for match in _COUNTY.finditer(text):
                    yield match.start(), match.end(), PhiType.CITY
            if "," in text and not self._state_words.isdisjoint(clues.capitals):
                for match in _CITY_STATE.finditer(text):
                    yield from self._before_state(match)
        small = not _SMALL_LIVING.isdisjoint(clues.words) and (
            "county" in clues.words
            or not self._small_towns.isdisjoint(clues.words)
            or any(
                rest[0] in clues.words
                for first in self._first_words & clues.words
                for rest in self._towns[first]
            )
        )
        if small:
            yield from self._small(text)

    def _listed(self, text: str) -> Iterator[Found]:
        """Towns of the lists; one that is also a word needs "in", "from" and the like before it."""
        for match in _TOKEN.finditer(text):
            word = match[0].casefold()
            for rest in self._towns.get(word, ()):
                end = self._rest(text, match.end(), rest)
                if end and not self._head_follows(text, end):
                    yield match.start(), end, PhiType.CITY
                    break
            flags = self._flags.get(word, 0)
            if not flags & CITY or flags & REGION or _GRADED.match(text, match.end()):
                continue
            if _CAPITALS.search(match[0]) and not (flags & METRO or text.isupper()):
                continue
            if flags & (WORD | EPONYM | COMMON) or (flags & NAME and not flags & (METRO | RARE)):
                if flags & (EPONYM | COMMON):
                    continue
                if not _IN.search(text, max(0, match.start() - 9), match.start()):
                    continue
                if flags & WORD and not _PLACE_ENDS.match(text, match.end()):
                    continue
            elif flags & USUAL and not _IN.search(text, max(0, match.start() - 9), match.start()):
                continue
            if flags & MAYBE_EPONYM and self._head_follows(text, match.end()):
                continue
            yield match.start(), match.end(), PhiType.CITY

    @staticmethod
    def _rest(text: str, end: int, rest: tuple[str, ...]) -> int:
        for word in rest:
            following = _FOLLOWING.match(text, end)
            if not following or following[1].casefold() != word:
                return 0
            if (
                word not in ("of", "the", "on", "upon", "de", "la", "del")
                and following[1].islower()
            ):
                return 0
            end = following.end()
        return end

    @staticmethod
    def _head_follows(text: str, end: int) -> bool:
        phrase = _PHRASE.match(text, end)
        behind = phrase[0] if phrase else ""
        return any(word.casefold() in HEADS for word in _WORD.findall(behind)[:3])

    def _known_words(self, place: str) -> bool:
        """Whether any word could be a proper name: neither frequent nor a state or country."""
        if place.casefold() in self._states:
            return False
        words = [word.casefold() for word in _WORD.findall(place)]
        flags = [self._flags.get(word, 0) for word in words]
        if any(word in GENERIC or word in HEADS for word in words):
            return False
        return not all(flag & (COMMON | REGION | EPONYM) for flag in flags)

    def _town(self, match: re.Match[str], group: str) -> Iterator[Found]:
        start, place = match.start(group), match[group].rstrip(".,-")
        words = place.split()
        while words and self._flags.get(words[-1].casefold(), 0) & COMMON:
            words.pop()
        place = " ".join(words)
        if not words or _CAPITALS.search(place):
            return
        first = self._flags.get(words[0].casefold(), 0)
        if first & COMMON or not self._known_words(place) or (first & WORD and not first & CITY):
            return
        if len(words) == 1 and first & REGION:
            return
        yield start, start + len(place), PhiType.CITY

    def _before_state(self, match: re.Match[str]) -> Iterator[Found]:
        state = match["state"]
        if state not in self._codes and state.casefold() not in self._states:
            return
        words = match["city"].split()
        coded = _ZIP_BEHIND.match(match.string, match.end())
        if (
            state in _AMBIGUOUS_CODES
            and not coded
            and not (
                self._flags.get(words[-1].casefold(), 0) & CITY
                or words[0].casefold() in self._towns
            )
        ):
            return
        start = match.start("city")
        while words and self._flags.get(words[0].casefold(), 0) & COMMON:
            start += len(words[0]) + 1
            words.pop(0)
        if words and self._known_words(" ".join(words)):
            yield start, match.end("city"), PhiType.CITY

    def _small(self, text: str) -> Iterator[Found]:
        """Towns in lower case behind "in", "from", "lives"; no word but a town's name."""
        for match in _COUNTY_SMALL.finditer(text):
            if not self._flags.get(match["place"].split()[-2], 0) & (COMMON | WORD):
                yield *match.span("place"), PhiType.CITY
        for match in _SMALL_TOWN.finditer(text):
            words = match["place"].split()
            start = match.start("place")
            if len(words) == 2 and (words[1],) in self._towns.get(words[0], ()):
                if not self._flags.get(words[0], 0) & self._flags.get(words[1], 0) & COMMON:
                    yield *match.span("place"), PhiType.CITY
                continue
            flags = self._flags.get(words[0], 0)
            homely = match["cue"] not in ("in", "from", "near", "around", "to", "outside")
            plain = flags & (COMMON | WORD | EPONYM | MAYBE_EPONYM | REGION)
            if flags & CITY and not plain and (homely or flags & METRO or not flags & USUAL):
                yield start, start + len(words[0]), PhiType.CITY
