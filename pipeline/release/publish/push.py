"""Publish a release: gate, push and verify every quant, and only then move the tags people pull."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import click

from medllm import __version__
from medllm.pipeline.config import PushConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.publish.gate import Candidate, Passed, licence_digests, pass_gate
from medllm.pipeline.release.publish.key import about_key, server_key
from medllm.pipeline.release.publish.names import HUB, Repository, repository
from medllm.pipeline.release.publish.receipt import (
    Journal,
    PublishedTag,
    ReleaseReceipt,
    all_releases,
    publishing_alone,
    read_release,
    release_folder,
)
from medllm.pipeline.release.publish.registry import Registry
from medllm.pipeline.release.publish.retry import Denied, Patience, retrying
from medllm.pipeline.release.publish.tags import Publisher
from medllm.pipeline.release.server import Server

_PATIENCE = Patience()


def push(config: PushConfig, paths: RunPaths, patience: Patience = _PATIENCE) -> ReleaseReceipt:
    """Publish the run's quants as ``name:<version>-<quant>``, then move latest, 8gb and 16gb.

    Nothing leaves the machine before the gate has passed. Each tag is verified at the registry
    before the next step; a rerun goes on where an earlier one stopped and sends nothing twice.
    Raises MedllmError; a moving tag then names what it named before, or a verified version.
    """
    place = repository(config.registry, config.name, insecure=config.insecure)
    version = _version(config)
    passed = pass_gate(config, paths, place)
    for result in passed.results:
        click.echo(f"push: {result.check}: {result.result} ({result.detail})", err=True)
    folder = release_folder(paths, place)
    with finding_server() as server, publishing_alone(folder), explaining_denials(server):
        _require_models(server, passed)
        _require_key(server, place)
        registry = Registry(place)
        with contextlib.closing(registry):
            retrying(registry.check, patience)
            before = read_release(folder, version)
            journal = Journal(
                folder / f"{version}.json",
                _receipt(before, version, place, server.version(), passed),
            )
            publisher = Publisher(
                server, registry, place, journal, published_by_receipts(paths, place), patience
            )
            done = {}
            for candidate in passed.candidates:
                tag = journal.receipt.published(candidate.quant)
                assert tag is not None  # _receipt has one a candidate
                done[candidate.quant] = publisher.publish(tag, candidate.model)
                _require_licences(done[candidate.quant], passed)
                click.echo(f"push: :{tag.tag} verified", err=True)
            publisher = Publisher(
                server, registry, place, journal, published_by_receipts(paths, place), patience
            )
            for name, quant in sorted(passed.moving.items()):
                publisher.move(name, done[quant])
                click.echo(f"push: :{name} → {done[quant].tag} verified", err=True)
            journal.complete()
    show(journal.receipt)
    return journal.receipt


def show(receipt: ReleaseReceipt) -> None:
    """Print what is published, one line a tag."""
    click.echo(f"{receipt.name} {receipt.version} at {receipt.registry}")
    for one in receipt.tags:
        if one.verified:
            click.echo(f"  :{one.tag:<24} {one.bytes / 1e6:>10,.1f} MB  {one.digest}")
    for move in receipt.moving:
        click.echo(f"  :{move.tag:<24} → :{move.to}  {move.state}")


def published_by_receipts(paths: RunPaths, place: Repository) -> tuple[PublishedTag, ...]:
    """Every version's verified tags at a repository."""
    releases = all_releases(release_folder(paths, place))
    return tuple(tag for one in releases for tag in one.tags if tag.verified)


@contextlib.contextmanager
def explaining_denials(server: Server) -> Iterator[None]:
    """Add to a denial which key the server signs with."""
    try:
        yield
    except Denied:
        click.echo(f"push: {about_key(server.host)}", err=True)
        raise


@contextlib.contextmanager
def finding_server() -> Iterator[Server]:
    """The Ollama server that pushes. Raises MedllmError when there is none."""
    server = find_server()
    if server is None:
        raise MedllmError(
            "A push goes through the Ollama server that holds the models, and none answers.",
            "Start it with `ollama serve`, or set OLLAMA_HOST.",
        )
    with contextlib.closing(server):
        yield server


def _version(config: PushConfig) -> str:
    if config.version is None:
        raise MedllmError(
            "push.version is not set.", "Give the release a version of its own, like 1.0.0."
        )
    return config.version


def _require_models(server: Server, passed: Passed) -> None:
    """The server still holds exactly what was evaluated, licences included."""
    for one in passed.candidates:
        if server.digest(one.model) != one.record.digest:
            raise MedllmError(
                f"{one.model} on the Ollama server at {server.host} is not the model that stage "
                f"create made.",
                "Run `make release` again.",
            )
        stored = server.show(one.model).license
        if not all(text.strip() in stored for text in passed.licences):
            raise MedllmError(
                f"{one.model} on the Ollama server lacks a licence text of the Modelfile.",
                "Run stage create again.",
            )


def _require_key(server: Server, place: Repository) -> None:
    """Show the key that the hub must know. Raises MedllmError when the server has none."""
    if place.host != HUB:
        return
    click.echo(f"push: {about_key(server.host)}", err=True)
    key, where = server_key(server.host)
    if key is None and where.startswith("there is no "):
        raise MedllmError(
            f"The Ollama server at {server.host} has no key to sign with: {where}.",
            "Start it again as a user with a home of its own.",
        )


def _receipt(
    before: ReleaseReceipt | None, version: str, place: Repository, ollama: str, passed: Passed
) -> ReleaseReceipt:
    """The receipt to go on with: what is already verified stays."""
    now = datetime.now(UTC)
    return ReleaseReceipt(
        registry=place.host,
        name=place.path,
        version=version,
        reach=place.reach,
        medllm=__version__,
        ollama=ollama,
        gate=passed.results,
        tags=tuple(_tag(before, version, one) for one in passed.candidates),
        moving=before.moving if before else (),
        started=before.started if before else now,
        updated=now,
    )


def _tag(before: ReleaseReceipt | None, version: str, one: Candidate) -> PublishedTag:
    fresh = PublishedTag(
        tag=f"{version}-{one.quant}",
        quant=one.quant,
        file=one.record.file,
        sha256=one.record.sha256,
        server_digest=one.record.digest,
    )
    known = before.published(one.quant) if before else None
    if known is None:
        return fresh
    if known.server_digest == fresh.server_digest:
        return known
    if known.verified:
        raise MedllmError(
            f"Version {version} is already published with another {one.quant} "
            f"({known.verified:%Y-%m-%d %H:%M} UTC).",
            "A published version never changes: set push.version to a new one.",
        )
    return fresh.model_copy(update={"begun": known.begun})


def _require_licences(tag: PublishedTag, passed: Passed) -> None:
    """Every licence text of the Modelfile is a layer of what is published."""
    missing = licence_digests(passed.licences) - {layer.digest for layer in tag.layers}
    if missing:
        raise MedllmError(
            f":{tag.tag} at the registry lacks {len(missing)} licence texts of the Modelfile.",
            "Run stage create again and publish under a new version.",
        )
