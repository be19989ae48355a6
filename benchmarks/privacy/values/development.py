"""Values of the development set: real towns, invented streets, hospitals, employers and numbers."""

from __future__ import annotations

from random import Random

from benchmarks.privacy.numbers import ascii_letters, dea, digits, mbi, npi, shaped, ssn, vin
from benchmarks.privacy.people import Person
from benchmarks.privacy.values import Values, one_of
from benchmarks.privacy.values.development_names import ORIGINS

_AREA_CODES = ("218", "661", "575", "207", "918", "423", "509", "812", "406", "912", "715", "337")

# town, state, first three digits of a ZIP code there, county
_TOWNS = [tuple(line.split("|")) for line in """\
Duluth|MN|558|St. Louis County
Bakersfield|CA|933|Kern County
Las Cruces|NM|880|Doña Ana County
Bangor|ME|044|Penobscot County
Tulsa|OK|741|Osage County
Chattanooga|TN|374|Hamilton County
Yakima|WA|989|Yakima County
Terre Haute|IN|478|Vigo County
Bozeman|MT|597|Gallatin County
Savannah|GA|314|Chatham County
Eau Claire|WI|547|Chippewa County
Lafayette|LA|705|St. Martin Parish
Kalispell|MT|599|Flathead County
Rapid City|SD|577|Pennington County
Hilo|HI|967|Hawaii County
Scranton|PA|185|Lackawanna County
Coeur d'Alene|ID|838|Kootenai County
Brattleboro|VT|053|Windham County
Reading|PA|196|Berks County
Mobile|AL|366|Baldwin County
Normal|IL|617|McLean County
Shiprock|NM|874|San Juan County
Nome|AK|997|Nome Census Area
Worcester|MA|016|Worcester County
El Paso|TX|799|El Paso County
Winston-Salem|NC|271|Forsyth County""".splitlines()]  # fmt: skip

_STREETS = """\
Wexcombe Ave|Tamarack Trail|N. Ninth St|Old Mill Rd|Calle del Sol|Martin Luther King Jr. Blvd
State Route 14|Sycamore Hollow Drive|E 43rd Street|Pawtucket Place|Doctors Park Way|Avenue C
Kirkbride Terrace|County Road 220|Saint-Denis Court|Upper Quarry Lane|Broadway|Rue Chartier
Whippoorwill Cir|SW Harbor Pkwy""".replace("\n", "|").split("|")  # fmt: skip
_UNITS = ("", "", "", ", Apt 3B", " Unit 12", ", #204", " Apt. 7", ", Lot 41")

_HOSPITALS = """\
St. Brendan's Hospital|Kettle Creek Community Hospital|Mercy Ridge Medical Center
Three Forks Regional|Our Lady of the Plains Hospital|Tidewater Veterans Hospital
Cobblestone Children's Hospital|Holy Rosary Infirmary|Great Bend University Hospital
Lakehead General|Saddleback Memorial|Ezra Whitlock Cancer Institute""".replace("\n", "|").split("|")
_CLINICS = """\
Pine Hollow Family Practice|Redstone Urgent Care|Cedar Gap Women's Health
Fourth Street Free Clinic|Bluestem Cardiology Associates|Northgate Dialysis Center
Marigold Pediatrics|Sandhill Eye Center|Birchwood Skilled Nursing
Tall Oaks Rehab|Copper Basin Imaging|Westerly Sleep Lab""".replace("\n", "|").split("|")
_EMPLOYERS = """\
Brightwater Foundry|Hollis & Crane Logistics|Pemberton Unified School District
Quail Run Sawmill|Oakhurst Poultry|Delmar Freight Lines|Tri-Rivers Electric Co-op
Lupine Software""".replace("\n", "|").split("|")
_SCHOOLS = (
    "Jefferson Elementary",
    "Willow Bend Middle School",
    "Sacajawea Charter School",
    "St. Kilian's Academy",
)
_HOMES = ("Birchwood Skilled Nursing", "Evergreen Manor", "Sunny Slope Assisted Living")


def _street(rng: Random) -> str:
    """House number, street and sometimes a unit."""
    number = rng.choice((rng.randint(1, 99), rng.randint(100, 999), rng.randint(1000, 19999)))
    if rng.random() < 0.08:
        return f"P.O. Box {number}"
    return f"{number} {rng.choice(_STREETS)}{rng.choice(_UNITS)}"


def _phone(rng: Random) -> str:
    """A telephone number: mostly American, some British from the ranges kept for drama."""
    area = rng.choice(_AREA_CODES)
    exchange = "555" if rng.random() < 0.5 else digits(rng, 3).replace("1", "4", 1)
    line = f"{rng.randint(0, 9999):04d}"
    shapes = (
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"{area}.{exchange}.{line}",
        f"{area} {exchange} {line}",
        f"{area}{exchange}{line}",
        f"+1 {area} {exchange} {line}",
        f"1-{area}-{exchange}-{line}",
        f"({area}){exchange}-{line}",
        f"{exchange}-{line}",
        f"{area}-{exchange}-{line} ext. {rng.randint(10, 9999)}",
        f"{area}-{exchange}-{line} x{rng.randint(10, 999)}",
        f"020 7946 0{rng.randint(100, 999)}",
        f"+44 7700 900{rng.randint(100, 999)}",
    )
    return rng.choices(shapes, (4, 4, 2, 2, 2, 2, 1, 1, 2, 1, 1, 1, 1))[0]


