"""A conversation in, events out, over a real engine with a tiny model."""

import threading
from pathlib import Path

import pytest

from medllm.chat.assistant import Chat, open_chat
from medllm.chat.conversation import MAX_CHARACTERS
from medllm.chat.events import EVENT, Done, Event, NodeEntered, RedFlagsFound, TextPiece
from medllm.pipeline.config import RunConfig, RunPaths, load_config
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from tests.finished_run import complete_run

STROKE = "Half of his face droops and he cannot lift his right arm since ten minutes."


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[RunConfig, RunPaths]:
    paths = RunPaths(tmp_path_factory.mktemp("run"))
    with pytest.MonkeyPatch.context() as patch:
        complete_run(paths, patch, root, says=ord("a"))
    override = ("chat.emergency_number=112",)
    return load_config(root / "configs" / "demo.yaml", override), paths


@pytest.fixture(scope="module")
def chat(run: tuple[RunConfig, RunPaths]):  # type: ignore[no-untyped-def]
    with open_chat(*run, engine="embedded") as chat:
        yield chat


def ask(chat: Chat, *texts: str, **options: int) -> list[Event]:
    roles = ("user", "assistant")
    messages = [
        Message(role=roles[n % 2], content=text)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    ]
    return list(chat.answer(messages, max_tokens=options.get("max_tokens", 5)))


def test_the_pieces_are_the_answer_and_done_says_who_gave_it(chat: Chat) -> None:
    events = ask(chat, "My knee hurts.")
    done = events[-1]
    assert isinstance(done, Done)
    assert done.answer == "".join(e.text for e in events if isinstance(e, TextPiece)) == "aaaaa"
    assert done.trace == tuple(e for e in events if isinstance(e, NodeEntered))
    assert [step.node for step in done.trace][-1] == "ask_doctor"
    assert len(done.model.digest) == 64
    assert all(EVENT.validate_json(event.model_dump_json()) == event for event in events)


def test_an_emergency_is_said_before_the_model_says_anything(chat: Chat) -> None:
    events = ask(chat, STROKE)
    kinds = [event.kind for event in events]
    assert kinds.index("red_flags") < kinds.index("text")
    found = next(event for event in events if isinstance(event, RedFlagsFound))
    pieces = [event for event in events if isinstance(event, TextPiece)]
    assert "a stroke" in found.notice
    assert "Call 112 now" in found.notice
    assert pieces[0].text.strip() == found.notice
    assert {piece.origin for piece in pieces} == {"red_flag", "model"}


def test_an_emergency_is_said_even_when_the_engine_fails(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MedllmError("The server is gone.", "Start it.")

    monkeypatch.setattr(chat._model.engine, "stream", broken)
    seen: list[Event] = []

    def keep(event: Event) -> Event:
        seen.append(event)
        return event

    with pytest.raises(MedllmError, match="gone"):
        list(map(keep, chat.answer([Message(role="user", content=STROKE)])))
    assert any(isinstance(event, RedFlagsFound) for event in seen)


def test_closing_an_answer_lets_the_next_one_in(chat: Chat) -> None:
    answer = chat.answer([Message(role="user", content="My knee hurts.")])
    while not isinstance(next(answer), TextPiece):
        pass
    done: list[Event] = []
    other = threading.Thread(target=lambda: done.extend(ask(chat, "My hip hurts.")))
    other.start()
    answer.close()
    other.join(20)
    assert isinstance(done[-1], Done)


@pytest.mark.parametrize("text", ["", " \n", "\x00\x01", "x" * (MAX_CHARACTERS + 1)])
def test_a_message_that_cannot_be_answered_is_refused(chat: Chat, text: str) -> None:
    with pytest.raises(MedllmError):
        ask(chat, text)


def test_control_characters_go_and_other_languages_stay(chat: Chat) -> None:
    assert isinstance(ask(chat, "Schmerzen\x07 in der Brust, боль")[-1], Done)


def test_nothing_is_traced_to_a_service(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://192.0.2.1")  # sockets are forbidden in tests
    assert isinstance(ask(chat, "Hello")[-1], Done)
