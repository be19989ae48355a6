"""Values of the held-out set: real towns, invented streets, hospitals, employers and numbers."""

from __future__ import annotations

from random import Random

from benchmarks.privacy.numbers import ascii_letters, dea, digits, mbi, npi, shaped, ssn, vin
from benchmarks.privacy.people import Person
from benchmarks.privacy.values import Values, one_of, one_shape
from benchmarks.privacy.values.held_out_names import ORIGINS

_AREA_CODES = ("208", "559", "505", "315", "865", "937", "478", "920", "225", "605", "814", "802")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "|").split("|"))


# town, state, first three digits of a ZIP code there, county
TOWNS = [tuple(line.split("|")) for line in """\
Boise|ID|837|Ada County
Fresno|CA|937|Fresno County
Albuquerque|NM|871|Bernalillo County
Syracuse|NY|132|Onondaga County
Knoxville|TN|379|Knox County
Spokane|WA|992|Spokane County
Dayton|OH|454|Montgomery County
Missoula|MT|598|Missoula County
Macon|GA|312|Bibb County
Green Bay|WI|543|Brown County
Baton Rouge|LA|708|East Baton Rouge Parish
Sioux Falls|SD|571|Minnehaha County
Erie|PA|165|Erie County
Pocatello|ID|832|Bannock County
Burlington|VT|054|Chittenden County
Flint|MI|485|Genesee County
Corpus Christi|TX|784|Nueces County
Greensboro|NC|274|Guilford County
Peoria|IL|616|Peoria County
Grand Junction|CO|815|Mesa County
Flagstaff|AZ|860|Coconino County
Wailuku|HI|967|Maui County
Portland|ME|041|Cumberland County
Springfield|MO|658|Greene County
Huntsville|AL|358|Madison County
Lubbock|TX|794|Lubbock County
Eugene|OR|974|Lane County
Biloxi|MS|395|Harrison County
Fargo|ND|581|Cass County
Lincoln|NE|685|Lancaster County
Topeka|KS|666|Shawnee County
Fayetteville|AR|727|Washington County
Cedar Rapids|IA|524|Linn County
Toledo|OH|436|Lucas County
Laramie|WY|820|Albany County
Elko|NV|898|Elko County
Provo|UT|846|Utah County
Paducah|KY|420|McCracken County
Gallup|NM|873|McKinley County
Paterson|NJ|075|Passaic County
Yonkers|NY|107|Westchester County
Nashua|NH|030|Hillsborough County
Ocala|FL|344|Marion County
Hialeah|FL|330|Miami-Dade County
Salinas|CA|939|Monterey County
Charleston|SC|294|Charleston County""".splitlines()]  # fmt: skip

STREETS = _listed("""\
Maple Street|Oak St|Washington Ave|5th Avenue|2nd St NW|Highway 61|Lakeview Drive|Park Rd|Elm Court
N Main St|Cedar Lane|Church Street|W. Pine Blvd|Via Verde|Ridge Road|Juniper Way|Hillcrest Ave
Meadowlark Ln|Franklin Street|County Line Rd|S. 14th St|Camino Alto|Riverside Dr|Orchard Park
Prospect Hill|Foxglove Close|E. Jackson Blvd|FM 1826|Cherry Tree Loop|The Crescent""")
_UNITS = ("", "", "", "", ", Apt 12", " Unit B", ", Apt. 4C", " #7", ", Bldg 3", ", Ste 210")
HOSPITALS = _listed("""\
Bayou Crest Medical Center|St. Odile Hospital|Wren Valley Hospital|Granite Pass General Hospital
University Hospital of the Cascades|Mount Ephrem Medical Center|Ellery Children's Hospital
Good Shepherd of the Pines|Marrow Creek VA Medical Center|Prairie Star Regional Medical Center
St. Aldhelm's|Ashbrook|Kingsmere Health|Lakes Presbyterian|Carrow County Hospital
Sacred Harbor|Bonner Ferry Memorial Hospital|Hospital San Telmo""")
_CENTERS = _listed("""\
Bayou Crest Medical Center|Mount Ephrem Medical Center|Prairie Star Regional Medical Center
Wren Valley Community Hospital|Granite Pass General Hospital""")
CLINICS = _listed("""\
Lakeshore Orthopedics|Harbor Point Internal Medicine|Sweetgrass Family Medicine|Stonegate Clinic
Ironwood Pain Institute|ExpressMed Walk-In|Twin Pines Radiology|Valley Oak Endocrinology
The Larkin Clinic|Northside Health Center|Eastmoor Medical Group|Summit Ridge Gastroenterology
Whitfield Dermatology|Clearbrook OB/GYN""")
_STREET_NUMBERS = (99, 999, 9999)


