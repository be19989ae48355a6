import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from medllm.pipeline.config import TinyConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.tiny import build_tiny
from medllm.pipeline.weights.tokenizer import load_sentencepiece, read_proto

WORDS = ("the", "nurse", "looks", "at", "a", "red", "arm", "and", "writes", "down", "37", "degrees")
PARAGRAPHS = [
    f"On day {day} {WORDS[day % 12]} {WORDS[(5 * day + 1) % 12]}:\n{' '.join(WORDS)} again."
    for day in range(60)
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on a busy machine wait for each other longer than these models compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TinyConfig:
    corpus = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    corpus.write_text("\n\n".join(PARAGRAPHS) + "\n", encoding="utf-8")
    return TinyConfig(
        corpus=corpus, layers=2, vocab_size=400, steps=30, batch_size=4, sequence_length=64
    )


def build(config: TinyConfig, folder: Path, seed: int = 3) -> dict[str, object]:
    folder.mkdir()
    return dict(build_tiny(config, seed, folder))


@pytest.fixture(scope="module")
def built(config: TinyConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "base"
    (folder.parent / "report.json").write_text(json.dumps(build(config, folder)))
    return folder


def test_the_same_seed_gives_the_same_bytes(
    config: TinyConfig, built: Path, tmp_path: Path
) -> None:
    build(config, tmp_path / "again")
    names = sorted(path.name for path in built.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes(), name
    build(config, tmp_path / "other", seed=4)
    other = (tmp_path / "other" / "model.safetensors").read_bytes()
    assert other != (built / "model.safetensors").read_bytes()


def test_the_tokenizer_is_shaped_like_llama2s(config: TinyConfig, built: Path) -> None:
    proto = read_proto(built / "tokenizer.model")
    spec, normal = proto.trainer_spec, proto.normalizer_spec
    assert [piece.piece for piece in proto.pieces[:4]] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert (spec.unk_id, spec.bos_id, spec.eos_id, spec.pad_id) == (0, 1, 2, -1)
    assert spec.byte_fallback
    assert spec.split_digits
    assert spec.allow_whitespace_only_pieces
    assert normal.add_dummy_prefix
    assert normal.name == "identity"
    assert 259 < len(proto.pieces) <= config.vocab_size
    pieces = load_sentencepiece(built / "tokenizer.model")
    assert pieces.encode("37", out_type=str) == ["▁", "3", "7"]


def test_the_model_is_a_float16_llama(config: TinyConfig, built: Path) -> None:
    written = json.loads((built / "config.json").read_text())
    assert written["architectures"] == ["LlamaForCausalLM"]
    assert written["rms_norm_eps"] == 1e-5
    assert written["tie_word_embeddings"] is False
    assert written["max_position_embeddings"] == config.context
    assert written["dtype"] == "float16"
    with safe_open(built / "model.safetensors", framework="pt") as file:
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"F16"}  # noqa: SIM118
        assert all(torch.isfinite(file.get_tensor(name)).all() for name in file.keys())  # noqa: SIM118
    assert len(PreTrainedTokenizerFast.from_pretrained(built)) == written["vocab_size"]


def test_it_learns_and_the_report_is_true(config: TinyConfig, built: Path) -> None:
    report = json.loads((built.parent / "report.json").read_text())
    vocabulary = report["vocab_size"]
    assert report["documents"] == len(PARAGRAPHS)
    assert report["tokens_seen"] == 30 * 4 * 64
    assert report["train_loss"] < report["validation_loss"] + 0.5
    assert report["validation_loss"] < 0.6 * math.log(vocabulary)
    model = LlamaForCausalLM.from_pretrained(built, dtype=torch.float32)
    assert model.num_parameters() == report["parameters"]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(built)
    ids = torch.tensor([[*tokenizer.encode(PARAGRAPHS[5]), tokenizer.eos_token_id]])
    with torch.no_grad():
        assert model(input_ids=ids, labels=ids).loss < 0.6 * math.log(vocabulary)


def test_a_diverging_run_is_refused(config: TinyConfig, tmp_path: Path) -> None:
    wild = config.model_copy(update={"learning_rate": float("inf"), "steps": 3, "layers": 1})
    with pytest.raises(MedllmError, match=r"diverged.* Lower base\.tiny\.learning_rate"):
        build(wild, tmp_path / "wild")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"caf\xe9 au lait", "is not UTF-8 text: byte 3 is wrong"),
        (b"a\x00b", "holds a NUL character"),
        (b"", "holds 0 documents"),
        (b"only one paragraph here", "holds 1 documents"),
    ],
)
def test_a_corpus_that_does_not_serve(
    config: TinyConfig, tmp_path: Path, content: bytes, words: str
) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_bytes(content)
    with pytest.raises(MedllmError, match=words):
        build(config.model_copy(update={"corpus": corpus}), tmp_path / "base")
