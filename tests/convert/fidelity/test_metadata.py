"""What a GGUF says of itself, written by llama.cpp's own converter and kept by llama-quantize."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medllm.convert.inspect_gguf import check_gguf
from medllm.convert.llama_cpp import converter, gguf_py
from medllm.convert.metadata import (
    BaseFacts,
    DatasetFacts,
    Licence,
    ModelFacts,
    add_own,
    check_metadata,
    converter_override,
    metadata,
    model_facts,
    own_entries,
)
from medllm.convert.quantize import make_quant
from medllm.pipeline.config import PrepareConfig, RunPaths, Section, SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import GitState, stage

pytest_plugins = ("tests.small_model",)
COMMIT = "0" * 40
FACTS = ModelFacts(
    name="medllm",
    version="0.1.0",
    base=BaseFacts(
        name="Llama-2-7b-chat-hf",
        organization="meta-llama",
        revision=COMMIT,
        repo_url="https://huggingface.co/meta-llama/Llama-2-7b-chat-hf",
    ),
    licence=Licence(id="llama2", name="LLAMA 2 Community License Agreement", link="https://x.org"),
    datasets=(
        DatasetFacts(name="One", url="https://one.org", licence="CC BY 4.0"),
        DatasetFacts(
            name="Two",
            url="https://two.org",
            licence="none stated",
            revision=COMMIT,
            repo_url="https://huggingface.co/datasets/a/two",
        ),
    ),
    languages=("en",),
    format="llama2",
    seed=7,
    git=GitState(commit="abc123", dirty=True),
)


def test_through_the_converter_into_every_quant(checkpoint: Path, tmp_path: Path) -> None:
    entries = metadata(FACTS)
    override, f16 = tmp_path / "metadata.json", tmp_path / "medllm-f16.gguf"
    override.write_text(json.dumps(converter_override(entries)))
    path = os.pathsep.join([str(converter().parent), str(gguf_py())])
    arguments = [checkpoint, "--outfile", f16, "--outtype", "f16", "--metadata", override]
    subprocess.run(
        [sys.executable, converter(), *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
    )
    general = {key: entries[key] for key in entries.keys() - own_entries(entries).keys()}
    assert len(general) >= 18
    found = check_gguf(f16)
    check_metadata(found, general)
    quant = tmp_path / "q4.gguf"
    make_quant(found, quant, "Q4_K_M", None)
    check_metadata(check_gguf(quant), general)
    with pytest.raises(MedllmError, match=r"says medllm\.version = None, not"):
        check_metadata(found, entries)


def test_own_keys_reach_the_file(tmp_path: Path) -> None:
    from gguf import GGUFWriter

    path = tmp_path / "own.gguf"
    writer = GGUFWriter(path, "llama")
    add_own(writer, own_entries(metadata(FACTS)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    entries = metadata(FACTS)
    own = {key: entries[key] for key in own_entries(entries)}
    assert own["medllm.git_commit"] == "abc123-dirty"
    assert own["medllm.dataset.licences"] == ("One: CC BY 4.0", "Two: none stated")
    check_metadata(check_gguf(path), own)


def test_facts_of_a_run_name_no_path(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "build")
    home = tmp_path / "home" / "someone" / "my-model"
    config = PrepareConfig(
        seed=5,
        sources=(
            SourceConfig(name="mts_dialog", path=home / "secret.csv"),
            SourceConfig(name="pubmedqa", hub="a/b", revision=COMMIT),
        ),
    )

    class Base(Section):
        source: str = str(home)
        revision: str | None = None

    def licence(work: Any) -> None:
        (work.dir / "LICENSE.txt").write_text("\n\n  A  Fine Licence\n\nText.\n")

    stage("base", Base(), paths, licence)
    stage("prepare", config, paths, lambda _: None)
    facts = model_facts(paths.stage("base"), paths.stage("prepare"), "medllm", "llama2")
    assert facts.base == BaseFacts(name="my-model")
    assert facts.licence == Licence(name="A Fine Licence")
    entries = metadata(facts)
    assert entries["general.dataset.count"] == 2
    assert entries["general.dataset.1.repo_url"] == "https://huggingface.co/datasets/a/b"
    assert entries["medllm.seed"] == 5
    said = json.dumps(entries)
    assert str(tmp_path) not in said
    assert "someone" not in said


def test_a_hub_base_is_named_with_its_commit_and_licence(tmp_path: Path) -> None:
    class Base(Section):
        source: str = "meta-llama/Llama-2-7b-chat-hf"
        revision: str | None = COMMIT

    paths = RunPaths(tmp_path / "build")
    stage("base", Base(), paths, lambda _: None)
    config = PrepareConfig(sources=(SourceConfig(name="pubmedqa", path=Path("x")),))
    stage("prepare", config, paths, lambda _: None)
    facts = model_facts(paths.stage("base"), paths.stage("prepare"), "medllm", "llama2")
    assert facts.base.model_dump() == FACTS.base.model_dump()
    assert facts.licence is not None
    assert (facts.licence.id, facts.licence.link) == (
        "llama2",
        "https://ai.meta.com/llama/license/",
    )


@pytest.mark.parametrize("text", ["/home/me/model", "see ~/x", "C:\\models", "file:///x", "../a"])
def test_a_path_is_refused(text: str) -> None:
    with pytest.raises(MedllmError, match=r"general\.name would hold a path"):
        metadata(FACTS.model_copy(update={"name": text}))
