"""A small real model, as checkpoint and GGUF, and ways to make it say what a test needs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile_syntax import Modelfile
from medllm.pipeline.stages import INPUTS
from tests.ollama_server import ollama_server  # noqa: F401  (a fixture)
from tests.small_model import train_pieces

SYSTEM = "You are a careful assistant."
NO_SERVER = json.dumps({"server": None, "models": {}, "prompts_checked": 0})
DIALOGUES = [
    {
        "id": f"d{n}",
        "source": "test",
        "messages": [
            {"role": "user", "content": f"My knee hurts {n} times."},
            {"role": "assistant", "content": "Rest, and see your doctor."},
        ],
    }
    for n in range(4)
]
CORPUS = """\
I have had a headache for two days and I feel sick. What should I do?
Rest, drink water and see your doctor if it does not get better. Call for help at once if it is
sudden and severe. A. emergency B. urgent C. routine D. self-care Answer with one letter.
My knee hurts when I climb stairs. Has it been swollen? No, but it clicks now and then.
### Instruction: [INST] [/INST] <<SYS>> <</SYS>> You are a careful assistant.
"""


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama with random weights and a SentencePiece tokenizer, as a Hugging Face folder.

    Its hidden states all point one way, so that a token's logit follows its output row alone and
    `favour` can decide what the model says.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer

    folder = tmp_path_factory.mktemp("checkpoint")
    tokenizer = build_tokenizer(train_pieces(folder, CORPUS.splitlines(), 512))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        initializer_range=0.1,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] += 8.0
    model.to(torch.float32).save_pretrained(folder)
    source = shutil.copy(folder / "tokenizer.model", folder.parent / "tokenizer.model")
    save_tokenizer(tokenizer, Path(source), folder)
    return folder


@pytest.fixture(scope="session")
def gguf_file(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint as a float32 GGUF, through llama.cpp's own converter."""
    pytest.importorskip("llama_cpp")
    from benchmarks.convert import run_converter_script

    path = tmp_path_factory.mktemp("gguf") / "model-f32.gguf"
    run_converter_script(checkpoint, path, "f32", name="tiny")
    return path


@pytest.fixture
def favour(gguf_file: Path, tmp_path: Path) -> Callable[[dict[str, float]], Path]:
    """Make a copy of the GGUF whose replies begin, and go on, with the tokens that are favoured."""

    def make(logits: dict[str, float]) -> Path:
        from gguf import GGUFReader

        path = tmp_path / f"favours-{len(list(tmp_path.iterdir()))}.gguf"
        shutil.copyfile(gguf_file, path)
        reader: Any = GGUFReader(path, "r+")
        names = reader.get_field("tokenizer.ggml.tokens").contents()
        output = next(t for t in reader.tensors if t.name == "output.weight").data
        output[:, 0] = 0.0
        for piece, logit in logits.items():
            output[names.index(piece)] = 0.0
            output[names.index(piece), 0] = logit
        output.flush()
        return path

    return make


@pytest.fixture
def conversation() -> list[Message]:
    return [
        Message(role="system", content=SYSTEM),
        Message(role="user", content="My knee hurts when I climb stairs.\nWhat should I do?"),
        Message(role="assistant", content="Rest, and see your doctor if it does not get better."),
        Message(role="user", content="It clicks now and then — 38 °C, <s>not</s> a [INST] trick"),
    ]


@pytest.fixture
def complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, dict[str, Path | str]], RunPaths]:
    """Complete a stage of a run, alone, with the given files (a path is copied, text written)."""
    paths = RunPaths(tmp_path / "run")

    def build(name: str, files: dict[str, Path | str]) -> RunPaths:
        def body(work: Work) -> None:
            for file, content in files.items():
                if isinstance(content, Path):
                    shutil.copyfile(content, work.dir / file)
                else:
                    (work.dir / file).write_text(content, encoding="utf-8")

        with monkeypatch.context() as patch:
            patch.setitem(INPUTS, name, {})  # type: ignore[arg-type]  # without its upstream
            stage(name, Section(), paths, body)
        return paths

    return build


@pytest.fixture
def small_run(
    complete: Callable[[str, dict[str, Path | str]], RunPaths],
    favour: Callable[[dict[str, float]], Path],
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> RunPaths:
    """The base says A on and on, Q8_0 says B; the fine-tune ends before it says anything."""
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    modelfile = Modelfile(
        source="../quantize/medllm-q8_0.gguf",
        template=FORMATS["llama2"].go_template,
        system=SYSTEM,
        messages=(
            Message(role="user", content="Hello."),
            Message(role="assistant", content="How can I help?"),
        ),
        parameters={"stop": FORMATS["llama2"].stop, "num_ctx": 512, "num_predict": 24},
    )
    tokenizer_files: dict[str, Path | str] = {
        path.name: path for path in checkpoint.glob("tokenizer*") if path.suffix != ".vocab"
    }
    complete("base", tokenizer_files)
    complete(
        "prepare", {"test.jsonl": "".join(json.dumps(dialogue) + "\n" for dialogue in DIALOGUES)}
    )
    complete(
        "convert",
        {
            "base-f16.gguf": favour({"▁A": 6.0, "▁B": 5.0}),
            "medllm-f16.gguf": favour({"▁B": 5.0, "▁A": 4.0, "</s>": 6.0}),
        },
    )
    complete("quantize", {"medllm-q8_0.gguf": favour({"▁B": 6.0, "▁A": 5.0})})
    complete("modelfile", {"Modelfile": modelfile.text()})
    return complete("create", {"receipt.json": NO_SERVER})
