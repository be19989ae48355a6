"""Houses without a telling word: by the verb before them, by a saint, by a chain's name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import MEDICAL_SHAPE, Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.places import CAP_WORD, GENERIC
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.english import is_english
from medllm.pipeline.privacy.vocabulary.eponyms import HEADS
from medllm.pipeline.privacy.vocabulary.lexicon import (
    CITY,
    COMMON,
    DRUG,
    EPONYM,
    NAME,
    REGION,
    WORD,
    lexicon,
)

_HOUSE = (
    rf"(?P<place>(?:(?:The|the)[ ](?=[A-Z]))?{CAP_WORD}"
    rf"(?:[ ](?:{CAP_WORD}|&|\+|(?:of the|of|and|at|on|in the|for|de|la|del)(?=[ ][A-Z])))*"
    r"(?:[ ](?:#|No\.?[ ]?)?\d{1,5}\b(?![./-]))?)"
)
_BEHIND_CUE = re.compile(
    rf"(?<=[ \n(])(?P<prep>at|from|to|into|for|by|with|of)[ ](?:the[ ])?{_HOUSE}"
)
_BEHIND_LABEL = re.compile(
    r"(?i:\b(?P<label>employer|workplace|company|place of work|facility|hospital|clinic|site|snf|"
    r"nursing home|rehab|group home|pharmacy|daycare|day care|school|college|preschool|"
    r"kindergarten|"
    r"dialysis unit|lab|location|practice|parish|church|shelter|hospice|home health|agency|insurer|"
    r"insurance|payer|cashier|cook|driver|teacher|nurse|clerk|employer is|insurer is)(?: name)?)"
    r"(?:[ ]?[:(|\-][ ]?|(?<=cashier),[ ]|(?<=teacher),[ ]|(?<=cook),[ ]|(?<=driver),[ ]|"
    r"(?<=clerk),[ ]|"
    r"(?<=insurer)[ ]|(?<=er is)[ ])(?:the[ ])?" + _HOUSE
)
_LABELS = word_set(
    """
    employer workplace company work facility hospital clinic site snf home rehab pharmacy daycare
    day school college preschool kindergarten dialysis lab location practice parish church shelter
    hospice agency insurer insurance payer cashier cook driver teacher nurse clerk
    """
)
_WORK = word_set(
    """
    work works worked working job jobs volunteer volunteers volunteering employed temping interns
    interning manager cook chef nurse teacher janitor driver clerk cashier barista welder server
    waiter waitress engineer guard custodian mechanic carpenter machinist foreman supervisor
    operator technician accountant receptionist secretary bartender librarian lawyer paralegal
    programmer developer electrician plumber stylist teller agent analyst assistant laborer
    labourer picker packer staff drives teaches taught coaches cleans cooks shift shifts employment
    worker retired fired hired laid contractor contracts contracted sales career salesman cleaner
    partner executive director consultant intern apprentice superintendent dispatcher trucker
    """
)
_STAY = word_set(
    """
    transferred transfer transported admitted readmitted discharged referred brought sent returned
    airlifted taken flown arrived came presented records imaging films discharge admission
    consult delivered hospitalized hospitalised seen evaluated treated followed operated done
    performed stay stayed rehab dialysis chemo infusion infusions appointment visit fellowship
    residency trained resident placement placed accepted
    waitlisted inpatient outpatient ambulance ems helicopter transfers doctor specialist surgeon
    oncologist cardiologist hospitalist physician team mri ct scan echo cath colonoscopy mammogram
    biopsy labs care bed er ed icu clinic back over home went surgery procedure
    """
)
_LEARN = word_set(
    """
    student pupil freshman sophomore junior senior grader enrolled classes studies studying studied
    degree graduate graduated major majoring professor lecturer dorm semester goes attends attended
    attending attend dropped started starts rx called faxed prescribed refill refilled pick picked
    script prescription prescriptions meds member worships services congregation sent grade
    """
)
_AT = word_set("at from to into of")
_NEAR_OF = word_set("resident member graduate student congregation patient alumna alumnus")
_WORK_LABELS = word_set("employer workplace company")
_SAINT = re.compile(
    r"(?<![\w.])(?:(?:St|ST|Ste|Sts|Mt)\.?|Saint|Mount|Our Lady of(?: the)?|Holy|Sacred|"
    r"Blessed|Good(?= (?:Sam|Shep|Hope))|Beth|Mercy|Temple|Divine|"
    r"Immaculate)[ ][A-Z][\w'’]++(?:[ ](?:&|and)[ ](?:St\.?[ ])?[A-Z]\w+)?"
    r"(?:['’]s?)?(?![ ]?(?:wort|Wort|syndrome|disease|dance|stroke|Vitus|Street|Ave|Road|Rd|Lane|"
    r"encephalitis|fire|Friday|Week|Day\b))"
)
_SAINT_WORDS = word_set(
    "st saint ste sts santa mt mount lady holy sacred blessed good beth mercy temple divine "
    "immaculate"
)
_NO_SAINT = word_set(
    """
    morning afternoon evening night samaritan's luck catholic water bible ghost health vision news
    relief appetite strength friday hope thanks day week spirit trinity matter point question sleep
    """
)
_SONS = re.compile(
    rf"(?<!\w){CAP_WORD}(?:[ ](?:{CAP_WORD}|&|and))*?[ ]?(?:,?[ ](?:LLP|PLLC|PLC|GmbH|LLC|Inc|"
    rf"Ltd|Pty|"
    r"L\.L\.C|P\.C|S\.A|AG|Corp)\b\.?|[ ](?:&|and)[ ](?:Sons?|Daughters?|Co|Company|Bros|Brothers|"
    r"Associates|Partners)\b\.?)"
)
_SONS_WORDS = word_set(
    "llp pllc plc gmbh llc inc ltd pty corp sons son daughters co company bros brothers associates "
    "partners ag"
)
_THING = re.compile(
    rf"(?<![\w.])(?P<place>(?:{CAP_WORD}[ ]){{1,3}}(?:plant|factory|warehouse|store|restaurant|"
    rf"diner|"
    r"bakery|daycare|day care|preschool|parish|church|mosque|synagogue|temple|casino|hotel|salon|"
    r"gym|"
    r"mill|mine|farm|farms|ranch|dealership|brewery|supermarket|distribution center|call center|"
    r"fulfillment center|jail|prison|shelter|dorm|barracks|fire department|police department|"
    r"pharmacy|campus|clinic|infirmary|school district|co-op|"
    r"middle school|high school|elementary|elementary school|primary school|academy|nursery))\b"
)
_THING_WORDS = word_set(
    """
    plant factory warehouse store restaurant diner bakery daycare day preschool parish church mosque
    synagogue temple casino hotel salon gym mill mine farm farms ranch dealership brewery
    supermarket
    center jail prison shelter dorm barracks department pharmacy campus clinic infirmary hospice
    rehab
    surgery practice district op school elementary academy nursery
    """
)
_CHAIN_NAMES = (
    "Walgreens|Walgreen's|CVS(?: Pharmacy)?|Rite[ -]Aid|Duane Reade|Costco|Sam's Club|Walmart|"
    "Wal-Mart|"
    "Kroger|Publix|H-E-B|HEB|Safeway|Albertsons|Meijer|Hy-Vee|Wegmans|Giant Eagle|Stop & Shop|"
    "Boots|Superdrug|Lloyds ?Pharmacy|Rexall|Shoppers Drug Mart|Chemist Warehouse|Priceline|"
    "Express Scripts|Optum ?Rx|DaVita|Fresenius|Kaiser(?: Permanente)?|MinuteClinic|"
    "Quest Diagnostics|"
    "LabCorp|Labcorp|Planned Parenthood|Mayo|Johns Hopkins|Mass General|MGH|UCSF|UCLA|"
    "NYU Langone|MD "
    "Anderson|Sloan Kettering|Memorial Sloan Kettering|Cedars[- ]Sinai|Mount Sinai|"
    "Cleveland Clinic|"
    "AIIMS|Charité|Bupa|Nuffield|Spire|Aster|Narayana|Medanta|Max Healthcare|Manipal"
)
_CHAIN = re.compile(rf"(?<![\w.(])(?:{_CHAIN_NAMES})(?:[ ]?(?:#|No\.?[ ]?)\d+)?(?![\w])")
_CHAIN_WORDS = frozenset(re.findall(r"[a-zé]{3,}", _CHAIN_NAMES.lower()))
_UNITS = word_set(
    """
    ed er icu micu sicu ccu nicu picu pacu or osh snf ltac ltach alf ct mri ir gi ent pt ot pcp ep
    csu l&d ld obs pcu tcu cvicu nsicu ob gyn va ems cath lab tele psych neuro surgery radiology
    oncology cardiology neurology dermatology home work school church rehab hospice hospital clinic
    us usa uk nhs hmo self full part time night nights days day weekend weekends monday tuesday
    wednesday thursday friday saturday sunday covid ward unit bed room floor theatre theater tues
    january february march april may june july august september october november december his her
    he she they we it i mr mrs ms dr prof miss mom dad grandma grandpa nurse doctor physician
    high low normal left right upper lower chest pain fever post pre status since on in at the a an
    christmas thanksgiving easter spring summer fall winter english spanish french american
    iv po sc im prn stat bid tid qid mg pm am ok chief primary new old none n/a unknown yes no
    """
)
_POSSESSIVE = re.compile(
    r"\b(?:at|to|from)[ ](?P<place>[A-Z][a-zé]+['’]s(?:[ ](?:and|"
    r"&)[ ](?:St\.?[ ])?[A-Z][a-z]+['’]?s?)?)"
    r"(?=[.,;)!?]|$|[ ](?:for|in|on|and|with|after|where|last|yesterday|today|this|every|as|by|"
    r"ED|ER)\b)"
)


class HouseRecognizer(SpanRecognizer):
    """Where somebody works, is treated or learns, when only the words before the name tell."""

    TYPES = (PhiType.HOSPITAL,)
    SCORE = 0.7

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Houses in ``text``."""
        if not (clues.uncommon or clues.has_city):
            return
        for match in _BEHIND_CUE.finditer(text):
            before = text[max(0, match.start() - 40) : match.start()].casefold()
            near = [word.strip("(),:;\"'") for word in before.split()[-4:]]
            works = match["prep"] not in ("to", "into") and not _WORK.isdisjoint(near)
            if works or (
                match["prep"] in _AT
                and not (_STAY if match["prep"] != "of" else _NEAR_OF).isdisjoint(near[-3:])
            ):
                yield from self._named(match, works=works)
            elif match["prep"] in ("at", "from", "to") and not _LEARN.isdisjoint(near):
                yield from self._named(match, works=False)
        if not _LABELS.isdisjoint(clues.words):
            for match in _BEHIND_LABEL.finditer(text):
                yield from self._named(match, works=match["label"].casefold() in _WORK_LABELS)
        if not _CHAIN_WORDS.isdisjoint(clues.words):
            for match in _CHAIN.finditer(text):
                yield match.start(), match.end(), PhiType.HOSPITAL
        if not _SAINT_WORDS.isdisjoint(clues.words):
            for match in _SAINT.finditer(text):
                words_ = match[0].casefold().split()
                rest = words_[-1].removesuffix("'s").removesuffix("’s")
                if rest not in _NO_SAINT and not (
                    words_[0] == "good" and self._flags.get(rest, 0) & COMMON
                ):
                    yield match.start(), match.end(), PhiType.HOSPITAL
        if not _SONS_WORDS.isdisjoint(clues.words):
            for match in _SONS.finditer(text):
                yield match.start(), match.end(), PhiType.HOSPITAL
        if not _THING_WORDS.isdisjoint(clues.words):
            for match in _THING.finditer(text):
                words_ = match["place"].split()
                if words_[0].casefold() in GENERIC | _UNITS:
                    continue
                if not any(self._proper(word) for word in words_ if word[0].isupper()):
                    continue
                yield match.start(), match.end(), PhiType.HOSPITAL
        if "'s" in text or "’s" in text:
            for match in _POSSESSIVE.finditer(text):
                if not self._flags.get(match["place"][:-2].casefold(), 0) & (COMMON | EPONYM):
                    yield *match.span("place"), PhiType.HOSPITAL

    def _could_be(self, word: str) -> bool:
        """Whether a capitalised word is more than a frequent word, a country or a unit."""
        lowered = word.casefold().strip(".,'’")
        if lowered in GENERIC or lowered in _UNITS or lowered in HEADS:
            return False
        return not self._flags.get(lowered, 0) & (COMMON | REGION | EPONYM)

    def _proper(self, word: str) -> bool:
        """Whether a word is on the lists of names and towns, or on none and no medical word."""
        lowered = word.casefold().strip(".,'’").removesuffix("'s").removesuffix("’s")
        flags = self._flags.get(lowered, 0)
        if not self._could_be(word) or flags & DRUG or word.isupper():
            return False
        return bool(flags & (NAME | CITY)) or not (
            is_english(lowered) or MEDICAL_SHAPE.search(lowered)
        )

    def _named(self, match: re.Match[str], *, works: bool) -> Iterator[Found]:
        """The house behind a cue; ``works``: at a place of work any name in capitals will do."""
        start, place = match.start("place"), match["place"]
        words = place.split()
        if words[0] in ("The", "the"):
            start_word, words = 1, words[1:]
        else:
            start_word = 0
        first = words[0].strip(".,").casefold().removesuffix("'s").removesuffix("’s")
        if first in _UNITS or first in HEADS or len(first) < 2:
            return
        if any(word.casefold().strip(".,") in HEADS for word in words[:3]):
            return
        capital = [word for word in words if word[0].isupper()]
        sure = [word for word in capital if self._could_be(word)]
        if not sure and not (works and len(capital) > 1 and first not in GENERIC):
            return
        only = len(capital) == 1
        flags = self._flags.get(first, 0)
        if flags & DRUG or (only and any(char.isdigit() for char in words[0])):
            return
        if only and (
            (place.isupper() and len(place) < 3)
            or (
                place.isupper()
                and not works
                and match.groupdict().get("prep") not in ("at", "from")
            )
            or (flags & WORD and not works)
            or (flags & (COMMON | REGION))
            or (not works and not flags & (NAME | CITY) and MEDICAL_SHAPE.search(first))
        ):
            return
        if start_word and only and not works and flags & WORD:
            return
        end = start + len(place.rstrip(".,'"))
        yield start, end, PhiType.HOSPITAL
