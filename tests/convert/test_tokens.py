import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from medllm.convert.gate.vocabulary import (
    check_token_ids,
    check_tokenizer,
    check_vocabulary,
    sample_texts,
)
from medllm.convert.gguf import server_template
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.llama_cpp import vocab_cases
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

pytest_plugins = ("tests.small_model",)
LLAMA2 = FORMATS["llama2"]


@pytest.fixture(scope="module")
def llama2_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real Llama-2 tokenizer as stage base saves it."""
    folder = tmp_path_factory.mktemp("llama2")
    model_file = shared_data / "llama2-tokenizer" / "tokenizer.model"
    save_tokenizer(build_tokenizer(model_file), model_file, folder)
    return folder


@pytest.fixture(scope="module")
def facts(converted_run: RunPaths) -> GgufFacts:
    return check_gguf(converted_run.stage("convert") / "base-f16.gguf")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_llama2_ids_are_llama_cpps(llama2_folder: Path, name: str) -> None:
    """Against llama.cpp's own Llama-2 vocabulary, which medllm did not convert."""
    assert check_token_ids(vocab_cases(), llama2_folder, FORMATS[name]) > 700


def test_another_tokenizer_is_noticed(llama2_folder: Path, facts: GgufFacts) -> None:
    with pytest.raises(MedllmError, match=r"SentencePiece reads .* llama\.cpp reads"):
        check_token_ids(facts.path, llama2_folder, LLAMA2)


def test_samples_are_many_and_different() -> None:
    texts = list(sample_texts())
    assert len(set(texts)) == len(texts) > 300


def vocabulary_differs(facts: GgufFacts, folder: Path, template: str | None = None) -> str:
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(MedllmError) as caught:
        check_vocabulary(facts, folder, config, template or server_template(LLAMA2))
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("tokenizer.ggml.scores", (-1000.0,) * 448, "-1000.0 (all alike) at id 0"),
        ("tokenizer.ggml.scores", None, "scores is None"),
        ("tokenizer.ggml.tokens", ("<unk>", "<s>"), "has 2 entries, tokenizer.model has 448"),
        ("tokenizer.ggml.model", "gpt2", "'gpt2', the checkpoint says 'llama'"),
        ("tokenizer.ggml.add_bos_token", False, "False, the checkpoint says True"),
        ("tokenizer.ggml.add_eos_token", True, "True, the checkpoint says False"),
        ("tokenizer.ggml.add_space_prefix", False, "False, the checkpoint says True"),
        ("tokenizer.ggml.eos_token_id", 0, "0, the checkpoint says 2"),
        ("tokenizer.chat_template", "", "tokenizer.chat_template is ''"),
    ],
)
def test_a_vocabulary_that_is_not_tokenizer_models(
    facts: GgufFacts, checkpoint: Path, key: str, value: object, words: str
) -> None:
    metadata = {k: v for k, v in facts.metadata.items() if k != key}
    if value is not None:
        metadata[key] = value  # type: ignore[assignment]
    assert words in vocabulary_differs(replace(facts, metadata=metadata), checkpoint)


def test_one_piece_of_another_type(facts: GgufFacts, checkpoint: Path) -> None:
    listed = list(facts.metadata["tokenizer.ggml.token_type"])  # type: ignore[arg-type]
    listed[300] = 4
    changed = {**facts.metadata, "tokenizer.ggml.token_type": tuple(listed)}
    assert "is 4 at id 300" in vocabulary_differs(replace(facts, metadata=changed), checkpoint)


@pytest.mark.parametrize(("token", "words"), [(2, "'</s>'"), (448, "'no piece'"), (-1, "'no")])
def test_config_and_tokenizer_of_two_bases(
    checkpoint: Path, tmp_path: Path, token: int, words: str
) -> None:
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    check_tokenizer(folder, config)
    with pytest.raises(MedllmError, match=f"bos_token_id = {token}, which is {words}"):
        check_tokenizer(folder, config | {"bos_token_id": token})
    with pytest.raises(MedllmError, match="vocab_size = 32000"):
        check_tokenizer(folder, config | {"vocab_size": 32000})
