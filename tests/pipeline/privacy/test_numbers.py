"""Numbers that identify, by label, check digit or length; measurements stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType


def found(text: str) -> list[tuple[str, str]]:
    return [(s.type.value, text[s.start : s.end]) for s in find(text)]


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("MRN: 8837465", "MRN", "8837465"),
        ("MRN:\n8837465", "MRN", "8837465"),
        ("4471882 (MRN)", "MRN", "4471882"),
        ("83746 is my account number", "ACCOUNT", "83746"),
        ("CPF 123.456.789-09", "SSN", "123.456.789-09"),
        ("national insurance no QQ 12 34 56 C", "SSN", "QQ 12 34 56 C"),
        ("health card 5584-486-674-YM", "HEALTH_PLAN", "5584-486-674-YM"),
        ("reg LN19 XKT", "VEHICLE", "LN19 XKT"),
        ("a white van YK08 PLO hit him", "VEHICLE", "YK08 PLO"),
        ("vehicle: 2014 Subaru, 5GH-881", "VEHICLE", "5GH-881"),
        ("mac 00:1A:2B:3C:4D:5E", "DEVICE", "00:1A:2B:3C:4D:5E"),
        ("Our ref ABC/DEF/4471", "ID", "ABC/DEF/4471"),
        ("call nine one four, five five five, oh one two two", "PHONE",
         "nine one four, five five five, oh one two two"),
        ("medical record number is 00-12-34", "MRN", "00-12-34"),
        ("hospital number H4482", "MRN", "H4482"),
        ("account number 99887766", "ACCOUNT", "99887766"),
        ("card 4532276644577020 expires", "ACCOUNT", "4532276644577020"),
        ("IBAN DE89370400440532013000", "ACCOUNT", "DE89370400440532013000"),
        ("member ID XJ-22345-99", "HEALTH_PLAN", "XJ-22345-99"),
        ("Her MBI is 1EG4-TE5-MK73.", "HEALTH_PLAN", "1EG4-TE5-MK73"),
        ("the card says 1EG4TE5MK73", "HEALTH_PLAN", "1EG4TE5MK73"),
        ("license number D1234567", "LICENSE", "D1234567"),
        ("NPI 1234567893", "LICENSE", "1234567893"),
        ("signed 1234567893", "LICENSE", "1234567893"),  # Luhn with 80840 holds
        ("DEA AB1234563", "LICENSE", "AB1234563"),
        ("passport 514019033", "LICENSE", "514019033"),
        ("serial number SN-4482-AB9", "DEVICE", "SN-4482-AB9"),
        ("license plate ABC-1234", "VEHICLE", "ABC-1234"),
        ("VIN 1HGCM82633A004352", "VEHICLE", "1HGCM82633A004352"),
        ("SSN 123-45-6789", "SSN", "123-45-6789"),
        ("social security number 536221134", "SSN", "536221134"),
        ("call (415) 555-2671", "PHONE", "(415) 555-2671"),
        ("call 415-555-2671 ext. 12", "PHONE", "415-555-2671 ext. 12"),
        ("+91 98765 43210", "PHONE", "+91 98765 43210"),
        ("whatsapp 9876543210", "PHONE", "9876543210"),
        ("my number is 555-0123", "PHONE", "555-0123"),
        ("fax: (312) 555-0199", "FAX", "(312) 555-0199"),
        ("mail jane.doe@gmail.com now", "EMAIL", "jane.doe@gmail.com"),
        ("mail ward7@clinic.local now", "EMAIL", "ward7@clinic.local"),
        ("see www.example.com/x", "URL", "www.example.com/x"),
        ("see https://foo.org/a?b=1 please", "URL", "https://foo.org/a?b=1"),
        ("from 192.168.1.5 today", "IP", "192.168.1.5"),
        ("from 2001:db8:85a3::8a2e:370:7334", "IP", "2001:db8:85a3::8a2e:370:7334"),
        ("my username is catlover_99", "USERNAME", "catlover_99"),
        ("write to @jdoe77", "USERNAME", "@jdoe77"),
        ("reference 83746251", "ID", "83746251"),
        ("sample 8374625117", "PHONE", "8374625117"),
        ("tracking AB-99812345", "ID", "AB-99812345"),
        ("bracelet K44-90817 seen", "ID", "K44-90817"),
        ("(81-36-20) seen", "ID", "81-36-20"),
        ("shown (62848999-01) here", "ID", "62848999-01"),
        ("UDI (01)02481543596374(21)S92356", "DEVICE", "(01)02481543596374(21)S92356"),
        ("pager x4417 tonight", "PHONE", "x4417"),
        ("last four of social 7067", "SSN", "7067"),
        ("login blue_heron_9 works", "USERNAME", "blue_heron_9"),
        ("mail ada dot b at example dot org please", "EMAIL", "ada dot b at example dot org"),
    ],
)  # fmt: skip
def test_numbers_are_found(text: str, type_: str, value: str) -> None:
    assert found(text) == [(type_, value)]


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, HbA1c 7.5, sodium 135, WBC 11000, platelets 150000, 2500000 copies",
        "500-1000 mg, 5000 IU, 1000000 cells, ratio 1:40, L4-L5, C5-6, T12",
        "NCT00069784 and PMID 12345678, NDC 0002-8215-01, CPT 99213",
        "95% CI 12.64-24.18, OR:5.54, HR 0.42, screening was 1:1005, 250 x 10^3, 18 of 248 bones",
        "a sample of 1400 eyes, the study of 4200 adults, taper 40-30-20-10, lot EK1509",
        "He drives a 2014 Honda CR-V at 45 mph to room 412.",
        "pain.In the night it.Is bad.My leg so.Is the arm",
        "The handle of the door. People who handle roses. Facebook is bad for sleep.",
        "A danger sign in asthma. We have signed in assistants.",
        "Please call your doctor in 2015 or 2016.",
        "My record is clean, my account is fine, call me in 10 minutes.",
        "vitamin B12 1000, omega 3, G6PD, H1N1, CA125 35",
        "G2P1, T2DM, C5-C6, SpO2 97%, E11.65, 500-1500 mL, 2015-2019, also known as tinea",
    ],
)
def test_what_identifies_nobody_stays(text: str) -> None:
    assert found(text) == []


def test_an_npi_needs_its_check_digit_where_nothing_says_what_it_is() -> None:
    assert found("signed 1234567890") != [("LICENSE", "1234567890")]
    assert found("NPI 1234567890") == [("LICENSE", "1234567890")]


@pytest.mark.parametrize(
    "mbi", ["0EG4-TE5-MK73", "1SG4-TE5-MK73", "1EGA-TE5-MK73", "1EG4-TE5-M273"]
)
def test_an_mbi_keeps_to_cms_positions(mbi: str) -> None:
    assert all(type_ is not PhiType.HEALTH_PLAN for type_ in [s.type for s in find(f"code {mbi}")])
