"""What a GGUF says of itself: name, base, data, licence, code, prompt format.

It is written once, by the converter, into the full-precision GGUF; llama-quantize copies every key
into each quant. Keys of general.* are those of the GGUF specification (ggml, docs/gguf.md) and go
through llama.cpp's own ``--metadata`` file; keys of medllm.* (and general.license, which that file
cannot set) are added to its writer.

No path, host or user name belongs here: a base from a folder is named by the folder's last part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel, ConfigDict

from medllm.convert.inspect_gguf import GgufFacts, Value
from medllm.pipeline.config import FormatName
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import GitState, read_manifest
from medllm.pipeline.sources import source

_HUB = "https://huggingface.co"
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# model ids that begin so -> identifier, name and link, as the model cards state them
_KNOWN_LICENCES = {
    "meta-llama/Llama-2-": (
        "llama2",
        "LLAMA 2 Community License Agreement",
        "https://ai.meta.com/llama/license/",
    ),
}
_LICENCE_LINES = 5  # of a licence file, in which its title stands
_LONGEST_TITLE = 100
_PATH = re.compile(r"(^|\s)(/|~|\.\.?/|[A-Za-z]:\\|file:)")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Record):
    """The licence of the base, which binds the fine-tune too."""

    id: str | None = None  # as model cards name it
    name: str
    link: str | None = None


class BaseFacts(_Record):
    """The model that was fine-tuned."""

    name: str
    organization: str | None = None
    revision: str | None = None
    repo_url: str | None = None


class DatasetFacts(_Record):
    """One source of training dialogues."""

    name: str
    url: str
    revision: str | None = None
    repo_url: str | None = None
    licence: str


class ModelFacts(_Record):
    """All that a GGUF says of where it comes from."""

    name: str
    version: str
    base: BaseFacts
    licence: Licence | None
    datasets: tuple[DatasetFacts, ...]
    languages: tuple[str, ...]
    format: FormatName
    seed: int
    git: GitState | None


def model_facts(base: Path, prepared: Path, name: str, format_name: FormatName) -> ModelFacts:
    """Collect the facts from the folders of stages base and prepare.

    Raises MedllmError when one of them has not completed or names an unknown source.
    """
    from medllm import __version__

    base_manifest, prepare_manifest = read_manifest(base), read_manifest(prepared)
    config: dict[str, Any] = prepare_manifest.config
    identity = str(base_manifest.config["source"])
    revision = base_manifest.config.get("revision")
    facts = _base_facts(identity, revision if isinstance(revision, str) else None)
    return ModelFacts(
        name=name,
        version=__version__,
        base=facts,
        licence=_licence(base, identity, facts),
        datasets=tuple(_dataset_facts(entry) for entry in config["sources"]),
        languages=tuple(config["clean"]["languages"]),
        format=format_name,
        seed=prepare_manifest.seed,
        git=prepare_manifest.git,
    )


def metadata(facts: ModelFacts) -> dict[str, Value]:
    """The keys and values of a GGUF, general.* and medllm.*; absent facts have no key.

    Raises MedllmError when a value looks like a path of this machine.
    """
    entries: dict[str, Value | None] = {
        "general.name": facts.name,
        "general.version": facts.version,
        "general.quantized_by": f"medllm {facts.version}",
        "general.tags": ("medical", "dialogue", "text-generation"),
        "general.languages": facts.languages or None,
        "general.base_model.count": 1,
        "general.base_model.0.name": facts.base.name,
        "general.base_model.0.organization": facts.base.organization,
        "general.base_model.0.version": facts.base.revision,
        "general.base_model.0.repo_url": facts.base.repo_url,
        "general.dataset.count": len(facts.datasets),
        "medllm.version": facts.version,
        "medllm.prompt_format": facts.format,
        "medllm.seed": facts.seed,
    }
    if facts.licence:
        entries["general.license"] = facts.licence.id
        entries["general.license.name"] = facts.licence.name
        entries["general.license.link"] = facts.licence.link
    for place, dataset in enumerate(facts.datasets):
        entries[f"general.dataset.{place}.name"] = dataset.name
        entries[f"general.dataset.{place}.version"] = dataset.revision
        entries[f"general.dataset.{place}.url"] = dataset.url or None  # messages has none
        entries[f"general.dataset.{place}.repo_url"] = dataset.repo_url
    if facts.datasets:
        licences = tuple(f"{dataset.name}: {dataset.licence}" for dataset in facts.datasets)
        entries["medllm.dataset.licences"] = licences
    if facts.git:
        entries["medllm.git_commit"] = facts.git.commit + ("-dirty" if facts.git.dirty else "")
    kept = {key: value for key, value in entries.items() if value is not None}
    for key, value in kept.items():
        _refuse_paths(key, value)
    return kept


def converter_override(entries: Mapping[str, Value]) -> dict[str, Any]:
    """The general.* entries as the JSON that llama.cpp's converter takes with ``--metadata``."""
    override: dict[str, Any] = {}
    for key, value in entries.items():
        kind, _, rest = key.removeprefix("general.").partition(".")
        if _is_own(key) or rest == "count":
            continue
        if kind in ("base_model", "dataset") and rest:
            place, _, field = rest.partition(".")
            listed: list[dict[str, Any]] = override.setdefault(f"general.{kind}s", [])
            while len(listed) <= int(place):
                listed.append({})
            listed[int(place)][field] = value
        else:
            override[key] = list(value) if isinstance(value, tuple) else value
    return override


