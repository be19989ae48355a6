"""Names on no list are found by their place; drugs, germs and eponyms stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType


def names(text: str) -> list[str]:
    return [text[s.start : s.end] for s in find(text) if s.type is PhiType.NAME]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pt: Quispehua, Xiadani  MRN: none", ["Quispehua, Xiadani"]),
        ("PATIENT: ZHALGASOV, TEMIRLAN K   SEX: M", ["ZHALGASOV, TEMIRLAN K"]),
        ("Attending: Xiadani R. Quispehua, MD", ["Xiadani R. Quispehua"]),
        ("Transcribed: KDX. Draft only.", ["KDX"]),
        ("It is spelled R-I-V-K-A, he said.", ["R-I-V-K-A"]),
        ("The name is spelled R-I-V-K-A", ["R-I-V-K-A"]),
        ("Please tell Strubinger the scan is done.", ["Strubinger"]),
        ("saw dr. van der quispehua about it", ["van der quispehua"]),
        ("went there w/ wife xiadani today", ["xiadani"]),
        ("Please call Xiadani about the scan.", ["Xiadani"]),
        ("Quispehua's daughter sleeps in the family room.", ["Quispehua"]),
        ("Routed to Quispehua/Zhalgasov pool.", ["Quispehua", "Zhalgasov"]),
    ],
)  # fmt: skip
def test_names_on_no_list_are_found_by_their_place(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "He takes Xarelto and Januvia, later Zosyn.",
        "Cultures grew E. coli and S. aureus.",
        "The Morgagni hernia is absent; Ortolani and Barlow negative.",
        "Jackson-Pratt drain dry. Unna boot changed. Semmes-Weinstein absent.",
        "Osler nodes, no Janeway lesions, Kehr neg, Fontan circulation, Hoyer lift, Lenke 1A.",
        "Spina bifida, Myasthenia Gravis, Sprague-Dawley rats, LASIK, a Bovie was used.",
        "Addr: none. Acct: none. Tel: none. Technologist: none.",
        "DISCHARGE SUMMARY AND PLAN OF CARE",
    ],
)
def test_things_with_a_capital_stay(text: str) -> None:
    assert names(text) == []
