"""Which marked spans a de-identification must find: entity types under HIPAA's Safe Harbor.

45 CFR 164.514(b)(2)(i) lists what has to go, of a person and of "relatives, employers, or
household members". Marked but no targets, since the rule lets them stand:

- TITLE ("Dr."), NRP and NATIONALITY: no item of the list names them;
- ORGANIZATION: a company as such identifies nobody. EMPLOYER, SCHOOL and HOSPITAL do count: the
  rule names employers, and a hospital or school is a place smaller than a state;
- GPE and LOCATION that are a country or a state of the USA: only what is smaller has to go;
- AGE up to 89;
- DATE_TIME that is only a year, a time of day, a day of the week, a duration or a relative word:
  "all elements of dates (except year)". What is not surely one of these counts as a date;
- WEEKDAY: a weekday without a date fits every week.

CLINICIAN counts although the rule speaks of the patient: who treated someone, with a place and a
year, narrows down who it was, and the i2b2 2014 task (Stubbs and Uzuner, J. Biomed. Inform.
58:S20, 2015) counts them too.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Group(StrEnum):
    """The four groups in which targets are reported."""

    STRUCTURED = "structured identifiers"
    NAMES = "names"
    PLACES = "places"
    DATES = "dates and ages"


# kind: (group, entity types). Spans agree in type when they are of one kind.
_KINDS: dict[str, tuple[Group | None, str]] = {
    "person": (Group.NAMES, "PERSON NAME PATIENT RELATIVE CLINICIAN DOCTOR"),
    "institution": (Group.PLACES, "HOSPITAL FACILITY EMPLOYER SCHOOL"),
    "location": (
        Group.PLACES,
        "LOCATION GPE ADDRESS STREET_ADDRESS STREET CITY COUNTY ZIP ZIP_CODE",
    ),
    "date": (Group.DATES, "DATE DATE_TIME"),
    "age": (Group.DATES, "AGE"),
    "phone": (Group.STRUCTURED, "PHONE PHONE_NUMBER FAX FAX_NUMBER"),
    "e-mail": (Group.STRUCTURED, "EMAIL EMAIL_ADDRESS"),
    "web": (Group.STRUCTURED, "URL DOMAIN_NAME IP IP_ADDRESS"),
    "user name": (Group.STRUCTURED, "USERNAME"),
    "social security": (Group.STRUCTURED, "SSN US_SSN US_ITIN"),
    "record": (Group.STRUCTURED, "MRN"),
    "health plan": (Group.STRUCTURED, "HEALTH_PLAN MBI US_MBI"),
    "account": (Group.STRUCTURED, "ACCOUNT CREDIT_CARD IBAN_CODE US_BANK_NUMBER CRYPTO"),
    "licence": (
        Group.STRUCTURED,
        "LICENSE NPI US_NPI MEDICAL_LICENSE US_DRIVER_LICENSE US_PASSPORT DEA",
    ),
    "vehicle": (Group.STRUCTURED, "VEHICLE VIN LICENSE_PLATE"),
    "device": (Group.STRUCTURED, "DEVICE"),
    "other number": (Group.STRUCTURED, "OTHER_ID ID"),
    "title": (None, "TITLE"),
    "affiliation": (None, "NRP NATIONALITY"),
    "organization": (None, "ORGANIZATION"),
    "weekday": (None, "WEEKDAY"),
}  # fmt: skip
_KIND_OF = {entity: kind for kind, (_, types) in _KINDS.items() for entity in types.split()}

_COUNTRIES_AND_STATES = frozenset("""\
afghanistan|albania|algeria|andorra|angola|antigua and barbuda|argentina|armenia|australia|austria
azerbaijan|bahamas|bahrain|bangladesh|barbados|belarus|belgium|belize|benin|bhutan|bolivia
bosnia and herzegovina|botswana|brazil|brunei|bulgaria|burkina faso|burundi|cambodia|cameroon
canada|cape verde|central african republic|chad|chile|china|colombia|comoros|congo|costa rica
croatia|cuba|cyprus|czech republic|czechia|denmark|djibouti|dominica|dominican republic|ecuador
egypt|el salvador|england|equatorial guinea|eritrea|estonia|eswatini|ethiopia|fiji|finland|france
gabon|gambia|germany|ghana|great britain|greece|grenada|guatemala|guinea|guinea-bissau|guyana|haiti
honduras|hungary|iceland|india|indonesia|iran|iraq|ireland|israel|italy|ivory coast|jamaica|japan
jordan|kazakhstan|kenya|kiribati|kosovo|kuwait|kyrgyzstan|laos|latvia|lebanon|lesotho|liberia|libya
liechtenstein|lithuania|luxembourg|madagascar|malawi|malaysia|maldives|mali|malta|marshall islands
mauritania|mauritius|mexico|micronesia|moldova|monaco|mongolia|montenegro|morocco|mozambique|myanmar
namibia|nauru|nepal|netherlands|new zealand|nicaragua|niger|nigeria|north korea|north macedonia
norway|oman|pakistan|palau|panama|papua new guinea|paraguay|peru|philippines|poland|portugal|qatar
romania|russia|rwanda|saint kitts and nevis|saint lucia|samoa|san marino|sao tome and principe
saudi arabia|scotland|senegal|serbia|seychelles|sierra leone|singapore|slovakia|slovenia
solomon islands|somalia|south africa|south korea|south sudan|spain|sri lanka|sudan|suriname|sweden
switzerland|syria|taiwan|tajikistan|tanzania|thailand|timor-leste|togo|tonga|trinidad and tobago
tunisia|turkey|turkmenistan|tuvalu|uganda|ukraine|united arab emirates|uk|united kingdom|usa|us|u.s.
united states|united states of america|uruguay|uzbekistan|vanuatu|vatican city|venezuela|vietnam
wales|yemen|zambia|zimbabwe|alabama|alaska|arizona|arkansas|california|colorado|connecticut|delaware
florida|georgia|hawaii|idaho|illinois|indiana|iowa|kansas|kentucky|louisiana|maine|maryland
massachusetts|michigan|minnesota|mississippi|missouri|montana|nebraska|nevada|new hampshire
new jersey|new mexico|north carolina|north dakota|ohio|oklahoma|oregon|pennsylvania|rhode island
south carolina|south dakota|tennessee|texas|utah|vermont|virginia|west virginia|wisconsin
wyoming""".replace("\n", "|").split("|"))  # fmt: skip
_UNIT = "second minute min hour hr day week weekend month year yr decade century"
_NUMBER = "a an one two three four five six seven eight nine ten few several couple"
_RELATIVE = """the of in on at for since from until to and ago past last next this now each
    every early mid late about around over today tonight yesterday tomorrow morning afternoon
    evening night daily weekly monthly annually am pm monday tuesday wednesday thursday friday
    saturday sunday"""
_NO_DATE = re.compile(
    r"(?:[\s,.;:()~-]|(?:19|20)\d\ds?\b|\d{1,2}:\d\d(?::\d\d)?\b|\b\d{1,3}(?=\s?[a-z])"
    rf"|(?:{'|'.join(f'{_UNIT} {_NUMBER} {_RELATIVE}'.split())})s?\b)+",
    re.IGNORECASE,
)


def kind(entity_type: str) -> str | None:
    """The kind a type belongs to; None for a type that is not known here."""
    return _KIND_OF.get(entity_type)


def group(entity_type: str) -> Group | None:
    """The group of a known type; None where the type is never a target. Raises KeyError."""
    return _KINDS[_KIND_OF[entity_type]][0]


def is_target(entity_type: str, value: str) -> bool:
    """Whether Safe Harbor wants this span gone. Raises KeyError for a type that is not known."""
    if group(entity_type) is None:
        return False
    if entity_type in ("GPE", "LOCATION"):
        return " ".join(value.casefold().split()) not in _COUNTRIES_AND_STATES
    if entity_type == "DATE_TIME":
        return not _NO_DATE.fullmatch(value)
    if entity_type == "AGE":
        number = re.search(r"\d+", value)
        if number:
            return int(number[0]) >= 90
        return bool(re.search(r"ninet(?:y|ies)|hundred", value, re.IGNORECASE))
    return True
