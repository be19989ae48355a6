"""A run that is ready to be published: small models on a real server, and what a gate reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage
from medllm.pipeline.release.create import RECEIPT, ModelRecord, Receipt, ServerRecord
from medllm.pipeline.release.licence_texts import data_attribution
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from medllm.pipeline.release.publish.gate import Verdict
from medllm.pipeline.release.publish.retry import Patience
from medllm.pipeline.release.server import Server
from medllm.pipeline.stages import INPUTS
from tests.finished_run import prepare_report
from tests.ollama_server import write_tiny_gguf

ROOT = Path(__file__).resolve().parent.parent
QUANTS = ("q8_0", "q4_k_m")
AT_ONCE = Patience(first=0.01, longest=0.02)


class BaseSection(Section):
    """As much of the base section as a gate reads."""

    source: str = "tiny"


def complete(
    paths: RunPaths,
    name: str,
    files: dict[str, bytes],
    config: Section | None = None,
    inputs: tuple[str, ...] = (),
) -> Manifest:
    """Complete a stage with these files; ``inputs`` are the upstream stages that it read."""

    def body(work: Work) -> None:
        for file, content in files.items():
            (work.dir / file).write_bytes(content)

    read = {up: INPUTS.get(name, {}).get(up, ("*.gguf",)) for up in inputs}
    with mock.patch.dict(INPUTS, {name: read}):
        return stage(name, config or Section(), paths, body)


def build_run(root: Path, server: str, seed: int, name: str) -> RunPaths:
    """What stages base to create leave: models of a server (its URL) and their receipt."""
    paths = RunPaths(root)
    root.mkdir(parents=True, exist_ok=True)
    complete(paths, "base", {}, BaseSection())
    report = prepare_report().model_dump_json().encode()
    complete(paths, "prepare", {"report.json": report})
    ggufs = {}
    for number, quant in enumerate(QUANTS):
        path = write_tiny_gguf(root / "made.gguf", seed + number)
        ggufs[f"medllm-{quant}.gguf"] = path.read_bytes()
        path.unlink()
    complete(paths, "quantize", ggufs)
    record = read_modelfile(ROOT / "Modelfile")
    licences = (*record.licenses, data_attribution(prepare_report()))
    record = record.model_copy(update={"licenses": licences})
    complete(paths, "modelfile", {"Modelfile": record.text().encode()})
    models = {}
    with contextlib.closing(Server(server)) as ollama:
        for file, made in read_manifest(paths.stage("quantize")).outputs.items():
            model = f"{name}:{file.removeprefix('medllm-').removesuffix('.gguf')}"
            path = paths.stage("quantize") / file
            ollama.create(model, ollama.upload_blob(path, made.sha256), record)
            models[model] = ModelRecord(
                file=f"quantize/{file}",
                sha256=made.sha256,
                digest=str(ollama.digest(model)),
                layer=ollama.show(model).layer,
            )
        models[f"{name}:latest"] = models[f"{name}:q4_k_m"]
        who = ServerRecord(host=server, version=ollama.version())
    receipt = Receipt(server=who, models=models, prompts_checked=0)
    complete(paths, "create", {RECEIPT: receipt.model_dump_json().encode()})
    return paths


def judge(
    paths: RunPaths, *, passed: bool = True, change: Callable[[Verdict], Verdict] | None = None
) -> None:
    """Complete stage eval with a verdict about this run's quants."""
    outputs = read_manifest(paths.stage("quantize")).outputs
    verdict = Verdict(
        passed=passed,
        reasons=[] if passed else ["Q4_K_M answers fewer questions than the base"],
        artefacts={name: record.sha256 for name, record in outputs.items()},
    )
    verdict = change(verdict) if change else verdict
    content = verdict.model_dump_json().encode()
    complete(paths, "eval", {"verdict.json": content}, inputs=("quantize",))
