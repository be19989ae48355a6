"""Stage create: the GGUFs as models of a local Ollama server, and proof of what it will show them.

Models are made under ``<tag>-unchecked`` names and get their own names once the server is seen to
render every prompt as training did: a fault leaves the models of the last good run as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import click
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.config import CreateConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import MANIFEST, Manifest, Work, read_manifest, stage
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile import line_of
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.ollama_host import version_key
from medllm.pipeline.release.parity import Means, check_prompts, check_stored, load_tokenizer
from medllm.pipeline.release.publish.registry import ImageManifest
from medllm.pipeline.release.server import Server

_UNCHECKED = "-unchecked"
_MODEL_TYPE = "application/vnd.ollama.image.model"
RECEIPT = "receipt.json"


class ServerRecord(BaseModel):
    """The server that holds the models."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    version: str


class LayerRecord(BaseModel):
    """One blob of a model, as the server keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    media_type: str = Field(alias="mediaType")
    digest: str  # "sha256:…"
    size: int | None  # bytes; None where the server does not say


class ModelRecord(BaseModel):
    """One model of the server and the file that it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str  # relative to the run's folder
    sha256: str  # of that file
    digest: str  # of the model's manifest on the server, 64 hex digits
    layer: str  # of the server's own GGUF, "sha256:…": Ollama rewrites the file it is given
    modelfile: str = ""  # sha256 of the Modelfile that it was made of
    # All blobs, the config last, where the server's store can be read here; else the GGUF alone.
    layers: tuple[LayerRecord, ...] = ()


