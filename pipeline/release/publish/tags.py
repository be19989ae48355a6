"""Tags at a registry: a version's own, which never change, and those that move between versions.

A version's tags are pushed and verified first. A moving tag then gets one of those very manifests,
so that it names something verified or what it named before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NoReturn

import click

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import Repository
from medllm.pipeline.release.publish.pushing import pull_model, push_model
from medllm.pipeline.release.publish.receipt import Journal, MovingTag, PublishedTag
from medllm.pipeline.release.publish.registry import Found, Registry
from medllm.pipeline.release.publish.retry import Patience, Unverified, retrying
from medllm.pipeline.release.server import Server

State = Literal["moving", "verified", "put back", "unverified"]


@dataclass(frozen=True)
class Publisher:
    """Everything that moves a tag."""

    server: Server
    registry: Registry
    repository: Repository
    journal: Journal
    known: tuple[PublishedTag, ...]  # of all versions that receipts prove
    patience: Patience

    def publish(self, tag: PublishedTag, model: str) -> PublishedTag:
        """Push ``model`` under a version's tag, unless it is there, and verify it.

        Raises MedllmError when the tag is taken by something else that was once verified, or by
        what no receipt knows.
        """
        there = retrying(lambda: self._foreign_or_ours(tag), self.patience)
        if there is None:
            name = self.repository.tagged(tag.tag)
            tag = tag.model_copy(update={"begun": datetime.now(UTC), "verified": None})
            self.journal.published(tag)
            self.server.copy(model, name)
            self._require_local(name, (tag.server_digest,))

            def push() -> Found:
                push_model(self.server, name, insecure=self.repository.insecure)
                return self.registry.verify(tag.tag, tag.server_digest)

            there = retrying(push, self.patience)
        done = tag.seen(there)
        self.journal.published(done)
        return done

    def verified(self, tag: PublishedTag) -> Found:
        """Verify a version's tag. Raises MedllmError when it is not what its receipt proves."""
        return retrying(lambda: self.registry.verify(tag.tag, tag.server_digest), self.patience)

    def move(self, tag: str, target: PublishedTag) -> None:
        """Let a moving tag name a version that this run has verified, and verify the tag.

        When that fails the tag is put back to what it named. Raises MedllmError saying so.
        """
        before, failure = self._digest_of(tag), None
        last = next((one for one in self.journal.receipt.moving if one.tag == tag), None)
        good = {one.digest for one in self.known}
        if before == target.digest:
            before = last.before if last and last.digest == target.digest else before
        else:
            if before not in good and last and last.before in good:
                before = last.before  # an interrupted move left something else there
            self._record(tag, target, before, "moving")
            try:
                retrying(lambda: self._push_tag(tag, target), self.patience)
            except MedllmError as error:
                failure = error
        if failure is None or self._names(tag, target):
            try:
                retrying(lambda: self.registry.verify(tag, target.server_digest), self.patience)
            except MedllmError as error:
                failure = failure or error
            else:
                self._record(tag, target, before, "verified")
                return
        self._put_back(tag, target, before, failure)

    def _foreign_or_ours(self, tag: PublishedTag) -> Found | None:
        """The tag as we published it, or None where it may be pushed."""
        found = self.registry.find(tag.tag)
        if found is None:
            if tag.verified:
                click.echo(f"push: :{tag.tag} is gone from the registry; pushing again", err=True)
            return None
        if tag.server_digest in found.server_digests:
            try:
                return self.registry.verify(tag.tag, tag.server_digest)
            except Unverified:
                return None  # a layer is missing: pushing again sends it
        ours = self.journal.receipt.named(tag.tag)
        if ours and ours.begun and not ours.verified:
            return None  # an interrupted push of ours left it
        raise Unverified(
            f":{tag.tag} at {self.repository.host} already names another model, "
            f"{found.digest[:19]}….",
            "A published version never changes: set push.version to a new one.",
        )

    def _push_tag(self, tag: str, target: PublishedTag) -> None:
        source, name = self.repository.tagged(target.tag), self.repository.tagged(tag)
        digests = (target.server_digest, (target.digest or "").removeprefix("sha256:"))
        if self.server.digest(source) not in digests:
            pull_model(self.server, source, insecure=self.repository.insecure)
            self._require_local(source, digests)
        self.server.copy(source, name)
        self._require_local(name, digests)
        push_model(self.server, name, insecure=self.repository.insecure)

    def _put_back(
        self, tag: str, target: PublishedTag, before: str | None, error: MedllmError
    ) -> NoReturn:
        """After a failed move; always raises, with what the tag names now."""
        try:
            now = self._digest_of(tag)
        except MedllmError:
            self._record(tag, target, before, "unverified")
            raise MedllmError(
                f"{error.what} What :{tag} names now cannot be read.",
                "Run it again as soon as the registry answers.",
            ) from error
        if now == before:
            self._record(tag, target, before, "put back")
            raise MedllmError(
                f"{error.what} :{tag} still names what it named before.", error.fix
            ) from error
        earlier = next((one for one in self.known if before and one.digest == before), None)
        if earlier is not None:
            try:
                retrying(lambda: self._push_tag(tag, earlier), self.patience)
                retrying(lambda: self.registry.verify(tag, earlier.server_digest), self.patience)
            except MedllmError as second:
                self._record(tag, target, before, "unverified")
                raise MedllmError(
                    f"{error.what} :{tag} could not be put back to {earlier.tag} either: "
                    f"{second.what}",
                    "Do not announce it, and run it again at once.",
                ) from error
            self._record(tag, target, before, "put back")
            raise MedllmError(
                f"{error.what} :{tag} was put back to {earlier.tag}.", error.fix
            ) from error
        self._record(tag, target, before, "unverified")
        raise MedllmError(
            f"{error.what} :{tag} now names {now}, which medllm did not publish, and no receipt "
            f"knows what it named before ({before}).",
            "Run it again at once, or delete the tag at the registry.",
        ) from error

    def _names(self, tag: str, target: PublishedTag) -> bool:
        """Whether the tag is right after all; a push may fail with its last answer alone."""
        try:
            return self._digest_of(tag) == target.digest
        except MedllmError:
            return False

    def _digest_of(self, tag: str) -> str | None:
        found = retrying(lambda: self.registry.find(tag), self.patience)
        return found.digest if found else None

    def _require_local(self, name: str, digests: tuple[str, ...]) -> None:
        if self.server.digest(name) not in digests:
            raise MedllmError(
                f"{name} on the Ollama server at {self.server.host} is not the model that was "
                f"evaluated.",
                "Run `make release` again, and let nobody else create models meanwhile.",
            )

    def _record(self, tag: str, target: PublishedTag, before: str | None, state: State) -> None:
        self.journal.moved(
            MovingTag(
                tag=tag,
                to=target.tag,
                digest=target.digest or "",
                before=before,
                state=state,
                at=datetime.now(UTC),
            )
        )
