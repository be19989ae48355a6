"""Names of people are found by their signs; eponyms, drugs and plain words stay."""

import pytest

from medllm.pipeline.privacy.find import find
from medllm.pipeline.privacy.identifiers import PhiType


def names(text: str) -> list[str]:
    return [text[s.start : s.end] for s in find(text) if s.type is PhiType.NAME]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dear Mr Smith, your results are in.", ["Smith"]),
        ("Hi Anna, how are you?", ["Anna"]),
        ("hello Dr. Lee, my back hurts", ["Lee"]),
        ("Best advice. Regards, John Miller", ["John Miller"]),
        ("Take the tablets.\nYours sincerely,\nMarta Kowalczyk", ["Marta Kowalczyk"]),
        ("my name is john smith and i cough", ["john smith"]),
        ("Hello, I am Peter, 45, and I cough", ["Peter"]),
        ("my husband Tom has a fever", ["Tom"]),
        ("She was seen by Dr. Okonjowa.", ["Okonjowa"]),
        ("Thomas Edward O'Brien-Smith Jr. came.", ["Thomas Edward O'Brien-Smith Jr."]),
        ("J. R. Martinez called.", ["J. R. Martinez"]),
        ("Maria de la Cruz was admitted.", ["Maria de la Cruz"]),
        ("Patient: JOHNSON, MARY", ["JOHNSON, MARY"]),
        ("Nurse Ottoline changed the dressing", ["Ottoline"]),
        ("yesterday tracy came to see me", ["tracy"]),
        ("We asked Kwabena Owusu to come back", ["Kwabena Owusu"]),
        ("The patient, Xiomara Quispe, slept.", ["Xiomara Quispe"]),
        ("Thank you for the reply. Oluwaseun Adebayo", ["Oluwaseun Adebayo"]),
        ("We saw Mark Thompson's scan", ["Mark Thompson"]),
        ("Signed: Jean-Luc Moreau", ["Jean-Luc Moreau"]),
        ("Mx Delacourt-Nwosu prefers they", ["Delacourt-Nwosu"]),
        ("Officer Delgado-Ruiz took the report", ["Delgado-Ruiz"]),
        ("my gp is dr m khan", ["m khan"]),
        ("told marcy at the front desk", ["marcy"]),
        ("Hey Dr. K!", ["K"]),
        ("he goes by Coco", ["Coco"]),
        ("BB Thistlewood", ["Thistlewood"]),
        ("HORACE PYM WAS SEEN TODAY BY DR THISTLEWOOD.", ["HORACE PYM", "THISTLEWOOD"]),
        ("a note from Grace about grace", ["Grace"]),
        ("Lucille Goldberg came", ["Lucille Goldberg"]),
    ],
)
def test_names_are_found(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Dr. Graves called about the Graves disease.", "Graves"),
        ("Mr. Bell has Bell's palsy.", "Bell"),
        ("My son Will is ill. Will he recover?", "Will"),
        ("My sister Rose saw a rose colored rash.", "Rose"),
        ("Then Grace said that grace helps.", "Grace"),
        ("We told Joy to rest. Joy is good.", "Joy"),
    ],
)
def test_a_sign_decides_between_a_person_and_a_word(text: str, name: str) -> None:
    assert names(text) == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Parkinson's disease, Crohn's, Hodgkin lymphoma and Alzheimer dementia.",
        "A Foley catheter, Apgar 9, Babinski negative, Glasgow Coma Scale 14.",
        "Murphy's sign is positive; Bell's palsy, Down syndrome, Addison disease.",
        "Cushing syndrome, Wilson disease, Paget disease, Raynaud phenomenon.",
        "Lyme disease, Marburg virus, Coxsackie, Norwalk virus, Lou Gehrig's disease.",
        "Mann-Whitney U, Kaplan-Meier, Student t test, Cox regression, Pearson correlation.",
        "Edward syndrome and Guillain-Barre syndrome.",
        "It may hurt. Will this go away? I hope so. Mark the lesion and bill the patient.",
        "Dr May I ask? Dr. Will this work? Doctor Please help. Doctor, I have a cold.",
        "Thanks for using Chat Doctor. Hi, Welcome to Chat Doctor. Hello dear, Thanks.",
        "Type 2 Diabetes, Vitamin D, Tylenol, Augmentin, Yasmin pill, Candida, E. Coli, H. Pylori.",
        "I'm Diabetic and I am Indian. I am Male. I am Pregnant, 5 weeks.",
        "Thanks. Additionally, rest. Take care. Furthermore, drink.",
        "Folliculitis, also known as barber's itch, or hay fever. I find myself needing rest.",
        "Long term use. Young people. Black stool. West Coast. Summer Day. Good Morning.",
        "Patient: Will do. Doctor: April is cold.",
        "Nurse Practitioner note. Parkinson, Crohn, Hodgkin and Raynaud excluded.",
        "Tab Zincovit, Syp Ascoril and Inj Monocef given. D.O.B. unknown. Doctor: Perfect!",
        "ANA and ELISA were negative, CAT scan normal.",
        "Dear Sir, Dear Madam, Dear Patient, Dear User,",
        "",
    ],
)
def test_what_is_no_person_stays(text: str) -> None:
    assert names(text) == []