def _mrn(rng: Random) -> str:
    """A hospital's record number: each hospital has its own shape."""
    return shaped(rng, rng.choice(("9999999", "99999999", "999-99-99", "A999999", "AA-9999999",
                                   "00999999", "99-99-99", "E9999999999")))  # fmt: skip


def _health_plan(rng: Random) -> str:
    """A member or policy number."""
    return shaped(rng, rng.choice(("AAA999999999", "W9999 99999", "AAA 9999 9999 99", "9999999999A",
                                   "99999999-01", "H9999-999-99")))  # fmt: skip


def _account(rng: Random) -> str:
    """A billing account number."""
    return shaped(rng, rng.choice(("9999999-99", "A-99999999", "000999999", "9999 9999 99")))


def _plate(rng: Random) -> str:
    """A vehicle's licence plate."""
    return shaped(rng, rng.choice(("9AAA999", "AAA-9999", "AAA 999", "99A-AA9", "AA 99999")))


def _licence(rng: Random) -> str:
    """A driving licence or professional licence."""
    return shaped(
        rng, rng.choice(("A9999999", "A999-9999-9999", "AA-99999", "99999999", "AA999999A"))
    )


def _serial(rng: Random) -> str:
    """The serial number of a device."""
    return shaped(
        rng, rng.choice(("AAA999999A", "AA-9999999-A", "999999", "9A99999999", "AAA-99-9999"))
    )


def _other_id(rng: Random) -> str:
    """An accession, specimen, prescription or ticket number."""
    return shaped(rng, rng.choice(("A99-99999", "AA-99-99999", "9999999", "9999-999999")))


def _udi(rng: Random) -> str:
    """A device's unique identifier: product, expiry and serial number (GS1 element strings)."""
    return f"(01)0{digits(rng, 13)}(17)2{shaped(rng, '9')}0630(21){shaped(rng, 'A99999')}"


def _url(rng: Random) -> str:
    """An address on the web that leads to one person's data."""
    return rng.choice((
        f"https://portal.example.org/visit/{digits(rng, 6)}",
        f"http://www.example.com/~{rng.choice(('jdoe', 'mumof2', 'tiredguy'))}{digits(rng, 2)}",
        f"www.example.net/share?id={shaped(rng, 'A9A99')}",
        f"records.example.org/p/{digits(rng, 5)}/images",
    ))  # fmt: skip


def _ip(rng: Random) -> str:
    """An internet address from the blocks kept for documentation (RFC 5737, RFC 3849)."""
    block = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
    return rng.choice((f"{block}.{rng.randint(1, 254)}",) * 3 + (f"2001:db8::{digits(rng, 4)}",))


def _handle(rng: Random, person: Person) -> str:
    """A user name, often made of the name."""
    first, last = ascii_letters(person.first), ascii_letters(person.last)
    return rng.choice(
        (
            f"{first}{last[:1]}{digits(rng, 2)}",
            f"{first[:1]}{last}",
            f"{last}_{first}",
            f"tired_and_{first}",
            f"gutsy{digits(rng, 4)}",
            f"xX{first}Xx",
        )
    )


def _email(rng: Random, person: Person) -> str:
    """An e-mail address at one of the names kept for examples (RFC 2606)."""
    first, last = ascii_letters(person.first), ascii_letters(person.last)
    local = rng.choice((f"{first}.{last}", f"{first[:1]}{last}", f"{last}{digits(rng, 2)}",
                        f"{first}_{last[:1]}", f"bluebird{digits(rng, 3)}"))  # fmt: skip
    return f"{local}@{rng.choice(('example.org', 'example.com', 'mail.example.net'))}"


VALUES = Values(
    origins=tuple(ORIGINS[key] for key in sorted(ORIGINS)),
    towns=_TOWNS,
    house_styles=("us", "us", "short", "iso", "long", "dmy", "abbr", "dash", "dot"),
    no_year=("md", "mdlong", "dmlong", "mdabbr", "md"),
    handle=_handle,
    email=_email,
    slots={
        "hosp": ("HOSPITAL", one_of(_HOSPITALS)),
        "clinic": ("HOSPITAL", one_of(_CLINICS)),
        "home": ("HOSPITAL", one_of(_HOMES)),
        "street": ("STREET", _street),
        "street2": ("STREET", _street),
        "streetname": ("STREET", one_of(_STREETS)),
        "emp": ("EMPLOYER", one_of(_EMPLOYERS)),
        "school": ("SCHOOL", one_of(_SCHOOLS)),
        "phone": ("PHONE", _phone),
        "phone2": ("PHONE", _phone),
        "fax": ("FAX", _phone),
        "ssn": ("SSN", ssn),
        "ssn4": ("SSN", lambda rng: digits(rng, 4)),
        "mrn": ("MRN", _mrn),
        "mrn2": ("MRN", _mrn),
        "plan": ("HEALTH_PLAN", _health_plan),
        "mbi": ("HEALTH_PLAN", mbi),
        "acct": ("ACCOUNT", _account),
        "card4": ("ACCOUNT", lambda rng: digits(rng, 4)),
        "dl": ("LICENSE", _licence),
        "lic": ("LICENSE", _licence),
        "npi": ("LICENSE", npi),
        "dea": ("LICENSE", dea),
        "plate": ("VEHICLE", _plate),
        "vin": ("VEHICLE", vin),
        "serial": ("DEVICE", _serial),
        "serial2": ("DEVICE", _serial),
        "udi": ("DEVICE", _udi),
        "url": ("URL", _url),
        "ip": ("IP", _ip),
        "otherid": ("OTHER_ID", _other_id),
    },
)
