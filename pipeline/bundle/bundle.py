"""Stage bundle: the published model as one folder that a clinic installs without a network.

The folder is flat, its names are plain, and no file is larger than FAT32 allows, so that a USB
stick of any kind carries it. Every file is listed in SHA256SUMS, and that list is signed.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

import click
from tqdm import tqdm

from medllm.pipeline.bundle.release import FAT32_LIMIT, RELEASE, Release
from medllm.pipeline.config import BundleConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.provenance.bom import BOM, bill_of_materials
from medllm.pipeline.provenance.checksums import SUMS, digests, list_plain_files, sums_text
from medllm.pipeline.provenance.facts import ReleaseFacts, read_facts
from medllm.pipeline.provenance.identity import gguf_identity
from medllm.pipeline.provenance.model_card import MODEL_CARD, model_card
from medllm.pipeline.provenance.signing import (
    PUBLIC_KEY,
    SUMS_SIGNATURE,
    SigningKey,
    fingerprint,
    load_key,
    sign_file,
    sign_folder,
    spaced,
)
from medllm.pipeline.release.licences import require_publishable
from medllm.pipeline.release.modelfile import LLAMA2_NOTICE
from medllm.pipeline.release.ollama_host import MINIMUM_VERSION

UNLISTED = (SUMS, SUMS_SIGNATURE)  # what SHA256SUMS cannot hold
_EVALUATION = {"report.md": "EVALUATION.md", "accuracy.svg": "accuracy.svg"}
_SCRIPTS = ("install.sh", "install.ps1")
_README = "README.txt"
_CHUNK = 2**22
_RULE = "\n\n" + "=" * 72 + "\n\n"


def bundle(config: BundleConfig, paths: RunPaths, part_bytes: int = FAT32_LIMIT) -> Manifest:
    """Write ``bundle/<name>/``: GGUF, Modelfile, papers, signatures and install scripts.

    ``part_bytes`` is the largest file that the bundle may hold. Raises MedllmError when the data's
    terms do not allow to hand the model on, and for a key that is missing, open to others or
    inside the checkout.
    """
    facts = read_facts(paths)
    require_publishable(facts.data, config, "bundle")
    key = _key(config, paths)
    public = key.public_pem()
    scripts = "".join(map(_template, (*_SCRIPTS, _README)))
    facts_read = {
        "release": facts.digest,
        "key": fingerprint(public),
        "parts": str(part_bytes),
        "scripts": hashlib.sha256(scripts.encode()).hexdigest(),
    }

    def body(work: Work) -> None:
        folder = work.dir / facts.name
        folder.mkdir()
        release = _release(facts, part_bytes)
        _write_weights(facts.gguf.path, folder, release, part_bytes)
        _write_papers(facts, work, folder, release)
        (folder / PUBLIC_KEY).write_bytes(public)
        sign_folder(key, folder, UNLISTED)
        listed = digests(folder, list_plain_files(folder))
        (folder / SUMS).write_text(sums_text(listed), encoding="ascii", newline="\n")
        sign_file(key, folder / SUMS, folder / SUMS_SIGNATURE)
        release_print = spaced(digests(folder, [SUMS])[SUMS])
        work.report |= {"files": len(listed) + len(UNLISTED), "fingerprint": release_print}
        click.echo(
            f"bundle: {paths.stage('bundle') / facts.name}\n"
            f"  fingerprint of the release: {release_print}\n"
            f"  fingerprint of the key:     {spaced(fingerprint(public))}\n"
            "  give both to the clinic on paper or by telephone",
            err=True,
        )

    return stage(
        "bundle",
        config,
        paths,
        body,
        facts=facts_read,
        disk_bytes=facts.gguf.nbytes + 2**24,
    )


def _key(config: BundleConfig, paths: RunPaths) -> SigningKey:
    if config.key is None:
        raise MedllmError(
            "bundle.key names no private key to sign with.",
            "Make one with `medllm new-key ~/medllm.key` and name it there.",
        )
    path = config.key.expanduser()
    place = path.resolve()
    inside = next((folder for folder in place.parents if (folder / ".git").exists()), None)
    if place.is_relative_to(paths.root.resolve()):
        inside = paths.root
    if inside is not None:
        raise MedllmError(
            f"The key {path} lies in {inside}, from where it could be published.",
            "Move it out of the checkout and the run, for example to your home folder.",
        )
    return load_key(
        path, lambda: str(click.prompt(f"Passphrase of {path}", hide_input=True, err=True))
    )


def _release(facts: ReleaseFacts, part_bytes: int) -> Release:
    identity = gguf_identity(facts.gguf.path)
    size = facts.file.bytes
    return Release(
        name=facts.name,
        gguf=facts.gguf.path.name,
        bytes=size,
        sha256=facts.file.sha256,
        parts=-(-size // part_bytes) if size > part_bytes else 0,
        memory=facts.memory.total,
        tensors=identity.tensors,
        metadata=identity.metadata,
    )


def _write_weights(gguf: Path, folder: Path, release: Release, part_bytes: int) -> None:
    with (
        gguf.open("rb") as source,
        tqdm(
            total=release.bytes,
            desc="copying",
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
        ) as bar,
    ):
        for name in release.weight_files:
            with (folder / name).open("wb") as target:
                left = part_bytes
                while left and (chunk := source.read(min(left, _CHUNK))):
                    target.write(chunk)
                    left -= len(chunk)
                    bar.update(len(chunk))


def _write_papers(facts: ReleaseFacts, work: Work, folder: Path, release: Release) -> None:
    filled = facts.modelfile.model_copy(update={"source": f"./{release.gguf}"})
    texts = {
        "Modelfile": filled.text(),
        RELEASE: release.text(),
        MODEL_CARD: model_card(facts),
        BOM: bill_of_materials(facts),
        "LICENSES.txt": _RULE.join(text.strip() for text in filled.licenses) + "\n",
        _README: _readme(facts, release),
        **{name: _template(name) for name in _SCRIPTS},
    }
    if LLAMA2_NOTICE in filled.licenses:
        texts["NOTICE.txt"] = LLAMA2_NOTICE + "\n"
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for source, name in _EVALUATION.items():
        if (work.inputs["eval"] / source).is_file():
            shutil.copyfile(work.inputs["eval"] / source, folder / name)


def _readme(facts: ReleaseFacts, release: Release) -> str:
    twice = 2 if release.parts else 1  # the parts are joined before Ollama copies them
    return Template(_template(_README)).substitute(
        name=release.name,
        ollama=facts.modelfile.requires or MINIMUM_VERSION,
        disk=_size((1 + twice) * release.bytes),
        memory=_size(release.memory),
        advice="\n".join(f"    {line}" for line in _advice(release.memory)),
    )


def _advice(memory: int) -> list[str]:
    """Which laptops it suits, after what their systems keep for themselves."""
    from medllm.convert.fidelity.results import LAPTOPS

    lines = []
    for laptop in LAPTOPS:
        room = (laptop.gigabytes - laptop.reserve) * 2**30
        fits = "enough" if memory <= room else "not enough: it would be very slow or fail"
        lines.append(f"{laptop.gigabytes} GB computer: {fits}")
    return lines


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{max(size / 1e6, 1):.0f} MB"


def _template(name: str) -> str:
    return (files("medllm.pipeline.bundle") / "templates" / name).read_text(encoding="utf-8")
