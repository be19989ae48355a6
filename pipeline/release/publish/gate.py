"""What must be true before anything leaves this machine.

| check | public | private network | loopback |
|---|---|---|---|
| terms of the training data | asked | asked | not asked |
| licence texts of base and data | asked | not asked | not asked |
| evaluation passed for these very files | asked | asked where there is a verdict | not asked |
| fidelity of each quant | asked | asked where it was measured | asked where it was measured |
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.config import PushConfig, RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import MANIFEST, Manifest, read_manifest
from medllm.pipeline.release.create import ModelRecord, Receipt, read_receipt
from medllm.pipeline.release.licence_texts import (
    base_licences,
    data_attribution,
    missing_licence_texts,
)
from medllm.pipeline.release.licences import read_report, require_publishable
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from medllm.pipeline.release.publish.names import Repository
from medllm.pipeline.release.publish.receipt import GateResult
from medllm.pipeline.stages import INPUTS, RELEASE
from medllm.pipeline.status import states

VERDICT = "verdict.json"  # of stage eval
FIDELITY = "fidelity.json"  # of stage fidelity
LATEST = "latest"


class Verdict(BaseModel):
    """``eval/verdict.json``: whether the evaluation lets these files be published."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    passed: bool
    reasons: list[str] = Field(description="why not, a sentence each; or what was held against it")
    artefacts: dict[str, str] = Field(description="GGUF's file name -> sha256 of what was scored")


@dataclass(frozen=True)
class Candidate:
    """One quant that may be published, as stage create left it on the server."""

    quant: str  # q4_k_m
    model: str  # name on the server
    record: ModelRecord


@dataclass(frozen=True)
class Passed:
    """What the gate lets through."""

    results: tuple[GateResult, ...]
    candidates: tuple[Candidate, ...]
    moving: dict[str, str]  # moving tag -> quant
    licences: tuple[str, ...]  # every text that must be in the model


def require_complete(run: RunConfig, paths: RunPaths) -> None:
    """Refuse to publish results that this config would not give. Raises MedllmError."""
    for state in states(run, paths):
        if state.name in RELEASE and state.state != "done":
            why = f": {state.reason}" if state.reason else ""
            raise MedllmError(
                f"Stage {state.name} is {state.state}{why}.", "Run `make release` first."
            )


def pass_gate(config: PushConfig, paths: RunPaths, repository: Repository) -> Passed:
    """Ask everything that the registry's reach calls for. Raises MedllmError at the first no."""
    reach = repository.reach
    receipt = read_receipt(paths.stage("create"))
    quantized = read_manifest(paths.stage("quantize"))
    candidates = _candidates(receipt, quantized)
    modelfile = read_modelfile(paths.stage("modelfile") / "Modelfile")
    results = []

    def note(check: str, detail: str, *, asked: bool = True) -> None:
        result = GateResult(check=check, result="passed" if asked else "not asked", detail=detail)
        results.append(result)

    if reach == "loopback":
        note("data terms", "the registry is on loopback", asked=False)
    else:
        report = read_report(paths.stage("prepare"))
        require_publishable(report, config)
        note("data terms", f"sources: {', '.join(one.name for one in report.sources)}")
    if reach == "public":
        note("licence texts", _licence_texts(paths, modelfile.licenses))
    else:
        note("licence texts", "the registry is not public", asked=False)
    verdict, why = _verdict(paths, quantized)
    if reach == "loopback":
        note("evaluation", why or "the registry is on loopback", asked=False)
    elif verdict is None and reach == "private":
        note("evaluation", f"{why}, and the registry is private", asked=False)
    else:
        note("evaluation", _evaluated(verdict, why, candidates))
    offered, recommended, why = _fidelity(paths, quantized)
    if offered is None and reach == "public":
        raise MedllmError(
            f"The quants are not known to answer like their F16: {why}.",
            "Run `medllm fidelity`; a public push needs it.",
        )
    if offered is None:
        note("fidelity", f"{why}, and the registry is not public", asked=False)
    else:
        left = [one.quant for one in candidates if one.quant not in offered]
        candidates = tuple(one for one in candidates if one.quant in offered)
        note("fidelity", f"not offered and so not pushed: {', '.join(left) or 'none'}")
    if not candidates:
        raise MedllmError(
            "No quant is close enough to its F16 to be offered.",
            "Read fidelity/fidelity.md and quantize to larger types.",
        )
    moving = _moving(config, receipt, candidates, recommended)
    return Passed(tuple(results), candidates, moving, modelfile.licenses)


def _candidates(receipt: Receipt, quantized: Manifest) -> tuple[Candidate, ...]:
    """The quants on the server; each made of the very file that stage quantize wrote."""
    if receipt.server is None:
        raise MedllmError(
            "Stage create made no models, because no Ollama server answered.",
            "Start `ollama serve` and run `make release` again.",
        )
    found = []
    for name, model in sorted(receipt.models.items()):
        file, tag = PurePosixPath(model.file), name.rpartition(":")[2]
        quant = file.stem.removeprefix("medllm-")
        if file.parent.name != "quantize" or (tag != quant and not tag.endswith(f"-{quant}")):
            continue  # base, F16, latest
        output = quantized.outputs.get(file.name)
        if output is None or output.sha256 != model.sha256:
            raise MedllmError(
                f"{name} on the Ollama server was made of another {file.name} than stage quantize "
                f"wrote.",
                "Run `make release` again.",
            )
        found.append(Candidate(quant, name, model))
    if not found:
        raise MedllmError("Stage create made no model of a quant.", "Run `make release` again.")
    return tuple(found)


