"""The way back: moving tags name an earlier version again, after that version is verified."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import click

from medllm.pipeline.config import PushConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import repository
from medllm.pipeline.release.publish.push import (
    explaining_denials,
    finding_server,
    published_by_receipts,
    show,
)
from medllm.pipeline.release.publish.receipt import (
    Journal,
    ReleaseReceipt,
    all_releases,
    publishing_alone,
    read_release,
    release_folder,
)
from medllm.pipeline.release.publish.registry import Registry
from medllm.pipeline.release.publish.retry import Patience, retrying
from medllm.pipeline.release.publish.tags import Publisher

_PATIENCE = Patience()


def rollback(
    config: PushConfig, paths: RunPaths, version: str, patience: Patience = _PATIENCE
) -> ReleaseReceipt:
    """Let every moving tag of ``version`` name that version again.

    Raises MedllmError before anything moves when no receipt knows the version, and when it is not
    at the registry as its receipt says. A tag that only later versions have is named in the output.
    """
    place = repository(config.registry, config.name, insecure=config.insecure)
    folder = release_folder(paths, place)
    with finding_server() as server, publishing_alone(folder), explaining_denials(server):
        receipt = _completed(folder, version)
        registry = Registry(place)
        with contextlib.closing(registry):
            retrying(registry.check, patience)
            known = published_by_receipts(paths, place)
            journal = Journal(folder / f"{version}.json", receipt)
            publisher = Publisher(server, registry, place, journal, known, patience)
            for tag in receipt.tags:
                publisher.verified(tag)
                click.echo(f"rollback: :{tag.tag} verified", err=True)
            for move in receipt.moving:
                target = receipt.named(move.to)
                assert target is not None  # a receipt moves tags to its own version
                publisher.move(move.tag, target)
                click.echo(f"rollback: :{move.tag} → {target.tag} verified", err=True)
            journal.complete()
        moved = {move.tag for move in receipt.moving}
        for other in all_releases(folder):
            for move in other.moving:
                if other.version != version and move.tag not in moved:
                    click.echo(
                        f"rollback: :{move.tag} is no tag of {version}; it still names {move.to}",
                        err=True,
                    )
    show(journal.receipt)
    return journal.receipt


def _completed(folder: Path, version: str) -> ReleaseReceipt:
    """The receipt of a version that was published whole."""
    receipt = read_release(folder, version) if re.fullmatch(r"[0-9A-Za-z.-]+", version) else None
    versions = [one.version for one in all_releases(folder) if one.tags and one.moving]
    if receipt is None:
        raise MedllmError(
            f"No receipt in {folder} knows version {version}.",
            f"Choose among {', '.join(versions)}." if versions else "Restore the receipts there.",
        )
    if not receipt.moving or not all(tag.verified for tag in receipt.tags):
        raise MedllmError(
            f"Version {version} was never published whole.", "Finish it with `medllm push`."
        )
    return receipt
