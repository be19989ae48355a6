"""What sites put around answers goes; what a doctor said stays, to the letter."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.data.clean import boilerplate

MEDICAL = (
    "A torn meniscus may cause this. Rest the knee and cool it. See a doctor if it locks.",
    "Keep the leg raised.",
    "1. Drink enough. 2. Avoid alcohol. 3. Come back if the fever lasts.",
    "Dr. Smith was right, e.g. about the salt.",
)
BEFORE = (
    "Hello, Welcome to Chat Doctor. ",
    "Hi,Thanks for your query.",
    "Hi! Good evening. I am Chat Doctor answering your query. ",
    "Thanks for your question on Chat Doctor. I can understand your concern. ",
    "Hello!Thank you for asking on HCM!",
    "Hello Dear, thanks for choosing HealthcareMagic. I have gone through your question. ",
    "Hi Maria, welcome to the Chat Doctor forum, ",
    "HiWelcome to Health care magic.I went through your details.",
    "Dear user, thank you for using Chat Doctor! ",
)
AFTER = (
    " Hope I have answered your query. Let me know if I can assist you further.",
    "Hope this helps.Take care.Chat Doctor.",
    " Please do not hesitate to ask in case of any further doubts. Wish you good health.",
    " I hope my answer will help you, take care.",
    " If you have any more questions, feel free to consult me anytime. Regards, Dr. Ada Example",
    " Wishing good health to your aunt. Thanks for using Chat Doctor. Kind regards.",
    " You can contact me on Chat Doctor. Com",
    "Hope I have answered your query.RegardsDr.Ada Example, General and Family Physician",
)


@pytest.mark.parametrize("after", ["", *AFTER])
@pytest.mark.parametrize("before", ["", *BEFORE])
@pytest.mark.parametrize("said", MEDICAL)
def test_greeting_and_sign_off_go_and_nothing_else(before: str, said: str, after: str) -> None:
    cleaned, times = boilerplate.formulas(before + said + after)
    assert cleaned.strip() == said
    assert (times > 0) == bool(before or after)


@pytest.mark.parametrize(
    "text",
    [
        "Hello. Rest the knee.",
        "Rest the knee. Take care.",
        "Feel free to ask if the pain returns.",
        "Rest. If you do not get better soon, come back to me.",
        "Rest. Let me know if you notice blood.",
        "Rest. Please let me know your age.",
        "I hope we find what causes the anaemia. Thank you for explaining the tests.",
        "Don't worry, we will take care of it.",
        "I'm glad to hear that.",
        "I am good, thank you for asking. Let me see the wound.",
        "Thank God you stopped smoking. I wish you could stop drinking.",
        "With regards to your liver, the values are fine.",
        "Hypertrophic cardiomyopathy (HCM) runs in families. Ask on HCM clinics.",
        "Thanks for your long history, which says you walk a lot. That is good.",
        "Do you have any further questions?",
        "If any further bleeding occurs, feel free to call an ambulance.",
    ],
)
def test_what_is_no_formula_of_a_site_stays(text: str) -> None:
    assert boilerplate.formulas(text) == (text, 0)


def test_a_dependent_clause_keeps_its_greeting() -> None:
    text = "Thanks for your question, which many ask. It is harmless."
    assert boilerplate.formulas(text) == (text, 0)
    after_comma = "Thanks for your question, if it hurts then rest."
    assert boilerplate.formulas(after_comma) == (after_comma, 0)
    assert boilerplate.formulas("Thanks for your question, If it hurts then rest.")[0] == (
        "If it hurts then rest."
    )


@pytest.mark.parametrize("first", ["pH of the skin is low.", "mRNA vaccines are safe."])
def test_a_first_word_with_its_own_spelling_keeps_it(first: str) -> None:
    assert boilerplate.formulas(f"Welcome to Chat Doctor, {first}")[0] == first


def test_a_torn_sentence_goes_whole() -> None:
    text = "Keep calm. 1. Rest the leg and let it hang. 2. Take an anti-inflammatory Chat Doctor. "
    text += "3. Cool the ankle and keep it raised over night."
    cleaned, times = boilerplate.torn(text)
    assert times == 1
    assert cleaned == (
        "Keep calm. 1. Rest the leg and let it hang. "
        "3. Cool the ankle and keep it raised over night."
    )


def test_a_text_of_which_little_would_be_left_is_not_cut() -> None:
    text = "This may be due to fresChatDoctorel milk and hy Chat Doctor. Rest."
    assert boilerplate.torn(text) == (text, 0)
    assert boilerplate.has_placeholder(text)


def test_chat_doctor_in_small_letters_is_what_somebody_wrote() -> None:
    text = "I asked a chat doctor about it yesterday and got no answer."
    assert boilerplate.torn(text) == (text, 0)
    assert not boilerplate.has_placeholder(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hi Chat Doctor, my ear hurts.", "Hi doctor, my ear hurts."),
        ("Dear Chat Doctor. My ear hurts.", "Dear doctor My ear hurts."),
        ("My ear hurts.", "My ear hurts."),
    ],
)
def test_a_patient_addresses_a_doctor(text: str, wanted: str) -> None:
    assert boilerplate.salutations(text)[0] == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Rest. For more information consult an ear nose throat specialist online --> "
            "https://www.icliniq.com/ask-a-doctor-online/ent",
            "Rest.",
        ),
        ("Rest. For further doubts consult a neurologist online ▶️. Bye.", "Rest. Bye."),
        (
            "Rest. Ask me at this link: http://doctor.healthcaremagic.com/Funnel?id=1 Sleep well.",
            "Rest. Sleep well.",
        ),
        ("Consult a neurologist.", "Consult a neurologist."),
        ("See https://example.org/knee for it.", "See https://example.org/knee for it."),
    ],
)  # fmt: skip
def test_promotion_goes_and_leaves_no_half_sentence(text: str, wanted: str) -> None:
    assert boilerplate.promotion(text)[0].strip() == wanted


def test_labels_of_a_form() -> None:
    picture = "(attachment removed to protect patient identity)"
    text = f"Brief Answer: Rest. Detailed Answer: In the picture {picture} it is swollen."
    assert boilerplate.labels(text) == ("Rest. In the picture  it is swollen.", 3)
    assert boilerplate.labels("A brief answer is enough.")[1] == 0


@given(st.text(alphabet="HiThanks for query.,!?\n ChatDoctor regd1", max_size=120))
def test_what_is_left_was_there_and_a_second_pass_ends(text: str) -> None:
    cleaned, times = boilerplate.formulas(text)
    assert (times == 0) == (cleaned == text)
    assert cleaned.lower() in text.lower() or times > 1
    for _ in range(20):
        cleaned, times = boilerplate.formulas(cleaned)
        if not times:
            break
    assert times == 0


def test_real_answers_without_boilerplate_are_left_alone(shared_data: Path) -> None:
    file = shared_data / "chatdoctor" / "chatdoctor5k.json"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    answers = [row["output"].strip() for row in json.loads(file.read_text(encoding="utf-8"))]
    rules = (boilerplate.formulas, boilerplate.torn, boilerplate.promotion, boilerplate.labels)
    changed = [answer for answer in answers for rule in rules if rule(answer)[1]]
    assert changed == []


def test_real_answers_come_back_out_of_their_boilerplate(shared_data: Path) -> None:
    file = shared_data / "chatdoctor" / "chatdoctor5k.json"
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    answers = [row["output"].strip() for row in json.loads(file.read_text(encoding="utf-8"))]
    wrong = 0
    for number, answer in enumerate(answers[::4]):
        before, after = BEFORE[number % len(BEFORE)], AFTER[number % len(AFTER)]
        if answer[-1:] in ".!":
            wrong += boilerplate.formulas(before + answer + after)[0].strip() != answer
    assert wrong <= 10  # of 1,363; they end in a courtesy of their own
