"""Named hospitals, clinics, homes, schools and employers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import MEDICAL_SHAPE, Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.places import CAP_WORD, GENERIC
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    EPONYM,
    MAYBE_EPONYM,
    NAME,
    REGION,
    WORD,
    lexicon,
)

_RUN = re.compile(
    rf"(?<![\w@.])(?:{CAP_WORD}|\d{{1,3}}(?:st|nd|rd|th))"
    rf"(?:[ ](?:{CAP_WORD}|(?:of the|of|the|and|for|de|la|del|&)(?=[ ][A-Z])|"
    r"hospital|clinic|medical|center|centre|nursing|home|pharmacy|health|university|school))+"
)
_KINDS = word_set(
    """
    hospital hospitals clinic clinics infirmary hospice sanatorium dispensary polyclinic pharmacy
    laboratory laboratories lab labs diagnostics healthcare health pediatrics paediatrics
    orthopedics orthopaedics imaging radiology rehab rehabilitation hospice general memorial
    regional mercy nursing living manor dialysis dental dentistry associates physicians
    practice care center centre institute foundation university college school academy elementary
    preschool kindergarten seminary district inc llc ltd corp corporation company industries
    logistics foundry sawmill mill mills poultry software airlines lines bank motors electric
    farm farms foods brewery bakery construction plumbing systems technologies manufacturing
    mining steel works market supermarket hotel inn restaurant cafe diner church temple mosque
    synagogue library department prison jail facility shelter trucking freight packaging
    warehouse factory depot realty studios garage nursery daycare partners group services
    solutions co-op cooperative terrace lodge villa place house haven retirement surgery
    optometry oncology dermatology cardiology gastroenterology urology neurology psychiatry
    drugs drugstore apothecary medicine wellness therapy hospitalists station base barracks
    enterprises holdings consulting engineering shipyard ranch dairy orchards winery casino
    """
)
_WEAK_KINDS = word_set(
    """
    care center centre health practice living general medicine therapy wellness place house terrace
    group services nursing lines electric works department station base facility surgery oncology
    dermatology cardiology gastroenterology urology neurology psychiatry radiology imaging dialysis
    rehab rehabilitation dental lab labs steel market depot partners systems solutions
    construction mining library church temple retirement drugs foundation nursery bank
    """
)
"""Kinds that also end general phrases in capitals: two more words must stand before them."""
_STRAY = word_set("md do rn np pa dds fax tel phone dear re mr mrs ms dr prof professor nurse")
_ADJECTIVE = re.compile(r"(?:ic|al|ology|ics|ive|ary|ous|itis|osis|ing|ed|ion|therapy|ment|ty)$")
_TOWN_BEHIND = re.compile(rf",[ ](?:[a-z]+ [a-z]+, )?(?P<town>{CAP_WORD})(?=[\s,.;|(]|$)")
_CUE = re.compile(
    r"\b(?:employer(?: is|,|:)?|employed (?:by|at|with)|work(?:s|ed|ing)?(?: \w+)? (?:at|for)|"
    r"job at|"
    r"called at work \(|hired by|retired from|laid off from|attend(?:s|ed|ing)|"
    r"(?:teacher|teaches|student|enrolled|taught|pupil|nurse|cook|janitor|driver|clerk) at|"
    r"graduated from|goes to school at|school:|facility[:|]?|hospital:|clinic:|site:|"
    r"(?:discharged|transferred|admitted|referred|presented|brought|taken|sent|moved|went|returned)"
    r" (?:to|from|at)|(?:seen|treated|followed|evaluated|issued|inpatient|delivered|"
    r"hospitali[sz]ed|"
    r"born|surgery|baby|fell|films|records|stay|performed|done)(?: today)? (?:at|from)|resident "
    r"(?:of|at)|"
    r"(?:faxed|requested|submitted|provided) by|billing|sample to|don't call|not call)[ ]*\|?[ ]*"
    rf"(?P<place>{CAP_WORD}(?:[ ](?:{CAP_WORD}|(?:of the|of|and|for|&)(?=[ ][A-Z]))){{1,6}})",
)
_CUE_WORDS = word_set(
    """
    employer employed works worked working work job hired retired laid attends attended attending
    teacher teaches student enrolled taught pupil nurse cook janitor driver clerk graduated school
    facility hospital clinic site discharged transferred admitted referred presented brought taken
    sent moved went returned seen treated followed evaluated issued inpatient delivered hospitalized
    hospitalised born surgery baby fell films records stay performed done resident faxed requested
    submitted provided billing sample call
    """
)
_SMALL = re.compile(
    r"\b(?P<cue>at|to|from|for|of|called|by|in) (?P<name>(?:(?!at |to |from |in |the |a |my |"
    r"and |for )"
    r"[a-z][a-z'’&-]*\.? ){1,3}?)(?P<kind>(?:children['’]?s |veterans |community |university "
    r")?hospital|"
    r"general(?! (?:pract|surg|an|heal|hosp|med|doc|phys|pop|check|exam|cond|ward|feel|weak|adv|"
    r"rule))|memorial|regional|infirmary|eye cent(?:er|re)|urgent care|sleep lab|rehab|"
    r"imaging|dialysis cent(?:er|re)|assisted living|skilled nursing|women['’]?s health|"
    r"[a-z]+ology associates|pediatrics|family practice|free clinic|medical cent(?:er|re)|"
    r"nursing home|elementary|academy|middle school|high school|university|sawmill|foundry|poultry|"
    r"software|logistics|freight lines|electric co-op|(?:unified )?school district|college|"
    r"clinic)\b"
)
_SMALL_WORDS = word_set(
    """
    infirmary
    hospital general memorial regional center centre care lab rehab imaging living nursing health
    associates pediatrics practice clinic home elementary academy school university sawmill foundry
    poultry software logistics lines co op district college
    """
)
_HOSPITAL_SMALL = re.compile(
    r"hospitals?\b|clinic\b|medical (?:cent(?:er|re)|college)\b|nursing home\b"
)
_SMALL_BEFORE = re.compile(
    r"\b(?P<name>[a-z]+(?:['’]s)?)[ ](?:(?:general|memorial|community|university|"
    r"children['’]?s)[ ])?$"
)
_CHAINS = word_set("apollo fortis mayo cleveland aiims kaiser medanta manipal max")


class InstitutionRecognizer(SpanRecognizer):
    """Capitalised words that end in a kind of house, or stand where a house is named."""

    TYPES = (PhiType.HOSPITAL, PhiType.CITY)
    SCORE = 0.75

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Institutions in ``text``."""
        kind = not _KINDS.isdisjoint(clues.words)
        if kind and (clues.uncommon or clues.has_city):
            for match in _RUN.finditer(text):
                yield from self._of_kind(match)
        if clues.uncommon and not _CUE_WORDS.isdisjoint(clues.words):
            for match in _CUE.finditer(text):
                yield from self._after_cue(match)
        if not _SMALL_WORDS.isdisjoint(clues.words):
            for match in _SMALL.finditer(text):
                if any(self._is_unlisted(word) for word in match["name"].split()):
                    yield match.start("name"), match.end(), PhiType.HOSPITAL
            if "hospital" in text or "clinic" in text or "nursing home" in text:
                yield from self._known(text)

    def _of_kind(self, match: re.Match[str]) -> Iterator[Found]:
        words = match[0].split(" ")
        last = max((i for i, word in enumerate(words) if self._kind(word)), default=0)
        first = 0
        while first < last and words[first].casefold().rstrip(".,") in GENERIC | _STRAY:
            if words[first + 1] == "Lady" or words[first + 1] == "LADY":
                break
            first += 1
        if last <= first or any(w.casefold() in HEADS for w in words[last + 1 : last + 3]):
            return
        proper = [word for word in words[first:last] if self._is_proper(word)]
        capitals = sum(word[0].isupper() for word in words[first:last])
        weak = self._kind(words[last]) in _WEAK_KINDS
        if not proper or (weak and capitals < 2 and not self._is_sure(proper[0])):
            return
        start = match.start() + sum(len(word) + 1 for word in words[:first])
        end = start + len(" ".join(words[first : last + 1]))
        yield start, end, PhiType.HOSPITAL
        town = _TOWN_BEHIND.match(match.string, end)
        if town and self._flags.get(town["town"].casefold(), 0) & CITY:
            yield *town.span("town"), PhiType.CITY

    def _after_cue(self, match: re.Match[str]) -> Iterator[Found]:
        words = match["place"].split(" ")
        if words[0].casefold().rstrip(".") in _STRAY or words[0].isupper():
            return
        if any(word.casefold() in HEADS for word in words):
            return
        if any(self._is_proper(word) and self._is_sure(word) for word in words):
            yield *match.span("place"), PhiType.HOSPITAL

    @staticmethod
    def _kind(word: str) -> str:
        lowered = word.casefold().rstrip(".,")
        return lowered if lowered in _KINDS else ""

    def _is_proper(self, word: str) -> bool:
        """Whether a word could be part of a proper name."""
        lowered = word.casefold().rstrip(".,")
        if not word[0].isupper() or lowered in GENERIC or lowered in _KINDS or lowered in _STRAY:
            return False
        flags = self._flags.get(lowered, 0)
        if flags & (COMMON | REGION | EPONYM):
            return False
        return bool(flags) or not _ADJECTIVE.search(lowered)

    def _is_sure(self, word: str) -> bool:
        return not self._flags.get(word.casefold(), 0) & (WORD | MAYBE_EPONYM)

    def _is_unlisted(self, word: str) -> bool:
        name = word.removesuffix("'s").removesuffix("’s")
        flags = self._flags.get(name, 0)
        if name in GENERIC or flags & (COMMON | WORD | EPONYM | REGION | MAYBE_EPONYM):
            return False
        return len(name) > 3 and (bool(flags & (NAME | CITY)) or not MEDICAL_SHAPE.search(name))

    def _known(self, text: str) -> Iterator[Found]:
        for match in _HOSPITAL_SMALL.finditer(text):
            before = _SMALL_BEFORE.search(text, max(0, match.start() - 40), match.start())
            if not before:
                continue
            name = before["name"].removesuffix("'s").removesuffix("’s")
            flags = self._flags.get(name, 0)
            listed = flags & (NAME | CITY) and not flags & (WORD | COMMON | EPONYM | REGION)
            if listed or name in _CHAINS:
                yield before.start("name"), match.end(), PhiType.HOSPITAL
