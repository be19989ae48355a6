"""``medllm verify-installed``: is the model in Ollama the one that the maintainer signed?

Ollama's create may lay a GGUF out anew, so its layer's digest need not be the file's. What proves
the weights then is ``GgufIdentity``: names, types, shapes and data of all tensors, and the metadata
that the engine reads. What changes a model beside its weights (prompt, system text, parameters, an
adapter, a renderer) is compared with the signed Modelfile, or refused.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import click

from medllm.pipeline.bundle.exposure import exposed_addresses
from medllm.pipeline.bundle.release import Release
from medllm.pipeline.bundle.store import StoredModel, models_folder, read_model
from medllm.pipeline.bundle.verify import Verified, check_folder_of_bundle, opened
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.provenance.identity import gguf_identity
from medllm.pipeline.provenance.signing import spaced
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile

_FIX = "Install it again from the bundle."
_KINDS = ("model", "template", "system", "params", "license", "messages")
_FOREIGN = ("renderer", "parser", "remote_host", "remote_model")  # of the config: they replace ours


@dataclass(frozen=True)
class Installed:
    """A model of the local store that is the signed one."""

    model: StoredModel
    bundle: Verified
    same_file: bool  # its GGUF is the very file; else the same tensors and metadata, laid out anew
    served: bool  # a running server was asked, and has this very model
    exposed: tuple[str, ...]  # addresses beyond loopback where a server listens


def verify_installed(name: str, bundle: Path, key: Path | None = None) -> Installed:
    """Compare a model of the local Ollama store with a signed bundle.

    Reads every layer again. Raises MedllmError for a bundle that is not as signed, and for the
    first thing in which the model differs from it.
    """
    with opened(bundle) as folder:
        verified = check_folder_of_bundle(folder, key)
        record = read_modelfile(folder / "Modelfile")
    model = read_model(name, models_folder())
    unknown = sorted({layer.kind for layer in model.manifest.layers} - set(_KINDS))
    if unknown:
        raise MedllmError(f"{model.name} has a layer {unknown[0]}, the release has none.", _FIX)
    _check_config(model)
    _check_modelfile(model, record)
    same_file = _check_weights(model, verified.release)
    return Installed(model, verified, same_file, _check_server(model), tuple(exposed_addresses()))


def show_installed(name: str, bundle: Path, key: Path | None = None) -> None:
    """Print what ``verify_installed`` found."""
    found = verify_installed(name, bundle, key)
    how = "the very file" if found.same_file else "laid out anew by Ollama, all weights the same"
    click.echo(f"{found.model.name} in {found.model.folder} is the release")
    click.echo(f"  fingerprint of the release  {spaced(found.bundle.fingerprint)}")
    click.echo(f"  fingerprint of the key      {spaced(found.bundle.key)}")
    click.echo(f"  weights and tokenizer       {how}")
    click.echo("  prompt, system, parameters, licences, messages  as in the release")
    if found.served:
        click.echo("  the running server has this very model")
    else:
        click.echo("  no server was running: only its files were checked")
    if not found.bundle.key_given:
        click.echo("  signed by the bundle's own key: compare a fingerprint, or give --key")
    for address in found.exposed:
        click.echo(
            f"warning: Ollama's port is open at {address}: other computers may use the model and "
            "change it; unset OLLAMA_HOST and start Ollama again",
            err=True,
        )


def _check_config(model: StoredModel) -> None:
    config = json.loads(model.text(model.manifest.config))
    for key in _FOREIGN:
        if not isinstance(config, dict) or config.get(key):
            raise MedllmError(f"{model.name} has a {key} of its own in Ollama.", _FIX)


def _check_modelfile(model: StoredModel, record: Modelfile) -> None:
    """Everything that `ollama create` makes of a Modelfile beside the weights."""
    expected: dict[str, list[object]] = {
        "template": [record.template],
        "system": [record.system] if record.system else [],
        "params": [record.api_parameters()] if record.parameters else [],
        "license": [text.strip() for text in record.licenses],
        "messages": [[message.model_dump() for message in record.messages]]
        if record.messages
        else [],
    }
    for kind, wanted in expected.items():
        texts = [model.text(layer) for layer in model.layers(kind)]
        found: list[object] = list(texts)
        if kind in ("params", "messages"):
            try:
                found = [json.loads(text) for text in texts]
            except ValueError:
                found = []
        elif kind == "license":
            found = [text.strip() for text in texts]
        if found != wanted:
            raise MedllmError(f"{model.name} has another {kind} than the release.", _FIX)


def _check_weights(model: StoredModel, release: Release) -> bool:
    layers = model.layers("model")
    if len(layers) != 1:
        raise MedllmError(f"{model.name} has {len(layers)} GGUFs, the release has one.", _FIX)
    path = model.blob(layers[0])
    if layers[0].digest == f"sha256:{release.sha256}":
        return True
    found = gguf_identity(path)
    if found.tensors != release.tensors:
        raise MedllmError(f"{model.name} has other weights than the release.", _FIX)
    if found.metadata != release.metadata:
        raise MedllmError(
            f"{model.name} has the release's weights, but another tokenizer or other settings.",
            _FIX,
        )
    return False


def _check_server(model: StoredModel) -> bool:
    """Whether a running server has this very model; it may use another store than we read."""
    server = find_server()
    if server is None:
        return False
    with contextlib.closing(server):
        digest = server.digest(model.name)
    if digest != model.digest:
        raise MedllmError(
            f"The server at {server.host} has {'no' if digest is None else 'another'} "
            f"{model.name} than {model.folder}.",
            "Set OLLAMA_MODELS to the server's folder, or OLLAMA_HOST to the right server.",
        )
    return True