def _licence_texts(paths: RunPaths, licences: tuple[str, ...]) -> str:
    """How many texts go out. Raises MedllmError when one that must is missing."""
    base = paths.stage("base")
    missing = missing_licence_texts(base)
    if missing:
        raise MedllmError(
            f"A public push lacks {', and '.join(missing)} in {base}.",
            "Put the file of the base's publisher beside its weights and run `make release` again.",
        )
    attribution = data_attribution(read_report(paths.stage("prepare")))
    wanted = [*base_licences(base), *([attribution] if attribution else [])]
    if not licences or not set(wanted) <= set(licences):
        raise MedllmError(
            "The run's Modelfile lacks licence texts of the base model or of the data.",
            "Run stage modelfile and stage create again.",
        )
    return f"{len(licences)} texts in every model"


def _verdict(paths: RunPaths, quantized: Manifest) -> tuple[Verdict | None, str]:
    """The verdict that stage eval wrote about these files, or why there is none."""
    folder = paths.stage("eval")
    if not (folder / MANIFEST).is_file():
        return None, "stage eval has not completed"
    manifest = read_manifest(folder)
    if VERDICT not in manifest.outputs:
        return None, f"stage eval wrote no {VERDICT}"
    if not _is_about(manifest, "eval", "quantize", quantized):
        return None, "stage eval scored other quants than these"
    content = _output(folder, manifest, VERDICT)
    try:
        return Verdict.model_validate_json(content), ""
    except ValidationError:
        raise MedllmError(
            f"{folder / VERDICT} is not a verdict.", "Run stage eval again."
        ) from None


def _evaluated(verdict: Verdict | None, why: str, candidates: tuple[Candidate, ...]) -> str:
    if verdict is None:
        raise MedllmError(
            f"The evaluation has not passed: {why}.",
            "A public push needs a passed evaluation of these very files: run `medllm eval`.",
        )
    if not verdict.passed:
        raise MedllmError(
            f"The evaluation did not pass: {'; '.join(verdict.reasons) or 'no reason given'}.",
            "Read eval/report.md; what did not pass is not published.",
        )
    for one in candidates:
        file = PurePosixPath(one.record.file).name
        if verdict.artefacts.get(file) != one.record.sha256:
            raise MedllmError(
                f"The evaluation passed, but not for this {file}.", "Run stage eval again."
            )
    return f"passed for {len(candidates)} files, by sha256"


def _fidelity(paths: RunPaths, quantized: Manifest) -> tuple[set[str] | None, dict[str, str], str]:
    """Quants that may be offered, what fits which laptop (tag -> quant); None, and why, without."""
    folder = paths.stage("fidelity")
    if not (folder / MANIFEST).is_file():
        return None, {}, "stage fidelity has not completed"
    from medllm.convert.fidelity.results import LAPTOPS, Fidelity, offered, recommended

    manifest = read_manifest(folder)
    if not _is_about(manifest, "fidelity", "quantize", quantized):
        return None, {}, "stage fidelity measured other quants than these"
    try:
        report = Fidelity.model_validate_json(_output(folder, manifest, FIDELITY))
    except ValidationError:
        raise MedllmError(
            f"{folder / FIDELITY} is not a fidelity report.", "Run stage fidelity again."
        ) from None
    fitting = {f"{one.gigabytes}gb": recommended(report, one) for one in LAPTOPS}
    moving = {tag: quant.type.lower() for tag, quant in fitting.items() if quant}
    return {type_.lower() for type_ in offered(report)}, moving, ""


def _is_about(manifest: Manifest, stage: str, upstream: str, made: Manifest) -> bool:
    return manifest.inputs.get(upstream) == made.digest(INPUTS[stage][upstream])


def _output(folder: Path, manifest: Manifest, name: str) -> bytes:
    """A stage's output, unaltered."""
    record, path = manifest.outputs.get(name), folder / name
    if record is None or not path.is_file() or sha256_file(path) != record.sha256:
        raise MedllmError(
            f"{path} is not the file that stage {folder.name} wrote.",
            f"Delete {folder} and run stage {folder.name} again.",
        )
    return path.read_bytes()


def _moving(
    config: PushConfig,
    receipt: Receipt,
    candidates: tuple[Candidate, ...],
    recommended: dict[str, str],
) -> dict[str, str]:
    """Moving tag -> quant. Raises MedllmError for a quant that is not pushed."""
    latest = {m.digest for name, m in receipt.models.items() if name.endswith(f":{LATEST}")}
    published = [one.quant for one in candidates if one.record.digest in latest]
    wanted = {tag: quant.lower() for tag, quant in config.moving_tags.items()}
    moving = ({LATEST: published[0]} if published else {}) | recommended | wanted
    quants = {one.quant for one in candidates}
    for tag, quant in moving.items():
        if quant not in quants:
            raise MedllmError(
                f"push.moving_tags: {tag} would name {quant}, which is not pushed.",
                f"Choose among {', '.join(sorted(quants))}.",
            )
    if LATEST not in moving:
        raise MedllmError(
            "The quant of modelfile.quant is not offered, so latest would name nothing.",
            f"Set push.moving_tags.latest to one of {', '.join(sorted(quants))}.",
        )
    return moving


def licence_digests(texts: tuple[str, ...]) -> set[str]:
    """The layers that an Ollama server makes of licence texts."""
    return {f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" for text in texts}
