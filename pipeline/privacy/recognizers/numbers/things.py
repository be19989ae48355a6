"""Numbers of things: cars, implants, network cards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_VIN = re.compile(r"\b(?=[A-Z0-9]*\d)(?=(?:\d*[A-Z]){3})[A-HJ-NPR-Z0-9]{17}\b")
_UDI = re.compile(r"\(01\)\d{14}(?:\(\d\d\)[A-Za-z0-9-]+)*")
_MAC = re.compile(r"(?<![\w:-])[\da-fA-F]{2}([:-])(?:[\da-fA-F]{2}\1){4}[\da-fA-F]{2}(?![\w:-])")
_PLATE = re.compile(
    r"(?<![a-z])(?:licen[sc]e plate|number plate|plates?|registration plate|tags?|rego?)"
    r"(?: (?:number|no\.?|is|was|reads|#))*[ :#]*"
    r"(?P<plate>[A-Z0-9]{1,4}[- ]?[A-Z0-9]{1,4}(?:[- ][A-Z0-9]{1,4}){0,2}(?<=\d))\b",
    re.IGNORECASE,
)
_PLATE_WORDS = word_set("plate plates tag tags reg rego")
_ON_A_CAR = re.compile(
    r"(?<![\w./@#-])(?:"
    r"[A-Z]{2}\d{2}[ -]?[A-Z]{3}"  # GB
    r"|[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{3,4}"  # IN
    r"|\d{2,3}-[A-Z]{1,2}-\d{1,6}"  # IE
    r"|[A-Z]{1,3}[- ][A-Z]{1,2}[- ]\d{1,4}"  # DE
    r"|[A-Z]{2}-\d{3}-[A-Z]{2}"  # FR, IT
    r"|(?:[A-Z]{2}-)?[A-Z]{2,3}[- ]?\d{3,4}|[A-Z]{3}[- ]?\d{2,4}[A-Z]?"
    r"|\d[A-Z]{3}[- ]?\d{3}|\d{3,4}[- ]?[A-Z]{2,3}|\d{1,2}[A-Z]{1,3}[- ]?\d{2,4}"
    r"|\d{1,2}[A-Z]{1,2}-[A-Z]{2}\d|[A-Z]\d{2}[- ]?[A-Z]{3}|\d{2}-[A-Z]{2}-\d{2}"
    r"|[A-Z]{2}-\d{2}-\d{2}|\d{2}-[A-Z]{2,3}-\d|\d[A-Z]{2}[- ]?\d{3,4}|[A-Z]\d[A-Z][- ]?\d{3}"
    r"|[A-Z]{4} ?\d{2,3}|[A-Z]\d{3,5}[A-Z]{1,2}"
    r")(?![\w/%]|[-.]\w)"
)
_CAR = re.compile(
    r"\b(?:car|cars|truck|van|suv|sedan|pickup|motorcycle|motorbike|scooter|moped|vehicle|vehicles|"
    r"rv|hatchback|minivan|jeep|lorry|taxi|cab|bus|trailer|plates?|tags?|registration|reg|rego|"
    r"registered|license|licence|drives|driving|driver|parked|parking|towed|impounded|"
    r"wheelchair van|Honda|Toyota|Ford|Chevy|Chevrolet|Subaru|Nissan|Hyundai|Kia|Mazda|BMW|Audi|"
    r"Volkswagen|VW|Mercedes|Volvo|Tesla|Dodge|Ram|GMC|Buick|Cadillac|Lexus|Acura|Jaguar|Fiat|"
    r"Peugeot|Renault|Citroen|Skoda|Seat|Vauxhall|Opel|Suzuki|Mitsubishi|Mini|Chrysler|Lincoln|"
    r"Infiniti|Corolla|Camry|Civic|Accord|Prius|Tacoma|Silverado|Mustang|Golf|Polo|Passat|Corsa|"
    r"Astra|Focus|Fiesta|Clio|Micra|Yaris|Outback|Forester|Sentra|Altima|Tata|Mahindra|Maruti|"
    r"Bajaj|"
    r"Yamaha|Kawasaki|Harley|Vespa)\b[^\n]{0,60}$",
    re.IGNORECASE,
)
_CAR_BEHIND = re.compile(
    r"[ ]?[,)]?[ ](?:plates?|tags?|licen[sc]e plate|number plate|car|van|truck)\b", re.IGNORECASE
)
_CAR_WORDS = word_set(
    """
    car cars truck van suv sedan pickup motorcycle motorbike scooter moped vehicle vehicles rv
    hatchback minivan jeep lorry taxi cab trailer plate plates tag tags registration reg rego
    registered license licence drives driving driver parked parking towed impounded honda toyota
    ford chevy chevrolet subaru nissan hyundai kia mazda bmw audi volkswagen vw mercedes volvo
    tesla dodge buick cadillac lexus acura jaguar fiat peugeot renault citroen skoda vauxhall opel
    suzuki mitsubishi chrysler lincoln infiniti corolla camry civic prius tacoma silverado mustang
    golf polo passat corsa astra focus fiesta clio micra yaris outback forester sentra altima
    tata mahindra maruti bajaj yamaha harley vespa bus
    """
)


class ThingRecognizer(SpanRecognizer):
    """Plates near a word of driving; VIN, UDI and MAC addresses by their shape."""

    TYPES = (PhiType.VEHICLE, PhiType.DEVICE)
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Numbers of vehicles and devices in ``text``."""
        if not clues.numbers:
            return
        if not _PLATE_WORDS.isdisjoint(clues.words):
            for match in _PLATE.finditer(text):
                digits = sum(char.isdigit() for char in match["plate"])
                if digits > 1 or (digits and not match["plate"].islower()):
                    yield *match.span("plate"), PhiType.VEHICLE
        if not _CAR_WORDS.isdisjoint(clues.words):
            for match in _ON_A_CAR.finditer(text):
                before = _CAR.search(text, max(0, match.start() - 70), match.start())
                if before or _CAR_BEHIND.match(text, match.end()):
                    yield match.start(), match.end(), PhiType.VEHICLE
        if clues.mixed:
            for match in _VIN.finditer(text):
                yield match.start(), match.end(), PhiType.VEHICLE
            if ":" in text or "-" in text:
                for match in _MAC.finditer(text):
                    yield match.start(), match.end(), PhiType.DEVICE
        if "(01)" in text:
            for match in _UDI.finditer(text):
                yield match.start(), match.end(), PhiType.DEVICE
