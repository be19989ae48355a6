"""Both engines against each other: the same bytes shown, the same probabilities back."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import OllamaEngine, Sampling, check_prompts
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile_syntax import Modelfile
from medllm.pipeline.release.server import Server

PRESET = (Message(role="user", content="Hello."), Message(role="assistant", content="Yes?"))


@pytest.fixture
def server(ollama_server: str) -> Iterator[Server]:
    with contextlib.closing(Server(ollama_server)) as server:
        yield server


def make(server: Server, name: str, path: Path, **change: object) -> None:
    record = Modelfile(source="x", template=FORMATS["llama2"].go_template)
    digest = server.upload_blob(path, sha256_file(path))
    server.create(name, digest, record.model_copy(update=change))


def test_the_server_shows_the_same_bytes_and_says_the_same(
    server: Server, gguf_file: Path, conversation: list[Message]
) -> None:
    make(server, "engines:same", gguf_file, system="Not this one.", messages=PRESET)
    conversation = [m.model_copy() for m in conversation]
    plain = Message(role="user", content="It clicks now and then — 38 °C, <b>&</b> {{ .System }}")
    shown = (conversation[0], *PRESET, *conversation[1:3], plain)
    with contextlib.closing(EmbeddedEngine(gguf_file, "llama2", 512)) as embedded:
        served = OllamaEngine(server, "engines:same", embedded.context, PRESET)
        check_prompts(served, [shown], "llama2")
        check_prompts(embedded, [shown], "llama2")
        ours = embedded.first_token_logprobs(shown, 20)
        theirs = served.first_token_logprobs(shown, 20)
        texts = {text for text in ours if text.isprintable() and not text.startswith("<0x")}
        common = texts & theirs.keys()
        assert len(common) >= len(texts) - 1  # the twentieth may differ by rounding
        assert [ours[t] for t in common] == pytest.approx([theirs[t] for t in common], abs=0.02)
        assert served.description.startswith("Ollama ")


def test_a_prompt_that_training_never_showed_is_refused(
    server: Server, gguf_file: Path, conversation: list[Message]
) -> None:
    wrong = FORMATS["llama2"].go_template.replace("[INST] ", "[INST]  ")
    make(server, "engines:wrong", gguf_file, template=wrong)
    engine = OllamaEngine(server, "engines:wrong", 512)
    with pytest.raises(MedllmError, match="does not show the model what it was trained on"):
        check_prompts(engine, [conversation[:2]], "llama2")


def test_replies_end_alike(
    server: Server,
    favour: Callable[[dict[str, float]], Path],
    conversation: list[Message],
) -> None:
    """By the token limit, by a stop string, by EOS; the Modelfile's own stops do nothing."""
    messages = conversation[:2]
    for path, limit, sampling in (
        (favour({"▁doctor": 6.0, "</s>": 5.0}), 9, Sampling()),
        (favour({"▁doctor": 6.0, "</s>": 5.0}), 9, Sampling(stop=("or doc",))),
        (favour({"</s>": 6.0, "▁doctor": 5.0}), 9, Sampling()),
    ):
        make(server, "engines:ends", path, parameters={"stop": ("doctor",), "temperature": 1.5})
        served = OllamaEngine(server, "engines:ends", 512)
        with contextlib.closing(EmbeddedEngine(path, "llama2", 512)) as embedded:
            ours = embedded.reply(messages, limit, sampling)
            theirs = served.reply(messages, limit, sampling)
            assert (ours.text, ours.ended_by_itself) == (theirs.text, theirs.ended_by_itself)
            said = "".join(served.stream(messages, limit, sampling)).strip()
            assert said == ours.text
            ours_first = embedded.first_token_logprobs(messages, 3)
            theirs_first = served.first_token_logprobs(messages, 3)
            assert ours_first.keys() == theirs_first.keys() or len(ours_first) == 3
            assert bool(ours_first) == bool(theirs_first)


def test_a_reply_that_repeats_itself_did_not_end(
    server: Server, favour: Callable[[dict[str, float]], Path], conversation: list[Message]
) -> None:
    make(server, "engines:loop", favour({"▁doctor": 9.0}))
    reply = OllamaEngine(server, "engines:loop", 512).reply(conversation[:2], 60)
    assert not reply.ended_by_itself
