"""The label of a number: looked up word by word before it, and behind it.

A table of phrases instead of patterns: a note dense with numbers asks it some fifty times, and a
walk over a few words costs a hundredth of what searching with ten regular expressions did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.vocabulary import word_set

_WINDOW = 64  # characters before a value in which its label must stand
_STEPS = 9  # words between label and value, at most
_LONGEST = 4  # words of a label
_LEAST = 4  # digits of a value


def _phrases(text: str) -> Iterator[str]:
    return (line.strip() for line in text.replace("\n", "|").split("|") if line.strip())


_ALONE = {
    PhiType.SSN: """
        ssn|ss|social|social security|social insurance|soc sec|soc|sin|last four of|nino
        national insurance|itin|tin|ein|tax id|tax file|tfn|personnummer|cpf|cnpj|curp|nif|nie|dni
        codice fiscale|bsn|pesel|aadhaar|aadhar|national id|nric|fin no|cpr|pps|ppsn|rut|cedula
        identity card|id card|citizen id|rodne cislo|ahv|svnr|fodselsnummer
        """,
    PhiType.FAX: "fax|facsimile|faxed to|f:",
    PhiType.VEHICLE: """
        vin|license plate|licence plate|number plate|plate|plates|registration plate|tag|reg plate
        vehicle|vehicle identification|vehicle reg|vehicle registration|car registration|index mark
        car reg|numberplate|licensed|tags
        """,
    PhiType.MRN: """
        mrn|mrns|mr|medical record|medical rec|med rec|uhid|hospital number|hospital id|hospital no
        hosp no|hosp|patient id|patient number|patient no|chart|nhs|chi|wristband|band|name id
        acc|accession|medical number|episode|health record|hc|cr no|opd|ipd|op no|ip no|fin|csn|har
        empi|pid|mpi|uid|unit no|unit number|crn|abha|health number|encounter|visit id|urn|ur
        nhi|hn|ramq|ohip|phn|patient ref|emr|ehr|rec|health id|cpi|crno|ur no|patient identifier
        """,
    PhiType.HEALTH_PLAN: """
        mbi|hicn|member id|policy|subscriber|beneficiary|medicare|medicaid|health plan|insurance
        insured|ins|member|members|carrier|coverage|rxbin|pcn|payer id|group no|group number
        group id|rxgrp|rxid|bcbs|blue cross|blue shield|aetna|cigna|humana|kaiser|tricare|anthem
        unitedhealthcare|uhc|united healthcare|ihi|health card|ehic|nhis|policyholder|cin|bupa|axa
        vhi|medi cal|medical card|hmo|ppo|plan id|plan number|certificate|contract|scheme|ghic
        insurance id|subscriber id|health insurance|insurer|payer|medicare id|medicaid id|va
        """,
    PhiType.ACCOUNT: """
        account|accounts|acct|ac|routing|iban|credit card|debit card|invoice|card ending|bsb
        sort code|swift|bic|guarantor|upi|ifsc|billing|aba|bank account|checking|savings|sepa
        amex|mastercard|visa card|paypal|acct ending|statement|bill no|bill number|bitcoin|wallet
        """,
    PhiType.LICENSE: """
        license|licence|licenses|dea|npi|passport|lic|dl|upin|gmc|nmc|ahpra|clia|cds|mci|hpc|hcpc
        driving license|driving licence|green card|alien|visa number|passports|mciz|nabp|ncpdp
        medical council|state lic|bon|provider number|prescriber number|gphc|cpso|rpn|crm|cert
        """,
    PhiType.DEVICE: """
        serial|serials|ser|sn|udi|imei|device id|device identifier|transmitter|generator|device
        pump|monitor|pacemaker|sensor|receiver|icd serial|meid|udi di|iccid|esn|mac|mac address
        concentrator|ventilator serial|asset tag|asset|implant id|hearing aid|hearing aids
        glucometer|meter|loop recorder|defibrillator|neurostimulator|cpap|bipap|prosthesis
        """,
    PhiType.PHONE: """
        phone|telephone|tel|mobile|cell|cellphone|whatsapp|call|contact|text|reach|reach me|dial|ph
        mob|pager|cb|landline|phones|t:|handy|ring|hotline|switchboard|helpline|voicemail
        """,
    PhiType.ID: """
        badge|confirmation|reference|ref|our ref|your ref|rx|prescription|script|case|pedigree
        screening|docket|incident|ticket|auth|authorization|authorisation|prior auth|order
        tracking|call id|work order|id|ids|specimen|participant|enrollment|enrolment|locker|barcode
        claim|claims|police report|file|request id|report no|booking|inmate|approval|pa|crime ref
        pan|voter id|epic|trace|study id|study|subject|slide|sample|accession id|pin|passcode
        access code|confirmation code|code word|door code|gate code|student id|student number|dob id
        employee id|employee number|staff id|payroll|personnel|service number|dod id|edipi|military
        id no|run|pcr|hostname|workstation|terminal|verification|password|token|roll no
        warrant|summons|cad|permit|tracking number|parcel|badge number|membership|loyalty|referral
        """,
}  # fmt: skip
"""Labels that need nothing else."""

_MARKED = {
    PhiType.VEHICLE: "car|registration|reg|motorcycle|truck|van",
    PhiType.MRN: """
        patient|pt|hospital|record|case|file|registration|reg|ip|op|admission|encounter|visit|unit
        specimen|clinic|bed|sample|lab|card index|folder|film|x ray|xray|study|exam|health
        """,
    PhiType.HEALTH_PLAN: "group|plan|claim|payer|scheme|grp|care|card",
    PhiType.ACCOUNT: "bank|card|visa|bill|payment|check|cheque|receipt|transaction",
    PhiType.LICENSE: """
        certification|driver|drivers|driving|permit|board|registration|reg|medical|nursing
        pharmacy|practitioner|provider|travel document|physician|state
        """,
    PhiType.DEVICE: """
        implant|stent|icd|machine|lead|implant lot|mesh
        lot|valve|model|kit|scanner|unit|probe|electrode|graft|mesh|lens
        """,
    PhiType.PHONE: "my|his|her|home|work|direct|desk|callback|office|front desk|nurse line|daytime",
    PhiType.ID: """
        employee|student|subject|report|request|protocol|complaint|donor|identification|tax|voter
        staff|appointment|booking|req|family|proband|sample|tube|block|biopsy|control|receipt|bag
        form|job|user|customer|client|household|trial|site|record|contract|license key|document
        doc|letter|event|item|entry|log|randomization|randomisation|kit|cassette|requisition
        """,
}  # fmt: skip
"""Labels only before "number", "no.", "id", "code", "#" or ":"."""

_SHORT = word_set("locker badge pin band bed")
"""Labels whose values may have three digits."""
_LOOSE = word_set(
    "study subject sample specimen participant screening run order file slide case script family "
    "episode encounter band unit"
)
"""Plain words too: without "number" or a colon only five digits, or letters with them, count."""
_GAP = word_set(
    """
    number numbers num no nos nbr nr id ids code codes card is was are of the in with reads read
    says said plate last four digits on file as for tag holder ending ends this that his her my
    their our your patient's patient pt new old current given printed listed shown under name
    and or called being to at the identification valid primary secondary
    # : = . , ( ) ? / * - – — | [ ] " ' & + ; 4 x
    """
)
_MARKS = word_set("number numbers num no nos nbr nr id ids code codes # : identification")
_TOKEN = re.compile(r"[^\W\d_]+|\d+|\n|[^\w\s]")
_JOINED = re.compile(r"(?<=[a-z])['’](?:s|(?=\s))|(?<=\b[a-z])\.(?=[a-z])|(?<=\b[a-z])/(?=[a-z]\b)")
_BEHIND = re.compile(
    r"[ ]*(?:\((?P<bracket>[^)\n]{2,30})\)"
    r"|,?[ ](?:is|was|are|being|as)[ ](?:also[ ])?(?:the|my|his|her|our|their|your|patient's|"
    r"an?)[ ]"
    r"(?P<said>[A-Za-z][\w ]{1,30}))"
)


def _table(labels: dict[PhiType, str]) -> dict[str, PhiType]:
    table: dict[str, PhiType] = {}
    for type_, phrases in labels.items():
        for phrase in _phrases(phrases):
            table.setdefault(phrase, type_)
    return table


_ALONE_TABLE, _MARKED_TABLE = _table(_ALONE), _table(_MARKED)
LABEL_WORDS = frozenset(
    word for phrase in (*_ALONE_TABLE, *_MARKED_TABLE) for word in phrase.split()
) | {"s/n", "n", "f", "t"}
"""One of these occurs in each text that holds a label."""


class Label(NamedTuple):
    """What a label says of its value: the type, and how many digits it must have."""

    type: PhiType
    least: int


def label_before(text: str, start: int) -> Label | None:
    """The label in the words before ``start``."""
    before = text[max(0, start - _WINDOW) : start].lower()
    tokens = _TOKEN.findall(_JOINED.sub("", before))
    if start > _WINDOW and tokens and text[start - _WINDOW - 1].isalnum():
        tokens = tokens[1:]  # cut in the middle
    marked = False
    breaks = 0
    stop = len(tokens)
    for last in range(stop - 1, max(-1, stop - 1 - _STEPS), -1):
        token = tokens[last]
        if token == "\n":
            breaks += 1
            if breaks > 1:
                return None
            continue
        if breaks and token not in (":", "#", "number", "no", "."):
            # On the line above only a label that ends it counts.
            found = _ending(tokens, last, marked=True)
            return found if last == stop - 1 - breaks or marked else None
        found = _ending(tokens, last, marked=marked)
        if found:
            return found
        if token not in _GAP:
            return None
        marked = marked or token in _MARKS
    return None


def label_behind(text: str, end: int) -> Label | None:
    """The label that words right behind ``end`` name: "4471882 (MRN)", "4471 is my badge"."""
    match = _BEHIND.match(text, end)
    if not match:
        return None
    words = _TOKEN.findall(_JOINED.sub("", (match["bracket"] or match["said"]).lower()))
    for length in range(min(_LONGEST, len(words)), 0, -1):
        type_ = _ALONE_TABLE.get(" ".join(words[:length]))
        if type_ and type_ is not PhiType.PHONE:
            return Label(type_, _LEAST)
    return None


def _ending(tokens: list[str], last: int, *, marked: bool) -> Label | None:
    """The longest label that ends with the token at ``last``."""
    for length in range(_LONGEST, 0, -1):
        first = last - length + 1
        if first < 0:
            continue
        phrase = " ".join(tokens[first : last + 1])
        type_ = _ALONE_TABLE.get(phrase) or (_MARKED_TABLE.get(phrase) if marked else None)
        if type_:
            loose = phrase in _LOOSE and not marked
            return Label(type_, 3 if phrase in _SHORT else 5 if loose else _LEAST)
    return None
