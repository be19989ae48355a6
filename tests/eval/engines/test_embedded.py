"""The embedded engine against Hugging Face's model of the same weights."""

import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import Sampling, split_at_stop
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message

# the fixtures' types live in packages without type information
# mypy: disable-error-code="no-untyped-def"


@pytest.fixture(scope="module")
def engine(gguf_file: Path):
    with closing(EmbeddedEngine(gguf_file, "llama2", 512)) as engine:
        yield engine


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(checkpoint)


@pytest.fixture(scope="module")
def reference(checkpoint: Path):
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(checkpoint, dtype="float32").eval()


def reference_logprobs(reference, ids: list[int]) -> np.ndarray:
    import torch

    with torch.no_grad():
        logits = reference(torch.tensor([ids])).logits[0].double()
    return torch.log_softmax(logits, dim=-1).numpy()


def test_ids_are_the_training_ids(engine, tokenizer, conversation) -> None:
    for format_name in FORMATS:
        for messages in (conversation, conversation[1:], conversation[:3]):
            speak = messages[-1].role == "user"
            ours = EmbeddedEngine.encode.__get__(engine)
            engine._format = FORMATS[format_name]
            wanted = FORMATS[format_name].encode(tokenizer, messages, add_generation_prompt=speak)
            assert ours(messages, add_generation_prompt=speak) == wanted.input_ids
    engine._format = FORMATS["llama2"]


def test_a_typed_control_token_stays_text(engine) -> None:
    ids = engine.encode([Message(role="user", content="</s><s>")], add_generation_prompt=True)
    assert ids.count(1) == 1
    assert 2 not in ids


def test_token_logprobs_equal_the_reference(engine, tokenizer, reference, conversation) -> None:
    encoded = FORMATS["llama2"].encode(tokenizer, conversation[:3])
    ids, mask = encoded.input_ids, encoded.assistant_mask
    full = reference_logprobs(reference, ids)
    wanted = [full[i - 1, ids[i]] for i in range(1, len(ids)) if mask[i]]
    assert len(wanted) > 10
    assert engine.token_logprobs(ids, mask) == pytest.approx(wanted, abs=2e-3)
    everything = engine.token_logprobs(ids, [1] * len(ids))
    assert everything == pytest.approx([full[i - 1, ids[i]] for i in range(1, len(ids))], abs=2e-3)


def test_a_reused_prefix_changes_nothing(engine, gguf_file: Path, tokenizer, conversation) -> None:
    encoded = FORMATS["llama2"].encode(tokenizer, conversation[:3])
    engine.first_token_logprobs(conversation[:2], 5)  # shares its beginning with the next call
    reused = engine.token_logprobs(*encoded)
    said = engine.reply(conversation, 12)
    engine.token_logprobs(*encoded)
    for _ in range(2):  # after logits, and after its own words
        assert engine.reply(conversation, 12)[:3] == said[:3]
    top = engine.first_token_logprobs(conversation, 9)
    with closing(EmbeddedEngine(gguf_file, "llama2", 512)) as fresh:
        assert reused == pytest.approx(fresh.token_logprobs(*encoded), abs=1e-3)
    with closing(EmbeddedEngine(gguf_file, "llama2", 512)) as fresh:
        assert fresh.reply(conversation, 12)[:3] == said[:3]
        assert fresh.first_token_logprobs(conversation, 9) == pytest.approx(top, abs=1e-3)


def test_more_than_one_batch(gguf_file: Path, reference) -> None:
    """Past 512 tokens the second batch still sees the first, and its rows stay in order."""
    ids = [1, *np.random.default_rng(0).integers(3, 500, 699).tolist()]
    mask = np.random.default_rng(1).integers(0, 2, 700).tolist()
    with closing(EmbeddedEngine(gguf_file, "llama2", 1024)) as engine:
        ours = engine.token_logprobs(ids, mask)
    full = reference_logprobs(reference, ids)
    assert ours == pytest.approx([full[i - 1, ids[i]] for i in range(1, 700) if mask[i]], abs=3e-3)


def test_first_token_logprobs_equal_the_reference(engine, reference, conversation) -> None:
    ids = engine.encode(conversation, add_generation_prompt=True)
    full = reference_logprobs(reference, ids)[-1]
    top = engine.first_token_logprobs(conversation, 512)
    assert sum(map(math.exp, top.values())) == pytest.approx(1.0)
    wanted: dict[str, float] = {}
    for token, logprob in enumerate(full):
        text = engine._text(token)
        wanted[text] = np.logaddexp(wanted.get(text, -np.inf), logprob)
    assert top == pytest.approx(wanted, abs=3e-3)
    few = engine.first_token_logprobs(conversation, 20)
    assert few.keys() == {engine._text(token) for token in np.argsort(-full)[:20]}


def test_greedy_reply_follows_the_highest_logit(engine, reference, conversation) -> None:
    ids = engine.encode(conversation, add_generation_prompt=True)
    said: list[int] = []
    for _ in range(12):
        said.append(int(reference_logprobs(reference, ids + said)[-1].argmax()))
    reply = engine.reply(conversation, 12)
    stop = said.index(2) if 2 in said else 12
    expected = b"".join(engine._piece(token) for token in said[:stop])
    assert reply.text == expected.decode("utf-8", errors="replace").strip()
    assert (reply.tokens, reply.ended_by_itself) == (stop, stop < 12)
    assert "".join(engine.stream(conversation, 12)).strip() == reply.text


def test_a_reply_ends_by_eos_by_a_stop_string_or_not_at_all(
    favour: Callable[[dict[str, float]], Path], conversation: list[Message]
) -> None:
    with closing(EmbeddedEngine(favour({"▁doctor": 6.0, "</s>": 5.9}), "llama2", 512)) as engine:
        endless = engine.reply(conversation, 9)
        assert (endless.text, endless.tokens) == (" ".join(["doctor"] * 9), 9)
        assert not endless.ended_by_itself
        stopped = engine.reply(conversation, 9, Sampling(stop=("or doc",)))
        assert (stopped.text, stopped.ended_by_itself) == ("doct", True)
    with closing(EmbeddedEngine(favour({"</s>": 6.0}), "llama2", 512)) as engine:
        assert engine.reply(conversation, 9)[:3] == ("", 0, True)


def test_sampling_follows_its_seed(engine, conversation) -> None:
    hot = [
        engine.reply(conversation, 20, Sampling(temperature=1.5, seed=s)).text for s in (3, 3, 4)
    ]
    assert hot[0] == hot[1] != hot[2]


def test_a_conversation_longer_than_the_context_is_refused(engine) -> None:
    with pytest.raises(MedllmError, match="leaves no room"):
        engine.reply([Message(role="user", content="knee " * 600)], 5)


def test_what_is_no_gguf_is_refused(tmp_path: Path, gguf_file: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    for content in (b"", b"GGUF", b"not a model", gguf_file.read_bytes()[:-4000]):
        wrong.write_bytes(content)
        with pytest.raises(MedllmError, match=r"wrong\.gguf"):
            EmbeddedEngine(wrong, "llama2", 512)


def test_stop_strings_across_pieces() -> None:
    assert split_at_stop("abc", ()) == ("abc", False, "")
    assert split_at_stop("take [IN", ("[INST]",)) == ("take ", False, "[IN")
    assert split_at_stop("take [INST] x", ("[INST]", "take [")) == ("", True, "")
