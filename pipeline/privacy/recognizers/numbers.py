"""Numbers that identify: by the words before them, by their check digits, or by their length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_VALUE = re.compile(
    r"(?<![\w.,/@-])(?=[A-Za-z]{0,5}[-/.]?[A-Za-z]{0,4}\d)"
    r"[A-Za-z0-9]+(?:[-/.]?[A-Za-z0-9]+)*"
    r"(?:[ ](?=[\dA-Z]*\d)[\dA-Z]{2,6}\b){0,4}"
)
_LETTERS_BEFORE = re.compile(r"(?<!\w)[A-Z]{1,4}[ ]$")
_UNIT = re.compile(
    r"[ ]?(?:mg|mcg|ml|iu|units?|cells|mm|cm|%|/|years?|days?|weeks?|months?|hours?|kcal|"
    r"cal|calories|times|copies|steps|rpm|bpm|dollars|rs|usd)\b|[ ]?%",
    re.I,
)
_GAP = (
    r"(?:[ \t]*(?:['’]s|\(?(?:mrn|dea|npi|mbi|vin|id|s/n)\)?|numbers?|num|nos?\b\.?|nbr|"
    r"ids?|codes?|is|was|of|the|ending|ends|in|with|reads|says|card|plate|last|four|4|digits|on|"
    r"file|as|are|for|tag|holder|[#:=.,()?|/*x-]))*[ \t]*$"
)


def _label(words: str, needs_number: str = "") -> str:
    """A label that stands alone, and one that counts only before "number", "no", "id", "#", ":"."""
    marked = (
        rf"|(?:{needs_number})(?=[ ]*(?:card[ ]*)?(?:numbers?|num\b|no\b|nbr|id\b|code|#|:))"
        if needs_number
        else ""
    )
    return rf"(?<![a-z])(?:{words}{marked})(?![a-z])"


_LABELS = tuple(
    (type_, re.compile(pattern + _GAP, re.IGNORECASE))
    for type_, pattern in (
        (
            PhiType.SSN,
            _label(
                r"ssn|ss|social|social security|social insurance|soc sec|sin|last (?:four|4)(?: "
                r"of)?"
            ),
        ),
        (PhiType.FAX, _label(r"fax|facsimile")),
        (
            PhiType.VEHICLE,
            _label(
                r"vin|licen[sc]e plate|number plate|plate|registration "
                r"plate|vehicle(?: identification| reg\w*)?|tag",
                "car|vehicle registration|registration",
            ),
        ),
        (
            PhiType.MRN,
            _label(
                r"mrn|m\.r\.n\.?|mr#|medical record|med rec|medical rec|uhid|"
                r"hospital (?:number|id|no)|hosp no|patient (?:id|number)|chart|nhs|wristband|band|"
                r"name/id|acc|accession|claim|medical number|episode",
                "patient|hospital|record|case|file|registration|reg|ip|op|opd|ipd|admission|"
                "encounter|visit|unit|specimen|health record|clinic|bed|sample|lab",
            ),
        ),
        (
            PhiType.HEALTH_PLAN,
            _label(
                r"mbi|hicn|member id|policy|subscriber|beneficiary|"
                r"medicare|medicaid|health plan|insurance|insured|ins|member|carrier|coverage|"
                r"bin|pcn|payer id|group (?:no|number|id)",
                "member|group|plan|claim|membership|payer|rx",
            ),
        ),
        (
            PhiType.ACCOUNT,
            _label(
                r"account|acct|a/c|routing|iban|credit card|debit card|"
                r"invoice|card ending(?: in| with)?",
                "bank|card|billing|visa|mastercard|amex",
            ),
        ),
        (
            PhiType.LICENSE,
            _label(
                r"license|licence|licen[sc]e|dea|npi|certificate|passport|lic|dl|upin|gmc|nmc",
                "certification|cert|driver's|driver|drivers|driver['’]s|permit|board|registration|reg",
            ),
        ),
        (
            PhiType.DEVICE,
            _label(
                r"serial|ser|s/n|sn|udi|imei|device id(?:entifier)?|transmitter|generator|"
                r"(?:device|pump|monitor|pacemaker|sensor|receiver)",
                "implant|stent|lot|icd|machine|lead|valve|batch|model|ref",
            ),
        ),
        (
            PhiType.PHONE,
            _label(
                r"phone|telephone|tel|mobile|cell|whatsapp|call|contact|text|"
                r"reach(?: me)?(?: at)?(?: on)?|dial|ph|mob|pager|cb|landline",
                "my|his|her|home|work|direct|desk|callback",
            ),
        ),
        (
            PhiType.ID,
            _label(
                r"aadhaar|aadhar|national id|badge|confirmation|reference|ref|rx|prescription|"
                r"script|"
                r"case|pedigree|screening|docket|incident|ticket|auth|authorization|invoice|order|"
                r"tracking|call id|work order|id|specimen|participant|enrollment|enrolment|"
                r"locker|barcode",
                "employee|student|study|subject|id|run|report|request|protocol|complaint|donor|"
                "identification|tax|pan|voter|staff|file|referral|appointment|booking|req|family|"
                "proband|sample|tube|slide|block|biopsy|permit|control|serial|receipt|bag",
            ),
        ),
    )
)
_LABEL_WORDS = frozenset(
    word for _, label in _LABELS for word in re.findall(r"[a-z']{2,}", label.pattern)
)
_PHONE = re.compile(
    r"(?<![\w.$])(?:"
    r"\+\d{1,3}[-. ]?(?:\(?\d{1,5}\)?[-. ]?){1,4}\d{2,5}"
    r"|(?:1[-. ])?\(?[2-9]\d\d\)?[-. ]{0,2}\d{3}[-. ]\d{4}"
    r"|(?:1[-. ])?\(\d{2,5}\)[ ]?\d{3,5}[- ]?\d{3,5}"
    r"|0\d(?:[ .-]\d\d){4}"
    r"|0\d{2,4}[- ]\d{3,4}[- ]?\d{3,4}"
    r"|[6-9]\d{4}[- ]\d{5}"
    r"|555[-. ]\d{4}"
    r"|[2-9]\d{9}|0\d{10}|00\d{9,12}"
    r")(?:,?[ ]?(?:x|ext\.?|extension)[ ]?\d{1,6})?(?![\w]|[-.]\d)",
    re.IGNORECASE,
)
_SEVEN = re.compile(
    r"\b(?:phone|call|tel|mobile|cell|contact|text|reach|dial|number|ph|"
    r"fax)\b[^\d\n]{0,30}(?P<number>[2-9]\d\d[-. ]\d{4})(?![\w-])",
    re.IGNORECASE,
)
_FAX_NEAR = re.compile(r"\bfax\b[^\d\n]{0,20}$", re.IGNORECASE)
_SSN = re.compile(r"(?<![\w-])\d{3}([- ])\d{2}\1\d{4}(?![\w-])")
_LONG = re.compile(r"(?<![\w.,/-])(?:[A-Z]{1,3}-?)?\d{6,20}(?![\w%/]|[.,]\d)")
_CITED = re.compile(r"(?:PMID|PMC|NCT|DOI|ISBN|ICD)[ :]*$", re.IGNORECASE)
_NO_ID = re.compile(r"(?:NCT|PMC|PMID|DOI|RS|NM|NP|ICD|CPT|ISBN)", re.IGNORECASE)
_SHAPES = re.compile(
    r"\d{7,20}"
    r"|[A-Z]{1,4}-?\d{5,}(?:-?[A-Z\d]{1,4})?|\d{6,}-?[A-Z]{1,2}"
    r"|(?=(?:\D*\d){7})[A-Z]{0,4}\d*(?:-[A-Z]?\d+){1,4}[A-Z]?|\d{2,4}-\d\d-\d\d"
    r"|(?=(?:\D*\d){5})(?=\d*[A-Z])[A-Z\d]{7,}|(?=(?:\D*\d){5})[A-Z]{1,4}(?:-[A-Z\d]+){2,4}"
    r"|(?=(?:\D*\d){7})[A-Z]{1,4}\d*(?:[ ]\d{2,5}){1,4}|\d{3,5}(?:[ ]\d{3,5}){2,3}"
)
"""Values that need no label: what else is so long, or has such groups, counts or measures."""
_ROUND = re.compile(r"000$|^\d+[05]0-\d+[05]0$|^(?:19|20)\d\d-(?:19|20)\d\d$|^\d{5}-\d\d$")
_UDI = re.compile(r"\(01\)\d{14}(?:\(\d\d\)[A-Za-z0-9-]+)*")
_EXTENSION = re.compile(
    r"(?:\b(?:page[rd]?|beeper|bleep|ext(?:ension)?\.?|pgr)(?:[ ]*(?:is|at|on|me|no\.?|"
    r"number|to|#|:))*[ ]*|(?<![\w)]))(?P<x>x)?[ ]?(?P<number>\d{3,6})(?![\w%]|[.,/-]\d)",
    re.IGNORECASE,
)
_MASKED = re.compile(
    r"(?<![\w])[X*x#•]{2,5}[- ]?[X*x#•]{2}[- ]?(?P<number>\d{4})\b|[*•]{2,}[- ]?\d{4}\b"
)
_VIN = re.compile(r"\b(?=[A-Z0-9]*\d)(?=(?:\d*[A-Z]){3})[A-HJ-NPR-Z0-9]{17}\b")
_PLATE = re.compile(
    r"(?<![a-z])(?:licen[sc]e plate|number plate|plates?|registration plate)(?: (?:number|"
    r"no\.?|is|reads|#))*[ :#]*"
    r"(?P<plate>[A-Z0-9]{1,4}[- ]?[A-Z0-9]{1,4}(?:[- ][A-Z0-9]{1,4}){0,2}(?<=\d))\b",
    re.IGNORECASE,
)
_EXTENSION_WORDS = word_set("page pager paged beeper bleep ext extension pgr x")
_PLATE_WORDS = word_set("plate plates")


class NumberRecognizer(SpanRecognizer):
    """Values that hold a digit and the label before them; shapes that need none."""

    TYPES = (
        PhiType.SSN,
        PhiType.FAX,
        PhiType.VEHICLE,
        PhiType.MRN,
        PhiType.HEALTH_PLAN,
        PhiType.ACCOUNT,
        PhiType.LICENSE,
        PhiType.DEVICE,
        PhiType.PHONE,
        PhiType.ID,
    )
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Numbers in ``text``; nothing is looked at unless some value is long enough."""
        labelled = "S/N" in text or not _LABEL_WORDS.isdisjoint(clues.words)
        if (labelled and (clues.most > 2 or clues.mixed)) or clues.most > 5:
            for match in _VALUE.finditer(text):
                yield from self._value(text, match, labelled=labelled)
        if clues.longest > 2 and not _EXTENSION_WORDS.isdisjoint(clues.words):
            for match in _EXTENSION.finditer(text):
                if match["x"] or match.start("number") > match.start():
                    yield match.start("x" if match["x"] else "number"), match.end(), PhiType.PHONE
        if clues.longest > 3 and ("**" in text or "xx-" in text.lower()):
            for match in _MASKED.finditer(text):
                yield match.start(), match.end(), PhiType.SSN
        if not _PLATE_WORDS.isdisjoint(clues.words):
            for match in _PLATE.finditer(text):
                if any(char.isdigit() for char in match["plate"]):
                    yield *match.span("plate"), PhiType.VEHICLE
        if clues.most < 6 and not clues.mixed:
            return
        if clues.most > 6:
            yield from self._phones(text)
            for match in _SSN.finditer(text):
                yield match.start(), match.end(), PhiType.SSN
        if clues.longest > 5:
            yield from self._long(text)
        if clues.mixed:
            for match in _VIN.finditer(text):
                yield match.start(), match.end(), PhiType.VEHICLE
        if "(01)" in text:
            for match in _UDI.finditer(text):
                yield match.start(), match.end(), PhiType.DEVICE

    @staticmethod
    def _phones(text: str) -> Iterator[Found]:
        for match in _PHONE.finditer(text):
            fax = _FAX_NEAR.search(text, max(0, match.start() - 30), match.start())
            yield match.start(), match.end(), PhiType.FAX if fax else PhiType.PHONE
        for match in _SEVEN.finditer(text):
            type_ = PhiType.FAX if "fax" in match[0].lower() else PhiType.PHONE
            yield *match.span("number"), type_

    @staticmethod
    def _long(text: str) -> Iterator[Found]:
        """Eight digits and more in a row, or letters and six, that count nothing."""
        for match in _LONG.finditer(text):
            value = match[0]
            long = value[0].isalpha() or len(value) > 7
            counts = value.endswith("000") or _UNIT.match(text, match.end())
            cited = _CITED.search(text, max(0, match.start() - 8), match.start())
            if long and not counts and not cited and not _NO_ID.match(value):
                yield match.start(), match.end(), PhiType.ID

    def _value(self, text: str, match: re.Match[str], *, labelled: bool) -> Iterator[Found]:
        """The value by its label, else by its shape, with or without letters before it."""
        found = list(self._labelled(text, match)) if labelled else []
        if found:
            yield from found
            return
        start, end = match.span()
        letters = _LETTERS_BEFORE.search(text, max(0, start - 5), start)
        first = match[0].split(" ", 1)[0]
        tries = [(start, end), (start, start + len(first))]
        for begin, stop in [(letters.start(), end), *tries] if letters else tries:
            if self._has_shape(text, begin, stop):
                yield begin, stop, PhiType.ID
                return

    @staticmethod
    def _has_shape(text: str, start: int, end: int) -> bool:
        return (
            _SHAPES.fullmatch(text, start, end) is not None
            and not _ROUND.search(text[start:end])
            and not _UNIT.match(text, end)
            and not _NO_ID.match(text, start)
            and not _CITED.search(text, max(0, start - 8), start)
        )

    def _labelled(self, text: str, match: re.Match[str]) -> Iterator[Found]:
        """The value, with letters that stand before it ("BCX 882 1190"), if a label precedes."""
        start, end = match.span()
        digits = sum(char.isdigit() for char in match[0])
        if digits < 3 or _UNIT.match(text, end):
            return
        letters = _LETTERS_BEFORE.search(text, max(0, start - 5), start)
        for begin in (start, letters.start()) if letters else (start,):
            for type_, label in _LABELS:
                if label.search(text, max(0, begin - 50), begin) and self._can_be(
                    type_, text[begin:end], digits
                ):
                    yield begin, end, type_
                    return

    @staticmethod
    def _can_be(type_: PhiType, value: str, digits: int) -> bool:
        """Whether a value is long enough for its label, and no year."""
        if type_ in (PhiType.PHONE, PhiType.FAX):
            return 7 <= digits <= 15
        if digits == 3 and (len(value) < 5 or type_ is PhiType.ID):
            return False
        if type_ is PhiType.DEVICE and value.isdigit() and digits < 5:
            return False
        year = len(value) == 4 and value[:2] in ("19", "20") and value.isdigit()
        return type_ is PhiType.MRN or not year
