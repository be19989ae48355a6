"""The bill of materials: CycloneDX 1.6 with the machine-learning extension (ECMA-424).

cyclonedx-python-lib writes components, hashes and licences; it has no modelCard, and the ``data``
of a data component is not in it either: both are added to its JSON, and the whole is validated
against the schema that the library carries, offline. The same run gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from medllm.pipeline.manifest import Manifest
from medllm.pipeline.provenance.bom_model_card import model_card_object
from medllm.pipeline.provenance.facts import ReleaseFacts

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

BOM = "medllm.cdx.json"
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/medllm")
_WEIGHTS = ("*.safetensors",)


def bill_of_materials(facts: ReleaseFacts) -> str:
    """The bill in JSON. Raises ValueError when it is not valid, which is a fault of ours."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.validation.json import JsonStrictValidator

    from cyclonedx.schema import SchemaVersion  # isort: skip

    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, facts.digest))
    bom.metadata.timestamp = max(manifest.ended for manifest in facts.manifests.values())
    bom.metadata.component = root = _model(facts)
    parts = [_adapter(facts), *_datasets(facts), *_packages(facts)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(root, parts)
    for part in parts:
        bom.register_dependency(part)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"]["component"]["modelCard"] = model_card_object(facts, _data_refs(facts))
    for component in document["components"]:
        if component["type"] == "data":
            component["data"] = [{"type": "dataset", "name": component["name"]}]
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise ValueError(f"the bill of materials is not valid CycloneDX 1.6: {error}")
    return text


def _model(facts: ReleaseFacts) -> Component:
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    record = facts.file
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=facts.name,
        version=record.sha256[:12],
        bom_ref="model",
        description=f"{facts.gguf.path.name}, {record.bytes} bytes",
        hashes=_hash(record.sha256),
        licenses=_licenses(_first_lines(facts)),
        pedigree=Pedigree(
            ancestors=[_base(facts)],
            notes="fine-tuned with the adapter, merged, converted to GGUF and quantised",
        ),
        properties=_properties(
            {
                f"medllm:{name}": file.sha256
                for stage in ("convert", "quantize")
                for name, file in facts.manifests[stage].outputs.items()
                if name.endswith(".gguf")
            }
        ),
    )


def _base(facts: ReleaseFacts) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    manifest = facts.manifests["base"]
    revision = manifest.config.get("revision")
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=str(manifest.config["source"]),
        version=str(revision) if revision else None,
        bom_ref="base",
        description=facts.base,
        properties=_file_properties(manifest, _WEIGHTS),
    )


def _adapter(facts: ReleaseFacts) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    manifest = facts.manifests["train"]
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=f"{facts.name}-adapter",
        version=manifest.digest(("adapter/*",))[:12],
        bom_ref="adapter",
        description="LoRA adapter, merged into the base",
        properties=_file_properties(manifest, ("adapter/*",)),
    )


def _datasets(facts: ReleaseFacts) -> Iterator[Component]:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense

    for ref, source in zip(_data_refs(facts), facts.data.sources, strict=True):
        terms = source.terms
        digest = facts.manifests["prepare"].inputs.get(source.place, "")
        yield Component(
            type=ComponentType.DATA,
            name=source.title,
            bom_ref=ref,
            description=f"{source.rows_kept} of {source.rows_read} rows of {source.place}. "
            f"{terms.clause}",
            hashes=_hash(digest) if len(digest) == 64 else (),
            licenses=[DisjunctiveLicense(name=terms.licence)],
            external_references=[
                ExternalReference(type=ExternalReferenceType.LICENSE, url=XsUri(terms.url))
            ],
            properties=_properties(
                {"medllm:publish": terms.publish, "medllm:citation": source.citation}
            ),
        )


def _packages(facts: ReleaseFacts) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    found = {
        (name, version)
        for manifest in facts.manifests.values()
        for name, version in manifest.packages.items()
    }
    for name, version in sorted(found):
        yield Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"package:{name}@{version}",
            purl=PackageURL("pypi", None, name, version),
        )


def _data_refs(facts: ReleaseFacts) -> list[str]:
    return [f"data:{i}:{source.name}" for i, source in enumerate(facts.data.sources, start=1)]


def _first_lines(facts: ReleaseFacts) -> list[str]:
    return [text.strip().partition("\n")[0][:200] for text in facts.modelfile.licenses]


def _licenses(names: list[str]) -> Any:
    from cyclonedx.model.license import DisjunctiveLicense

    return [DisjunctiveLicense(name=name) for name in dict.fromkeys(names)]


def _hash(sha256: str) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)]


def _file_properties(manifest: Manifest, patterns: tuple[str, ...]) -> Any:
    """Several files make one component, and a component has one hash: name -> sha256."""
    return _properties(
        {f"medllm:{name}": manifest.outputs[name].sha256 for name in manifest.matching(patterns)}
    )


def _properties(values: Mapping[str, str]) -> Any:
    from cyclonedx.model import Property

    return [Property(name=name, value=value) for name, value in values.items()]
