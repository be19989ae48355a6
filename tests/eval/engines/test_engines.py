"""Both engines against each other: the same bytes shown, the same probabilities back."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import OllamaEngine, Sampling
from medllm.eval.engines.speaker import (
    EmbeddedSpeaker,
    OllamaSpeaker,
    Request,
    Said,
    Speaker,
    check_prompts,
)
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile_syntax import Modelfile
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.streaming import Hosts

PRESET = (Message(role="user", content="Hello."), Message(role="assistant", content="Yes?"))


@pytest.fixture
def server(ollama_server: str) -> Iterator[Server]:
    with contextlib.closing(Server(ollama_server)) as server:
        yield server


def make(server: Server, name: str, path: Path, **change: object) -> None:
    record = Modelfile(source="x", template=FORMATS["llama2"].go_template)
    digest = server.upload_blob(path, sha256_file(path))
    server.create(name, digest, record.model_copy(update=change))


def served(server: Server, name: str, preset: tuple[Message, ...] = ()) -> OllamaSpeaker:
    return OllamaSpeaker(name, Hosts([server.host], name), 512, preset)


def say(speaker: Speaker, *requests: Request) -> list[Said]:
    async def all_of_them() -> list[Said]:
        try:
            return [await speaker.say(request) for request in requests]
        finally:
            await speaker.close()

    return asyncio.run(all_of_them())


def test_the_server_shows_the_same_bytes_and_says_the_same(
    server: Server, gguf_file: Path, conversation: list[Message]
) -> None:
    make(server, "engines:same", gguf_file, system="Not this one.", messages=PRESET)
    plain = Message(role="user", content="It clicks now and then — 38 °C, <b>&</b> {{ .System }}")
    shown = (conversation[0], *PRESET, *conversation[1:3], plain)
    first = Request(messages=shown, max_tokens=1, letters="ABCD")
    with contextlib.closing(EmbeddedEngine(gguf_file, "llama2", 512)) as embedded:
        ours = EmbeddedSpeaker("ours", embedded, "0" * 64)
        theirs = served(server, "engines:same", PRESET)
        check_prompts(theirs, [shown], "llama2")
        check_prompts(ours, [shown], "llama2")
        (mine,), (its,) = say(ours, first), say(theirs, first)
        assert mine.first
        assert its.first
        texts = {text for text in mine.first if text.isprintable() and not text.startswith("<0x")}
        common = texts & its.first.keys()
        assert len(common) >= 15
        assert [mine.first[t] for t in common] == pytest.approx(
            [its.first[t] for t in common], abs=0.02
        )


def test_a_prompt_that_training_never_showed_is_refused(
    server: Server, gguf_file: Path, conversation: list[Message]
) -> None:
    wrong = FORMATS["llama2"].go_template.replace("[INST] ", "[INST]  ")
    make(server, "engines:wrong", gguf_file, template=wrong)
    with pytest.raises(MedllmError, match="does not show the model what it was trained on"):
        check_prompts(served(server, "engines:wrong"), [conversation[:2]], "llama2")


def test_replies_end_alike(
    server: Server,
    favour: Callable[[dict[str, float]], Path],
    conversation: list[Message],
) -> None:
    """By the token limit, by a stop string, by EOS; the Modelfile's own stops do nothing."""
    messages = tuple(conversation[:2])
    for path, limit, sampling in (
        (favour({"▁doctor": 6.0, "</s>": 5.0}), 9, Sampling()),
        (favour({"▁doctor": 6.0, "</s>": 5.0}), 9, Sampling(stop=("or doc",))),
        (favour({"</s>": 6.0, "▁doctor": 5.0}), 9, Sampling()),
    ):
        make(server, "engines:ends", path, parameters={"stop": ("doctor",), "temperature": 1.5})
        request = Request(messages=messages, max_tokens=limit, sampling=sampling)
        with contextlib.closing(EmbeddedEngine(path, "llama2", 512)) as embedded:
            (ours,) = say(EmbeddedSpeaker("ours", embedded, "0" * 64), request)
            (theirs,) = say(served(server, "engines:ends"), request)
            assert (ours.text, ours.ended) == (theirs.text, theirs.ended)
            engine = OllamaEngine(server, "engines:ends", 512)
            assert "".join(engine.stream(messages, limit, sampling)).strip() == ours.text


def test_a_reply_that_repeats_itself_did_not_end(
    server: Server, favour: Callable[[dict[str, float]], Path], conversation: list[Message]
) -> None:
    make(server, "engines:loop", favour({"▁doctor": 9.0}))
    request = Request(messages=tuple(conversation[:2]), max_tokens=60)
    (said,) = say(served(server, "engines:loop"), request)
    assert not said.ended


def test_a_model_that_is_swapped_is_refused(
    server: Server, favour: Callable[[dict[str, float]], Path], conversation: list[Message]
) -> None:
    make(server, "engines:swapped", favour({"▁doctor": 6.0}))
    speaker = served(server, "engines:swapped")
    make(server, "engines:swapped", favour({"▁knee": 6.0}))
    with pytest.raises(MedllmError, match="its answers would be those of another model"):
        say(speaker, Request(messages=tuple(conversation[:2]), max_tokens=3))
