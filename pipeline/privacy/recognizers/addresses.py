"""Streets, ZIP codes and the town between them; user names and e-mail addresses in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import (
    CAPITAL,
    MEDICAL_SHAPE,
    Found,
    SpanRecognizer,
)
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.places import CAP_WORD
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.lexicon import CITY, COMMON, REGION, lexicon

_TYPES = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Court|Ct|Boulevard|Blvd|Way|Place|Pl|"
    r"Terrace|"
    r"Ter|Circle|Cir|Highway|Hwy|Parkway|Pkwy|Square|Sq|Trail|Trl|Close|Crescent|Row|Alley|Loop|"
    r"Pike|Mews|Gardens|Grove|Marg|Nagar|Turnpike|Walk|Hill|Heights|Colony|Expressway|Freeway|"
    r"Hollow|Ridge|Run|Crossing|Path|Bend|Landing|Commons|Plaza|Plz|Cove|Manor|Estates|Bypass|Glen|"
    r"Causeway|Knoll|Trace|View|Park|Gate|Green|Chase|Rise|Vale|Croft|Mead|Meadow|Meadows|Wynd|"
    r"Brae|"
    r"Yard|Parade|Canyon|Oval|Circuit|Track|Strand|Springs|Station|Point|Pass|Cross|Fold|Drove|"
    r"Vista|Quay|Wharf|Esplanade|Promenade|Xing|Broadway)"
)
_UNIT = (
    r"(?:,?[ ]?(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room|Rm|Lot|Bldg|Building|Trailer|"
    r"Spc|PMB)\b\.?[ ]?#?|"
    r"#)[ ]?[A-Z]?\d{0,5}[A-Z]?\b)?"
)
_STREET = re.compile(
    r"(?<![\w.])(?:(?:Flat|Apt|Unit|Apartment|Suite)\.?[ ]\d{1,5}[A-Z]?,[ ])?"
    rf"\d{{1,6}}(?:[-/]\d+)?[A-Za-z]?,?[ ](?:\d{{1,4}}[ ])?"
    rf"(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.?[ ])?"
    rf"(?:(?:{CAP_WORD}|Jr\.|Sr\.|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,5}}{_TYPES}\b\.?"
    rf"(?:[ ](?:NW|NE|SW|SE|N|S|E|W)\b)?{_UNIT}"
)
_STREET_SMALL = re.compile(
    r"(?<![\w.])\d{1,6}[a-z]?,? (?:[a-z]+ ){1,3}(?:street|avenue|ave|road|lane|boulevard|"
    r"blvd|drive|"
    rf"court|terrace|crescent|highway|parkway)\b{_UNIT}",
    re.IGNORECASE,
)
_STREET_NAMED = re.compile(
    rf"(?<!\w)(?:{CAP_WORD}[ ]){{1,3}}(?:Street|Avenue|Road|Lane|Boulevard|Drive|Terrace|"
    rf"Crescent|Rd|Pkwy|Parkway|Cir|Circle|Blvd|Ave|Hwy|Ln|Trl|Trail|Way|Pike|Turnpike)\b{_UNIT}"
)
_STREET_ABROAD = re.compile(
    r"(?<!\w)(?:\d{1,5},?[ ])?"
    r"(?:(?:(?<=\d[ ])|(?<=\d,[ ]))(?:rue|via|calle)|Rue|Via|Calle|Avenida|Rua|Plaza|Piazza|"
    r"Carrer|Strada|Ulica|Paseo)[ ]"
    rf"(?:(?:de|la|del|du|des|di|da|"
    rf"do)[ ])*{CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}}(?:,?[ ]\d{{1,5}}\b)?{_UNIT}"
)
_STREET_ROUTE = re.compile(
    r"(?<![\w.])(?:\d{1,6}[A-Za-z]?,?[ ])?(?:(?:[NSEW]|NE|NW|SE|SW)\.?[ ])?"
    r"(?:(?:county|state|us|rural|farm|ranch|forest|old)[ ](?:road|rd|route|rte|highway|hwy)[ ]"
    r"\d{1,4}[A-Z]?|(?:avenue|ave)[ ][A-Z]|(?:(?<=\d[ ])|(?<=\d[ ][NSEW][ ]))broadway)\b" + _UNIT,
    re.IGNORECASE,
)
_STREET_LOW = re.compile(
    r"(?<![\w.])\d{1,6},? (?:[nsew]\.? )?(?:(?:[a-z'’-]+\.?|\d+(?:st|nd|rd|th)) ){1,5}"
    rf"(?:st|rd|ln|way|place|circle|cir|trail|pkwy|blvd|ave|street|road|square|hwy|loop){_UNIT}"
    r"(?![\w'])"
)
_STREET_ENDS = (
    "straße", "strasse", "straat", "gasse", "weg", "platz", "laan", "gatan", "vägen", "gade", "vej",
    "plein", "allee", "gata", "veien", "katu",
)  # fmt: skip
_STREET_COMPOUND = re.compile(
    rf"(?<!\w)[{CAPITAL}][^\W\d_]+(?:{'|'.join(_STREET_ENDS)})\b(?:[ ]\d{{1,5}}\b)?"
)
_BOX = re.compile(r"\bP\.?[ ]?O\.?[ ]?Box[ ]\d+\b", re.IGNORECASE)
_APARTMENT = re.compile(
    r"\b(?:Apt|Apartment|Suite|Flat)\b\.?(?:[ ]no\.?)?[ ]?#?[ ]?\d{1,5}[A-Z]?\b", re.IGNORECASE
)
_SMALL_TYPES = word_set(
    "street avenue ave road lane boulevard blvd drive court terrace crescent highway parkway"
)
_LOW_TYPES = word_set(
    "st rd ln way place circle cir trail pkwy blvd ave street road square hwy loop"
)
_ALL_TYPES = frozenset(_TYPES.removeprefix("(?:").removesuffix(")").lower().split("|"))
_STREETS = (
    (_STREET, _ALL_TYPES, True),
    (_STREET_SMALL, _SMALL_TYPES, True),
    (_STREET_NAMED, _ALL_TYPES, False),
    (_STREET_ROUTE, word_set("road rd route rte highway hwy avenue ave broadway"), False),
    (_STREET_LOW, _LOW_TYPES, True),
    (_STREET_ABROAD, word_set("rue via calle avenida rua plaza piazza carrer strada ulica "
    "paseo"), False),
    (_BOX, frozenset(("box",)), True),
    (_APARTMENT, word_set("apt apartment suite flat"), True),
)  # fmt: skip
"""A pattern, the words of which one must occur, and whether a digit must."""
_AFTER_STREET = re.compile(
    rf"[,.]?\s+(?P<city>{CAP_WORD}(?:[ ]{CAP_WORD}){{0,2}}?)?,?[ ]*\n?"
    rf"(?:(?<=[ ,\n])(?P<state>[A-Z]{{2}}\b|{CAP_WORD}))?[,\s]*(?P<zip>\d{{5}}(?:-\d{{4}})?|"
    rf"\d{{6}})?(?!\w)"
)
_POSTAL = word_set("zip zipcode postal postcode post pin pincode")
_ADDRESS = re.compile(
    r"\b(?:address(?:es)?(?:[ ]+(?:is|are|here|they|as))*|liv(?:e|es|ed|ing) (?:at|on)|"
    r"resid(?:e|es|ed|ing) at|located at|mail(?:ed)? (?:it )?to)[ ,:]*\s*"
    r"(?P<street>\d{1,6}[A-Za-z]?[ ](?=[^\n,;]*[^\W\d])[^\n,;.?!]{3,60})",
    re.IGNORECASE,
)
_NO_ADDRESS = re.compile(r"(?i)\b(?:years?|months?|weeks?|days?|hours?|am|pm|mg|of age|times)\b")
_TOWN_AFTER = re.compile(rf",[ ](?P<town>{CAP_WORD}(?:[ ]{CAP_WORD})?)")
_LISTED_AFTER = re.compile(
    rf"(?:,[ ](?:here in )?|[ ]in[ ]|[ ]store, )(?P<town>{CAP_WORD})(?=[\s,.;|]|$)"
)
_BARE_ZIP = re.compile(r"(?<=, )(?P<zip>\d{5})(?<!00)(?=[.;,]?(?:\s|$))(?! (?:[a-z]|[A-Z]{2}))")
_ADDRESS_WORDS = word_set(
    "address addresses live lives lived living reside resides resided residing located mail mailed"
)
_REGION_ZIP = re.compile(rf"(?<!\w)(?P<region>{CAP_WORD}(?:[ ]{CAP_WORD})?)[ ](?P<zip>\d{{5}})\b")
_ZIP_LABEL = re.compile(
    r"\b(?:zip|postal|post|pin)[ ]?(?:code)?[ ]*(?:is|:|#|=|[?]|"
    r"-)?[ ]*(?P<zip>[A-Z0-9]{2,4}[ -]?[A-Z0-9]{2,4})\b",
    re.IGNORECASE,
)
_ZIP = re.compile(
    r"\b(?P<state>[A-Z]{2})[, ]{1,2}(?P<zip>\d{5}(?:-\d{4})?)\b|"
    r"(?<![\w-])(?P<plus>\d{5}-\d{4})(?![\w-])"
)
_POSTCODE = re.compile(
    r"\b(?:[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]?[ ]\d[ABD-HJLNP-UW-Z]{2}|"
    r"[ABCEGHJ-NPRSTVXY]\d[A-Z][ ]\d[A-Z]\d)\b"
)


_HANDLE = re.compile(r"(?<![\w@.%+-])@(?P<handle>[A-Za-z_][\w.]{1,29}\w)")
_SITES = (
    "instagram|insta|twitter|facebook|fb|skype|snapchat|telegram|wechat|reddit|tiktok|discord|"
    "venmo|youtube|whatsapp|signal|zoom|mychart|myspace|linkedin|threads|mastodon"
)
_USER = re.compile(
    r"\b(?:user(?:[ ]?(?:name|id))?|log-?in(?:[ ](?:name|id))?|log-?on|handle|screen[ ]?name|nick"
    r"(?:name)?|gamertag|alias|posted by|find me (?:as|under)|(?:sign|log)(?:ed)?[ ]?in as\b|"
    r"known online as|account name|portal id|profile)[ ]*(?:(?:is|as|[:=]|name|id)[ ]*)*"
    rf"[\"'“‘]?@?(?P<user>\w[\w.-]{{1,29}}\w)"
    rf"|\b(?:{_SITES})(?: (?:id|name|handle|account|user|username))?[ ]*(?:is|[:=@(]|as)+[ ]*@?"
    r"(?P<social>[A-Za-z][\w.-]*[\d_.][\w.-]*\w)"
    r"|\bu/(?P<reddit>[\w-]{3,20})\b"
    r"|^[> ]*(?P<quoted>\w[\w.-]{2,29}) (?:wrote|writes|said|posted|replied):?$",
    re.IGNORECASE | re.MULTILINE,
)
_USER_SHAPE = re.compile(
    r"(?<![\w@./:=&?-])(?P<user>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+|[xX]{2}[a-z]\w+[xX]{2}|"
    r"xX\w{3,}Xx)(?![\w@/]|\.\w)"
)
_USER_WORDS = word_set(
    """
    username user userid login logon handle screen screenname nick nickname gamertag alias posted
    find signed logged sign log online account portal profile wrote writes replied u name
    """
) | frozenset(_SITES.split("|"))
_SPOKEN_MAIL = re.compile(
    r"(?<![\w@.])[\w+-]+(?:(?:\.| (?:dot|underscore|dash|hyphen|minus|plus) |_)[\w+-]+)*"
    r"(?:[ ]?[\[({][ ]?(?:at|@)[ ]?[\])}][ ]?| at | @ )"
    r"[\w-]+(?:(?:[ ]?[\[({][ ]?(?:dot|\.)[ ]?[\])}][ ]?| dot | \. |\.)[\w-]+)*?"
    r"(?:[ ]?[\[({][ ]?(?:dot|\.)[ ]?[\])}][ ]?| dot | \. |\.)"
    r"(?:com|org|net|edu|gov|info|io|co|uk|us|ca|in|de|health|clinic)\b"
    r"(?: dot (?:uk|in|au|nz|za)\b)?",
    re.IGNORECASE,
)


class AddressRecognizer(SpanRecognizer):
    """Postal addresses by their shape."""

    TYPES = (PhiType.STREET, PhiType.CITY, PhiType.ZIP)
    SCORE = 0.8

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        lists = lexicon()
        self._flags = lists.flags
        self._codes = lists.state_codes
        self._states = lists.states

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Addresses in ``text``; the parts of one are spans of their own."""
        yield from self._streets(text, clues)
        if clues.numbers:
            yield from self._postal(text, clues)

    def _streets(self, text: str, clues: Clues) -> Iterator[Found]:
        for pattern, words, needs_digit in _STREETS:
            if (needs_digit and not clues.numbers) or words.isdisjoint(clues.words):
                continue
            for match in pattern.finditer(text):
                if pattern is _STREET_NAMED and not self._proper_street(match[0]):
                    continue
                if pattern is _STREET_LOW and (
                    _NO_ADDRESS.search(match[0]) or not self._proper_street(match[0])
                ):
                    continue
                yield match.start(), match.end(), PhiType.STREET
                if pattern is not _APARTMENT:
                    yield from self._behind_street(text, match.end())
        if clues.numbers and not _ADDRESS_WORDS.isdisjoint(clues.words):
            for match in _ADDRESS.finditer(text):
                if not _NO_ADDRESS.search(match["street"]):
                    yield *match.span("street"), PhiType.STREET
                    yield from self._behind_street(text, match.end(), sure=True)
        if any(token.endswith(_STREET_ENDS) for token in clues.capitals):
            for match in _STREET_COMPOUND.finditer(text):
                yield match.start(), match.end(), PhiType.STREET

    def _behind_street(self, text: str, end: int, *, sure: bool = False) -> Iterator[Found]:
        """The town and the postal code of an address; ``sure``: a comma is enough for a town."""
        after = _AFTER_STREET.match(text, end)
        if not after or not (after["zip"] or after["state"] in self._codes):
            listed = _LISTED_AFTER.match(text, end)
            if listed and self._flags.get(listed["town"].casefold(), 0) & CITY:
                yield *listed.span("town"), PhiType.CITY
            town = _TOWN_AFTER.match(text, end) if sure else None
            if town and not self._flags.get(town["town"].casefold(), 0) & (COMMON | REGION):
                yield *town.span("town"), PhiType.CITY
            return
        if after["city"]:
            yield *after.span("city"), PhiType.CITY
        if after["zip"]:
            yield *after.span("zip"), PhiType.ZIP

    def _proper_street(self, street: str) -> bool:
        words = street.split()[:-1]
        return not all(self._flags.get(word.casefold(), 0) & COMMON for word in words)

    def _postal(self, text: str, clues: Clues) -> Iterator[Found]:
        if not _POSTAL.isdisjoint(clues.words):
            for match in _ZIP_LABEL.finditer(text):
                if any(char.isdigit() for char in match["zip"]):
                    yield *match.span("zip"), PhiType.ZIP
        if clues.longest > 4:
            for match in _ZIP.finditer(text):
                if match["plus"]:
                    yield match.start(), match.end(), PhiType.ZIP
                elif match["state"] in self._codes:
                    yield *match.span("zip"), PhiType.ZIP
            for match in _BARE_ZIP.finditer(text):
                yield match.start(), match.end(), PhiType.ZIP
            for match in _REGION_ZIP.finditer(text):
                region = match["region"].casefold()
                if region in self._states or self._flags.get(region.split()[-1], 0) & REGION:
                    yield *match.span("zip"), PhiType.ZIP
        if clues.mixed:
            for match in _POSTCODE.finditer(text):
                yield match.start(), match.end(), PhiType.ZIP