def _street(rng: Random) -> str:
    if rng.random() < 0.07:
        return rng.choice((f"PO Box {rng.randint(20, 4999)}", f"RR {rng.randint(1, 6)} Box 88"))
    number = rng.randint(1, rng.choice(_STREET_NUMBERS))
    return f"{number} {rng.choice(STREETS)}{rng.choice(_UNITS)}"


def _phone(rng: Random) -> str:
    """Mostly 555-0100 to 0199, kept for fiction; the British and Australian ones are so too."""
    area, line = rng.choice(_AREA_CODES), f"{rng.randint(100, 199):04d}"
    exchange = "555"
    if rng.random() < 0.4:
        exchange, line = shaped(rng, "299"), f"{rng.randint(0, 9999):04d}"
        exchange = "264" if exchange == "211" else exchange
    shapes = (
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"{area} {exchange} {line}",
        f"{area}{exchange}{line}",
        f"{exchange}-{line}",
        f"+1 ({area}) {exchange}-{line}",
        f"1 {area} {exchange} {line}",
        f"{area}/{exchange}-{line}",
        f"{area}-{exchange}-{line} extension {rng.randint(10, 999)}",
        f"({area}) {exchange} - {line}",
        f"0161 496 0{rng.randint(100, 999)}",
        f"07700 900{rng.randint(100, 999)}",
        f"+61 491 570 {rng.randint(100, 999)}",
    )
    return rng.choices(shapes, (6, 7, 3, 2, 2, 3, 2, 1, 1, 1, 1, 1, 1, 1))[0]


def _udi(rng: Random) -> str:
    return f"(01)0{digits(rng, 13)}(11)2{shaped(rng, '9')}0315(10){shaped(rng, 'A9999')}"


def _url(rng: Random) -> str:
    return rng.choice((
        f"https://www.example.com/mycare/letters/{shaped(rng, 'A9A9A9')}",
        f"https://images.example.net/study?uid={digits(rng, 9)}",
        f"http://family{digits(rng, 2)}.example.org",
        f"example.org/forms/{digits(rng, 7)}",
        f"www.example.net/u/{shaped(rng, '99A9')}/photos",
    ))  # fmt: skip


def _ip(rng: Random) -> str:
    return rng.choice((
        f"192.0.2.{rng.randint(1, 254)}", f"203.0.113.{rng.randint(1, 254)}",
        f"10.{rng.randint(0, 99)}.{rng.randint(0, 254)}.{rng.randint(1, 254)}",
        f"198.51.100.{rng.randint(1, 254)}", f"2001:db8:85a3::8a2e:{digits(rng, 3)}:7334",
    ))  # fmt: skip


def _handle(rng: Random, person: Person) -> str:
    first, last, number = ascii_letters(person.first), ascii_letters(person.last), digits(rng, 2)
    return rng.choice((
        f"{first}.{last}", f"mrs_{last}{number}" if person.woman else f"mr_{last}{number}",
        f"the_real_{first}", f"worried{first}", f"night_owl{number}", f"HikerDad{number}",
        f"sunflower{digits(rng, 4)}", f"{last}family{number}", f"{first}_in_pain",
    ))  # fmt: skip


def _email(rng: Random, person: Person) -> str:
    first, last = ascii_letters(person.first), ascii_letters(person.last)
    local = rng.choice((f"{first}{last}", f"{first[:1]}.{last}{digits(rng, 2)}", f"{last}.{first}",
                        f"{first}19{digits(rng, 2)}", f"the{last}s", f"hikerdad{digits(rng, 2)}",
                        f"{first}-{last}"))  # fmt: skip
    places = ("example.com", "example.net", "ridgeclinic.example.com", "mail.example.org")
    return f"{local}@{rng.choice(places)}"


_MRN = one_shape("999999", "9999999999", "MR9999999", "999-999", "AAA9999999", "99999-9",
                 "H00099999999", "9999 9999", "A-999999", "99999999")  # fmt: skip
_PLAN = one_shape("AAA99A999999", "999999999 01", "R99999999", "9999-9999-9999", "A99-9999999",
                  "AAA9999999", "99999999999", "AA 99 99 99 A")  # fmt: skip
_SERIAL = one_shape("99A9999", "A9A9A9A9", "9999-99999", "PGN999999A", "AAAA99999", "A-9999-99",
                    "99999999")  # fmt: skip