def own_entries(entries: Mapping[str, Value]) -> dict[str, str | int | list[str]]:
    """The entries that llama.cpp's converter does not take, which ``add_own`` writes."""
    return {
        key: [str(item) for item in value]
        if isinstance(value, tuple)
        else value
        if isinstance(value, int)
        else str(value)
        for key, value in entries.items()
        if _is_own(key)
    }


def add_own(writer: Any, entries: Mapping[str, str | int | list[str]]) -> None:
    """Add them to a ``gguf.GGUFWriter`` of whatever version, before the converter writes."""
    for key, value in entries.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)


def check_metadata(facts: GgufFacts, entries: Mapping[str, Value]) -> None:
    """Compare a finished GGUF with what it should say. Raises MedllmError on a difference."""
    for key, value in entries.items():
        found = facts.metadata.get(key)
        if found != value:
            raise MedllmError(
                f"{facts.path} says {key} = {found!r}, not {value!r}.",
                "Run stage convert again; if it stays, report it.",
            )


def _is_own(key: str) -> bool:
    # The converter reads general.license from a model card alone.
    return key.startswith("medllm.") or key == "general.license"


def _base_facts(identity: str, revision: str | None) -> BaseFacts:
    if revision is None or not _HUB_ID.fullmatch(identity):
        return BaseFacts(name=PurePath(identity).name)
    organization, _, name = identity.partition("/")
    return BaseFacts(
        name=name,
        organization=organization,
        revision=revision,
        repo_url=f"{_HUB}/{identity}",
    )


def _licence(folder: Path, identity: str, base: BaseFacts) -> Licence | None:
    """A known licence, or the title of the licence file that came with the base."""
    for prefix, (known, name, page) in _KNOWN_LICENCES.items():
        if identity.startswith(prefix):
            return Licence(id=known, name=name, link=page)
    for path in sorted((*folder.glob("LICENSE*"), *folder.glob("LICENCE*"))):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        titles = (" ".join(line.split()) for line in lines[:_LICENCE_LINES])
        if title := next(filter(None, titles), None):
            link = base.repo_url and f"{base.repo_url}/blob/{base.revision}/{path.name}"
            return Licence(name=title[:_LONGEST_TITLE], link=link)
    return None


def _dataset_facts(entry: Mapping[str, Any]) -> DatasetFacts:
    record = source(str(entry["name"]))
    hub = entry.get("hub")
    return DatasetFacts(
        name=record.title,
        url=record.terms.url,
        revision=entry.get("revision"),
        repo_url=f"{_HUB}/datasets/{hub}" if hub else None,
        licence=record.terms.licence,
    )


def _refuse_paths(key: str, value: Value) -> None:
    texts: Sequence[object] = value if isinstance(value, tuple) else (value,)
    for text in texts:
        if isinstance(text, str) and _PATH.search(text):
            raise MedllmError(
                f"The metadata {key} would hold a path: {text!r}.", "Give a name instead."
            )
