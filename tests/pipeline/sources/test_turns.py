"""Any list of turns becomes a dialogue that alternates, or a reason."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.sources.turns import (
    MAX_CHARACTERS,
    Dropped,
    Kept,
    Turn,
    assemble,
    tidy,
)

U: Final = "user"
A: Final = "assistant"


def messages(result: Kept | Dropped) -> list[tuple[str, str]]:
    assert isinstance(result, Kept)
    return [(message.role, message.content) for message in result.dialogue.messages]


def test_one_exchange_is_kept_as_it_is() -> None:
    result = assemble("s", "row 1", [(U, "Why?"), (A, "Because.")])
    assert messages(result) == [(U, "Why?"), (A, "Because.")]
    assert isinstance(result, Kept)
    assert result.changes == {}
    assert result.dialogue.source == "s"
    assert result.dialogue.id.startswith("s-")


def test_the_id_follows_the_words_alone() -> None:
    ids = {
        result.dialogue.id
        for where, answer in (("row 1", "a"), ("row 9", "a"), ("row 1", "b"))
        if isinstance(result := assemble("s", where, [(U, "q"), (A, answer)]), Kept)
    }
    assert len(ids) == 2


def test_turns_of_one_speaker_are_joined() -> None:
    result = assemble("s", "", [(U, "I cough."), (U, " \n"), (U, "At night."), (A, "a"), (A, "b")])
    assert messages(result) == [(U, "I cough.\nAt night."), (A, "a\nb")]
    assert isinstance(result, Kept)
    assert dict(result.changes) == {
        "empty turns left out": 1,
        "turns joined to the same speaker's turn before": 2,
    }


def test_last_words_without_an_answer_are_left_out() -> None:
    result = assemble("s", "", [(U, "q"), (A, "a"), (U, "Thanks!"), (U, "Bye")])
    assert messages(result) == [(U, "q"), (A, "a")]
    assert isinstance(result, Kept)
    assert result.changes["last words of a patient without an answer left out"] == 1


def test_the_description_stands_in_for_missing_first_words_only() -> None:
    assert messages(assemble("s", "", [(A, "a")], " My knee\u00a0hurts. ")) == [
        (U, "My knee hurts."),
        (A, "a"),
    ]
    assert messages(assemble("s", "", [(U, "q"), (A, "a")], "My knee")) == [(U, "q"), (A, "a")]


@pytest.mark.parametrize(
    ("turns", "description", "reason"),
    [
        ([], "", "no turns"),
        ([(U, " "), (A, "\u00a0")], "My knee", "no turns"),
        ([(A, "a")], "", "no words of the patient before the doctor's"),
        ([(U, ""), (A, "a")], "", "no words of the patient before the doctor's"),
        ([(U, "q")], "d", "no answer of the doctor"),
        ([(U, "q"), (A, "")], "", "no answer of the doctor"),
        ([(U, "q\x00"), (A, "a")], "", "NUL character in the text"),
        ([(U, "q"), (A, "a\ud800")], "", "text is not valid UTF-8"),
        ([(U, "q"), (A, "a")], "\udcff", "text is not valid UTF-8"),
    ],
)
def test_what_gives_no_dialogue(turns: list[Turn], description: str, reason: str) -> None:
    assert assemble("s", "row 7", turns, description) == Dropped("row 7", reason)


def test_a_system_message_of_the_row_stands_first() -> None:
    plain = assemble("s", "", [(U, "q"), (A, "a")])
    result = assemble("s", "", [(U, "q"), (A, "a")], system=" Answer\u00a0briefly. ")
    assert messages(result) == [("system", "Answer briefly."), (U, "q"), (A, "a")]
    assert isinstance(result, Kept)
    assert isinstance(plain, Kept)
    assert result.dialogue.id != plain.dialogue.id
    assert assemble("s", "", [(U, "q"), (A, "a")], system=" \n") == plain
    bad = assemble("s", "row 1", [(U, "q"), (A, "a")], system="\x00")
    assert bad == Dropped("row 1", "NUL character in the text")


def test_texts_longer_than_any_model_reads_are_dropped() -> None:
    most = MAX_CHARACTERS - 1
    assert isinstance(assemble("s", "", [(U, "q"), (A, "a" * most)]), Kept)
    too_long = Dropped("", "longer than 1,000,000 characters")
    assert assemble("s", "", [(U, "q"), (A, "a" * most), (U, "b")]) == too_long


def test_very_many_turns_of_one_speaker_are_joined_at_once() -> None:
    result = assemble("s", "", [*[(U, "a")] * 400_000, (A, "b")])  # quadratic, it took minutes
    assert isinstance(result, Kept)
    assert len(result.dialogue.question) == 799_999


def test_tidy_keeps_words_quotes_and_blank_lines() -> None:
    assert tidy("\ufeff “Don’t”\u00a0take\r\n\r\n5\u202fmg\rtwice \n") == (
        "“Don’t” take\n\n5 mg\ntwice"
    )


ROLES = st.sampled_from(["user", "assistant"])


@given(st.lists(st.tuples(ROLES, st.text(max_size=5)), max_size=8), st.text(max_size=5))
def test_any_turns_give_a_valid_dialogue_or_a_reason(turns: list[Turn], description: str) -> None:
    result = assemble("s", "row 1", turns, description)
    if isinstance(result, Kept):  # Dialogue itself checks the rest
        roles = [message.role for message in result.dialogue.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        said = "".join(text for _, text in turns) + description
        for message in result.dialogue.messages:
            assert all(line.strip() in tidy(said) for line in message.content.split("\n"))