_OTHER_ID = one_shape("A99-9999", "AAA-999999-99", "99-999-99999", "Q99999999", "999999999",
                      "9999/99", "AA99999")  # fmt: skip
_INSTITUTIONS = {
    "hosp": HOSPITALS,
    "hosp2": HOSPITALS,
    "center": _CENTERS,
    "clinic": CLINICS,
    "home": _listed("Maplewood Care Center|Autumn Lake|Rosehaven|Golden Sage Assisted Living"),
    "dental": _listed(
        "Juniper Dental Group|Smile Harbor|Broad Street Dentistry|Alder Orthodontics"
    ),
    "physio": _listed("Stonegate Physical Therapy|Stride Rehab|Body in Motion|Kestrel Sports Care"),
    "mind": _listed("Willowmere Counseling|Prairie Wind Behavioral Health|The Lantern House"),
    "peds": _listed("Little Acorns Pediatrics|Kite Hill Children's Clinic|Bluebell Pediatrics"),
    "agency": _listed("Blue Heron Hospice|Valley Oak Home Health|Gentle Hands Nursing"),
    "pharm": _listed("Corner Oak Pharmacy|Hartwell Drugs|Parkside Apothecary"),
}
EMPLOYERS = _listed("""\
Northfork Paper Mill|Ames & Whitby LLP|Costa Verde Produce|Red Anchor Trucking|BlueMesa Solar
Harlan Tool and Die|Sunrise Bakery|Coldwater Ski Resort|Mapleton Public Library|Vantage Call Center
Petrosky Roofing""")
SCHOOLS = _listed("""\
Lincoln Heights Elementary|Eastview High|Bright Beginnings Preschool|Chavez Middle School
Holy Family School|Pine Bluff Academy""")

VALUES = Values(
    origins=ORIGINS,
    towns=TOWNS,
    house_styles=(
        "us",
        "usu",
        "usu",
        "short",
        "long",
        "abbr",
        "abbrdot",
        "iso",
        "DMY",
        "dmyabbr",
        "shortdash",
        "ymd",
    ),
    no_year=("md", "mdpad", "mdlong", "mdabbr", "dmabbr", "dm", "mdord"),
    handle=_handle,
    email=_email,
    slots={
        **{slot: ("HOSPITAL", one_of(names)) for slot, names in _INSTITUTIONS.items()},
        **dict.fromkeys(("street", "street2"), ("STREET", _street)),
        "streetname": ("STREET", one_of(STREETS)),
        "world": ("CITY", one_of(_listed("Pune|Manchester|Nairobi|Lahore|Toronto|Leeds|Cebu"))),
        "emp": ("EMPLOYER", one_of(EMPLOYERS)),
        "school": ("SCHOOL", one_of(SCHOOLS)),
        **dict.fromkeys(("phone", "phone2", "phone3"), ("PHONE", _phone)),
        "fax": ("FAX", _phone),
        "ssn": ("SSN", ssn),
        "ssn4": ("SSN", lambda rng: digits(rng, 4)),
        **dict.fromkeys(("mrn", "mrn2"), ("MRN", _MRN)),
        **dict.fromkeys(("plan", "plan2"), ("HEALTH_PLAN", _PLAN)),
        "mbi": ("HEALTH_PLAN", mbi),
        "acct": (
            "ACCOUNT",
            one_shape(
                "V99999999999", "AC9999999", "99-999999", "999 999 999", "HB999999999", "9999999999"
            ),
        ),
        "card4": ("ACCOUNT", lambda rng: digits(rng, 4)),
        "dl": (
            "LICENSE",
            one_shape("A99-99-9999", "999999999", "WDLAAA9999", "A999999999999", "AA999999"),
        ),
        "lic": ("LICENSE", one_shape("MD-999999", "G99999", "A-99999", "036-999999", "RN999999")),
        "cert": ("LICENSE", one_shape("CE-99999", "999999-A")),
        "npi": ("LICENSE", npi),
        "dea": ("LICENSE", dea),
        "plate": ("VEHICLE", one_shape("AAA9999", "A99-AAA", "999-AAA", "99-A9999", "9A99999")),
        "vin": ("VEHICLE", vin),
        **dict.fromkeys(("serial", "serial2"), ("DEVICE", _SERIAL)),
        "udi": ("DEVICE", _udi),
        "url": ("URL", _url),
        "ip": ("IP", _ip),
        **dict.fromkeys(("otherid", "otherid2"), ("OTHER_ID", _OTHER_ID)),
    },
)