class UsernameRecognizer(SpanRecognizer):
    """Handles behind "@", names of accounts, and e-mail addresses as they are spoken."""

    TYPES = (PhiType.USERNAME, PhiType.EMAIL)

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """User names in ``text``."""
        if "@" in text:
            for match in _HANDLE.finditer(text):
                yield match.start(), match.end(), PhiType.USERNAME
        if "at" in clues.words and "dot" in clues.words:
            for match in _SPOKEN_MAIL.finditer(text):
                yield match.start(), match.end(), PhiType.EMAIL
        if "_" in text or "xx" in text.lower():
            for match in _USER_SHAPE.finditer(text):
                if not match[0].isupper() and len(match[0]) > 5:
                    yield match.start(), match.end(), PhiType.USERNAME
        if _USER_WORDS.isdisjoint(clues.words):
            return
        for match in _USER.finditer(text):
            group = match.lastgroup
            assert group
            if group in ("social", "reddit") or self._is_made_up(match[group]):
                yield *match.span(group), PhiType.USERNAME

    def _is_made_up(self, word: str) -> bool:
        """Whether a word is no word: digits or marks within, or on no list and without capital."""
        if not any(char.isalpha() for char in word) or self._flags.get(word.casefold(), 0):
            return False
        odd = any(char.isdigit() or char in "_." for char in word) or not word[1:].islower()
        plain = word.islower() and not MEDICAL_SHAPE.search(word)
        return plain or (odd and not word.isupper())