class Receipt(BaseModel):
    """What stage create did; ``models`` and ``variants`` map ``name:tag`` to a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    server: ServerRecord | None  # None: no server answered
    models: dict[str, ModelRecord]
    variants: dict[str, ModelRecord] = {}  # the published GGUF with another system prompt
    prompts_checked: int  # conversations compared with training, over all models
    prompts_compared_by: Means | None = None  # None: none were


class _Plan(NamedTuple):
    """A model that is to be made."""

    tag: str
    path: Path  # the GGUF
    record: Modelfile
    modelfile: Path  # the file of ``record``
    variant: bool
    aliases: tuple[str, ...]  # further tags of the same model


def create(config: CreateConfig, paths: RunPaths) -> Manifest:
    """Make ``<name>:<version>-<tag>`` of every GGUF, ``:latest`` and variants; write receipt.json.

    Tags are ``base``, ``f16`` and the quants; without ``config.version`` they stand alone. A
    variant is called ``<tag of the published quant>-<variant>``, and ``<variant>`` for short. What
    the server still has of an earlier run is not made again.

    Without a server the receipt says so, and the path goes on with the embedded engine. Raises
    MedllmError when the server is older than REQUIRES, refuses, keeps something else than it was
    given, or renders a prompt that differs from the training text; the models stay as they were.
    """
    server = find_server()
    with contextlib.closing(server) if server else contextlib.nullcontext():
        version = server.version() if server else ""
        if server and _lost_models(paths.stage("create"), server):
            (paths.stage("create") / MANIFEST).unlink()

        def body(work: Work) -> None:
            if server is None:
                click.echo(
                    "create: no Ollama server answers at OLLAMA_HOST, so no model is made there; "
                    "evaluation goes on with the embedded engine",
                    err=True,
                )
                receipt = Receipt(server=None, models={}, prompts_checked=0)
            else:
                receipt = _create(config, server, version, paths)
                click.echo(
                    f"create: {receipt.prompts_checked} conversations compared with training by "
                    f"{receipt.prompts_compared_by}: all equal",
                    err=True,
                )
            (work.dir / RECEIPT).write_text(
                json.dumps(receipt.model_dump(mode="json", by_alias=True), indent=2) + "\n",
                encoding="utf-8",
            )
            work.report["models"] = [*sorted(receipt.models | receipt.variants)]

        fact = f"{server.host} {version}" if server else "none"
        return stage("create", config, paths, body, facts={"server": fact})


def read_receipt(folder: Path) -> Receipt:
    """The receipt in a create folder. Raises MedllmError when it is not there or not readable."""
    path = folder / RECEIPT
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MedllmError(
            f"{path} is missing or is not a receipt.",
            f"Delete {folder} and run stage create again.",
        ) from None


def _create(config: CreateConfig, server: Server, version: str, paths: RunPaths) -> Receipt:
    plans = list(_plans(config, paths))
    for plan in plans:
        _require_version(plan, server, version)
    unchecked = {plan.tag: f"{config.name}:{plan.tag}{_UNCHECKED}" for plan in plans}
    earlier = _earlier(paths.stage("create"))
    tokenizer = load_tokenizer(paths.stage("base"))
    receipt = Receipt(
        server=ServerRecord(host=server.host, version=version), models={}, prompts_checked=0
    )
    try:
        compared, means = 0, None
        for plan in plans:
            name = unchecked[plan.tag]
            _make(server, f"{config.name}:{plan.tag}", name, plan, earlier)
            check_stored(server, name, plan.record)
            if plan.path.parent.name == "quantize":  # what doctors run; F16 may not fit in memory
                parity = check_prompts(server, name, plan.record, FORMATS[config.format], tokenizer)
                compared, means = compared + parity.conversations, parity.means
        for plan in plans:
            for tag in (plan.tag, *plan.aliases):
                server.copy(unchecked[plan.tag], f"{config.name}:{tag}")
                of_kind = receipt.variants if plan.variant else receipt.models
                of_kind[f"{config.name}:{tag}"] = _recorded(server, f"{config.name}:{tag}", plan)
    finally:
        for name in unchecked.values():
            with contextlib.suppress(MedllmError):  # the first error is the one to show
                server.delete(name)
    return receipt.model_copy(update={"prompts_checked": compared, "prompts_compared_by": means})


def _plans(config: CreateConfig, paths: RunPaths) -> Iterator[_Plan]:
    """Every model to make: each GGUF with the Modelfile, the published one with each variant."""
    folder = paths.stage("modelfile")
    default = folder / "Modelfile"
    record = read_modelfile(default)
    version = config.version
    prefix = f"{version}-" if version else ""
    files = {f"{prefix}{tag}": path for tag, path in _gguf_files(paths)}
    published = prefix + PurePosixPath(record.source).stem.removeprefix("medllm-")
    if published not in files:
        raise MedllmError(
            f"FROM {record.source} in the Modelfile is none of the GGUFs of this run.",
            "Run stage modelfile again.",
        )
    for tag, path in files.items():
        yield _Plan(tag, path, record, default, False, ("latest",) if tag == published else ())
    for name in read_manifest(folder).matching(("Modelfile.*",)):
        variant, file = name.removeprefix("Modelfile."), folder / name
        yield _Plan(
            f"{published}-{variant}",
            files[published],
            read_modelfile(file),
            file,
            True,
            (variant,),
        )


def _gguf_files(paths: RunPaths) -> Iterator[tuple[str, Path]]:
    """Tag and file of every GGUF of the run: ``base``, the 16-bit fine-tune, the quants."""
    for upstream in ("convert", "quantize"):
        folder = paths.stage(upstream)
        for name in read_manifest(folder).matching(("*.gguf",)):
            model, _, type_ = PurePosixPath(name).stem.partition("-")
            yield "base" if model == "base" else type_, folder / name


def _require_version(plan: _Plan, server: Server, version: str) -> None:
    wanted, found = version_key(plan.record.requires or "0.0.0"), version_key(version)
    if wanted is not None and found is not None and wanted > found:
        raise MedllmError(
            f"{plan.modelfile}{line_of(plan.modelfile, 'REQUIRES')}: REQUIRES "
            f"{plan.record.requires} is newer than the Ollama server at {server.host}, {version}.",
            "Install a newer Ollama, or lower REQUIRES where that is safe.",
        )


def _make(server: Server, name: str, unchecked: str, plan: _Plan, earlier: Receipt | None) -> None:
    """Make a model under its unchecked name, or copy the same one of an earlier run there."""
    sha256 = _sha256(plan.path)
    before = (earlier.models | earlier.variants).get(name) if earlier else None
    if (
        before is not None
        and (before.sha256, before.modelfile) == (sha256, sha256_file(plan.modelfile))
        and before.digest == server.digest(name)
    ):
        server.copy(name, unchecked)
    else:
        server.create(unchecked, server.upload_blob(plan.path, sha256), plan.record)


def _recorded(server: Server, name: str, plan: _Plan) -> ModelRecord:
    digest, stored = server.digest(name), server.show(name)
    if digest is None:
        raise MedllmError(
            f"The Ollama server at {server.host} lost {name} at once.", "Look at its disk and log."
        )
    return ModelRecord(
        file=f"{plan.path.parent.name}/{plan.path.name}",
        sha256=_sha256(plan.path),
        digest=digest,
        layer=stored.layer,
        modelfile=sha256_file(plan.modelfile),
        layers=_layers(stored.modelfile, name, digest)
        or (LayerRecord(media_type=_MODEL_TYPE, digest=stored.layer, size=None),),
    )


def _layers(shown: str, name: str, digest: str) -> tuple[LayerRecord, ...]:
    """A model's blobs, from its manifest in the server's store; empty where that is not here.

    The API tells no layers, but the shown Modelfile tells where the store is, and the manifest's
    digest whether what lies there is it.
    """
    blob = re.search(r"^FROM (/.+)/blobs/sha256-[0-9a-f]{64}$", shown, re.MULTILINE)
    if blob is None:
        return ()
    model, _, tag = name.partition(":")
    path = Path(blob[1], "manifests/registry.ollama.ai/library", model, tag)
    try:
        raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() != digest:
            return ()
        manifest = ImageManifest.model_validate_json(raw)
    except (OSError, ValidationError):
        return ()
    return tuple(
        LayerRecord(media_type=one.media_type, digest=one.digest, size=one.size)
        for one in (*manifest.layers, manifest.config)
    )


def _sha256(gguf: Path) -> str:
    return read_manifest(gguf.parent).outputs[gguf.name].sha256


def _earlier(folder: Path) -> Receipt | None:
    """The receipt of the run before this one, where it can be read."""
    with contextlib.suppress(MedllmError):
        return read_receipt(folder)
    return None


def _lost_models(folder: Path, server: Server) -> bool:
    """Whether a completed stage's models are gone from the server, or others are in their place."""
    if not (folder / MANIFEST).is_file() or not (folder / RECEIPT).is_file():
        return False
    receipt = read_receipt(folder)
    models = receipt.models | receipt.variants
    return any(server.digest(name) != model.digest for name, model in models.items())
