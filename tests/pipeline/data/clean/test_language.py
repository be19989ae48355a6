"""A terse English note is never lost; another language is found."""

import csv
import json
from pathlib import Path

import pytest

from medllm.pipeline.data.clean import language
from medllm.pipeline.errors import MedllmError

TERSE = (
    "BP 120/80, afebrile. Cont amoxicillin. F/u prn.",
    "NKDA",
    "Metformin, lisinopril, atorvastatin, aspirin.",
    "Rx: amoxicillin clavulanate",
    "s/p CVA, DM, HTN. Neg CXR.",
    "tab pantoprazole od, tab domperidone sos",
    "Stat ECG, troponin, CXR.",
    "hi dr plz hlp",
    "Diabetes mellitus, angina pectoris, status asthmaticus, tinea versicolor.",
    "Duloxetine pregabalin gabapentin",
    "Fluconazole, ornidazole, cefixime",
    "Sinusitis maxillaris",
    "Pt c/o SOB",
    "Ok",
    "",
    "12 34 56",
)
FOREIGN = {
    "es": "Doctor, tengo dolor de cabeza desde hace tres días y un poco de fiebre. ¿Qué hago?",
    "fr": "Bonjour docteur, j’ai mal au ventre depuis hier soir et je vomis.",
    "de": "Ich habe seit zwei Wochen Schmerzen im Knie, was kann ich tun?",
    "it": "Dottore, ho mal di testa da tre giorni, cosa posso fare?",
    "pt": "Doutor, estou com dor nas costas há uma semana e não consigo dormir.",
    "nl": "Dokter, ik heb al een week pijn in mijn rug, wat kan ik doen?",
    "vi": "Bác sĩ ơi, tôi bị đau đầu ba ngày nay.",
    "ru": "Здравствуйте, у меня болит голова третий день.",
    "zh": "医生你好，我头疼三天了。",
    "ar": "مرحبا دكتور، عندي صداع منذ ثلاثة أيام",
    "hi": "डॉक्टर साहब, मुझे तीन दिन से सिर दर्द है।",
    "el": "Γιατρέ, πονάει το κεφάλι μου τρεις μέρες.",
}


@pytest.mark.parametrize("text", TERSE)
def test_terse_notes_are_kept(text: str) -> None:
    assert language.foreign(text, ("en",)) is None


@pytest.mark.parametrize(("code", "text"), FOREIGN.items())
def test_other_languages_are_found_and_kept_on_demand(code: str, text: str) -> None:
    assert language.foreign(text, ("en",)) == code
    assert language.foreign(text, ("en", code)) is None


def test_an_unknown_code_is_refused() -> None:
    language.check(("en", "de"))
    with pytest.raises(MedllmError, match="xx is no language"):
        language.check(("en", "xx"))


def test_no_real_clinical_text_is_taken_for_foreign(shared_data: Path) -> None:
    texts = []
    chat = shared_data / "chatdoctor" / "chatdoctor5k.json"
    notes = shared_data / "mts-dialog" / "MTS-Dialog-TrainingSet.csv"
    if not chat.is_file() or not notes.is_file():
        pytest.skip(f"{chat} or {notes} is not here")
    for row in json.loads(chat.read_text(encoding="utf-8")):
        texts += [row["input"], row["output"]]
    with notes.open(encoding="utf-8", newline="") as file:
        texts += [row["section_text"] for row in csv.DictReader(file)]
    assert [text for text in texts if language.foreign(text, ("en",))] == []
