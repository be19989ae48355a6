"""Everything that a run recorded about the model it made, gathered for card, bill and bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medllm.convert.fidelity.memory import Memory, expected_memory
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.eval.records import Comparison, ModelRecord, Results
from medllm.pipeline.config import RunPaths
from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import MANIFEST, FileRecord, Manifest, read_manifest
from medllm.pipeline.release.licences import read_report
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile

if TYPE_CHECKING:
    from medllm.convert.fidelity.results import Fidelity

_NEEDED = (
    "base",
    "prepare",
    "train",
    "merge",
    "convert",
    "quantize",
    "modelfile",
    "create",
    "eval",
)
_FIDELITY = "fidelity"


@dataclass(frozen=True)
class ReleaseFacts:
    """What a finished run says of its published model."""

    manifests: Mapping[str, Manifest]  # by stage
    data: PrepareReport
    results: Results
    modelfile: Modelfile
    gguf: GgufFacts  # the file that the Modelfile publishes
    fidelity: Fidelity | None  # None: that stage has not run

    @property
    def name(self) -> str:
        """What the model is called in Ollama."""
        return str(self.manifests["create"].config["name"])

    @property
    def quant(self) -> str:
        """The type of the published GGUF, for example Q4_K_M."""
        return str(self.manifests["modelfile"].config["quant"])

    @property
    def file(self) -> FileRecord:
        """Size and digest of the published GGUF."""
        return self.manifests["quantize"].outputs[self.gguf.path.name]

    @property
    def base(self) -> str:
        """The base model in a few words: where it is from and at which commit."""
        config = self.manifests["base"].config
        if config["source"] == "tiny":
            return "a tiny Llama that medllm pretrained itself"
        revision = config.get("revision")
        return f"{config['source']} at commit {revision}" if revision else str(config["source"])

    @property
    def context(self) -> int:
        """``num_ctx`` of the Modelfile, in tokens; Ollama's 4096 where it sets none."""
        value = self.modelfile.parameters.get("num_ctx", 4096)
        assert isinstance(value, int)
        return value

    @property
    def memory(self) -> Memory:
        """What a computer needs free while the model answers, in bytes, at ``context``."""
        return expected_memory(self.gguf, self.context)

    @cached_property
    def digest(self) -> str:
        """One sha256 over all of it, to tell whether a release must be made again."""
        parts = {name: one.model_dump(mode="json") for name, one in self.manifests.items()}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def evaluated(self) -> ModelRecord:
        """What the evaluation says of the published model."""
        return self.results.model(self.published)

    def against_base(self) -> tuple[Comparison, ...]:
        """The published model compared with the base, task by task."""
        base = next(one.name for one in self.results.models if one.role == "base")
        pairs = self.results.comparisons
        return tuple(one for one in pairs if (one.model, one.against) == (self.published, base))

    @property
    def published(self) -> str:
        """The published model's name in the evaluation."""
        return next(
            one.name
            for one in self.results.models
            if one.role == "published" and one.sha256 == self.file.sha256
        )


def read_facts(paths: RunPaths) -> ReleaseFacts:
    """Gather a finished run's records.

    Raises MedllmError for a stage that has not completed, and when the evaluation is not one of
    the GGUF that the Modelfile publishes.
    """
    manifests = {name: read_manifest(paths.stage(name)) for name in _NEEDED}
    results = _results(paths.stage("eval"))
    record = read_modelfile(paths.stage("modelfile") / "Modelfile")
    gguf = check_gguf(paths.stage("modelfile") / record.source)
    file = manifests["quantize"].outputs.get(gguf.path.name)
    if file is None or file.sha256 not in {
        one.sha256 for one in results.models if one.role == "published"
    }:
        raise MedllmError(
            f"The evaluation in {paths.stage('eval')} did not score {gguf.path.name}.",
            "Run stage eval again.",
        )
    fidelity = None
    if (paths.stage(_FIDELITY) / MANIFEST).is_file():
        fidelity = _fidelity(paths.stage(_FIDELITY))
        manifests[_FIDELITY] = read_manifest(paths.stage(_FIDELITY))
    return ReleaseFacts(
        manifests, read_report(paths.stage("prepare")), results, record, gguf, fidelity
    )


def _results(folder: Path) -> Results:
    path = folder / "results.json"
    try:
        return Results.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MedllmError(f"{path} holds no evaluation.", "Run stage eval again.") from None


def _fidelity(folder: Path) -> Fidelity:
    from medllm.convert.fidelity.results import Fidelity

    path = folder / "fidelity.json"
    try:
        return Fidelity.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MedllmError(f"{path} holds no measurement.", "Run stage fidelity again.") from None
