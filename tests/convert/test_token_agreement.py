"""Training and serving read the same ids: all of MTS-Dialog, as it stands and in chat prompts.

``test_tokens`` holds the gate that runs in the pipeline to invented texts; here are 1,301 real
dialogues, and a vocabulary that llama.cpp's converter made from the files stage base writes.
"""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from transformers import LlamaConfig, PreTrainedTokenizerFast

from medllm.convert.llama_cpp import converter, gguf_py, silence_native_logs
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.weights.base import write_config
from medllm.pipeline.weights.tokenizer import build_tokenizer, plain_ids, save_tokenizer

if TYPE_CHECKING:
    from llama_cpp import Llama


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stage base writes for Llama 2, without the weights."""
    folder = tmp_path_factory.mktemp("llama2")
    model_file = shared_data / "llama2-tokenizer" / "tokenizer.model"
    save_tokenizer(build_tokenizer(model_file), model_file, folder)
    config = LlamaConfig(architectures=["LlamaForCausalLM"]).to_dict()
    write_config(config, "float16", folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator["Llama"]:
    """llama.cpp with that vocabulary."""
    script, outfile = converter(), folder / "vocab.gguf"
    subprocess.run(
        [sys.executable, script, folder, "--vocab-only", "--outfile", outfile],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": f"{script.parent}{os.pathsep}{gguf_py()}"},
    )
    silence_native_logs()
    from llama_cpp import Llama

    model = Llama(str(outfile), vocab_only=True, verbose=False)
    yield model
    model.close()


@pytest.fixture(scope="module")
def dialogues(shared_data: Path) -> list[str]:
    texts = []
    for name in ("MTS-Dialog-TrainingSet.csv", "MTS-Dialog-ValidationSet.csv"):
        with (shared_data / "mts-dialog" / name).open(encoding="utf-8", newline="") as file:
            texts += [row["dialogue"] for row in csv.DictReader(file)]
    assert len(texts) == 1301
    return texts


def test_every_dialogue(
    tokenizer: PreTrainedTokenizerFast, served: "Llama", dialogues: list[str]
) -> None:
    ours = plain_ids(tokenizer.backend_tokenizer, dialogues)
    for text, ids in zip(dialogues, ours, strict=True):
        assert served.tokenize(text.encode(), add_bos=False, special=False) == ids
        assert served.tokenize(text.encode(), add_bos=True, special=True) == tokenizer.encode(text)


@pytest.mark.parametrize(("name", "stride"), [("llama2", 1), ("know_medical_v2", 3)])
def test_multi_turn_prompts(
    tokenizer: PreTrainedTokenizerFast,
    served: "Llama",
    dialogues: list[str],
    name: str,
    stride: int,
) -> None:
    """Three consecutive dialogues are a question, its answer and the next question."""
    record = FORMATS[name]
    triples = list(zip(dialogues, dialogues[1:], dialogues[2:], strict=False))[::stride]
    for index, (first, second, third) in enumerate(triples):
        messages = [
            Message(role="user", content=first),
            Message(role="assistant", content=second),
            Message(role="user", content=third),
        ]
        if index % 2:
            messages.insert(0, Message(role="system", content="You are careful."))
        encoded = record.encode(tokenizer, messages, add_generation_prompt=True)
        prompt = record.prompt(messages)
        assert served.tokenize(prompt.encode(), add_bos=True, special=True) == encoded.input_ids


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_whole_training_row(
    tokenizer: PreTrainedTokenizerFast, served: "Llama", dialogues: list[str], name: str
) -> None:
    """The row that training saw, answer and EOS included, reads the same in llama.cpp."""
    record = FORMATS[name]
    for user, answer in zip(dialogues[:100], dialogues[100:200], strict=True):
        messages = [Message(role="user", content=user), Message(role="assistant", content=answer)]
        text = record.render(messages).removeprefix("<s>")
        ids = served.tokenize(text.encode(), add_bos=True, special=True)
        assert ids == record.encode(tokenizer, messages).input_ids
        assert ids.count(1) == ids.count(2) == 1
