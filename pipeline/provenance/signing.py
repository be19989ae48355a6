"""Signatures of a release with a maintainer's elliptic-curve key, without any network.

Two signatures by one key. ``SHA256SUMS.sig`` is a bare ECDSA signature (DER, SHA-256) that any
``openssl dgst -verify`` checks, so a clinic needs none of our code. ``model.sig`` is an OpenSSF
Model Signing v1 bundle over the same files, for those who check models with ``model_signing``.
The private key stays with the maintainer; only the public one goes along.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

PUBLIC_KEY = "medllm.pub"
SUMS_SIGNATURE = "SHA256SUMS.sig"
MODEL_SIGNATURE = "model.sig"
_LIMIT = 64 * 1024  # bytes of a key or a signature
_NEW = "Make one with `medllm new-key FILE`."


@dataclass(frozen=True)
class SigningKey:
    """A private key in memory, where it came from, and the passphrase that opens the file."""

    path: Path
    passphrase: bytes | None
    private: ec.EllipticCurvePrivateKey

    def public_pem(self) -> bytes:
        """The public half, in the one spelling that a release carries."""
        return _public_pem(self.private.public_key())


def new_key(path: Path, passphrase: str | None) -> str:
    """Write a P-256 private key (PKCS 8, mode 0600) and ``<path>.pub``; returns the fingerprint.

    Raises MedllmError when one of the two is there already or the folder cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    how = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    public = _public_pem(key.public_key())
    for file, content, mode in ((path, private, 0o600), (_beside(path), public, 0o644)):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(content)
        except FileExistsError:
            raise MedllmError(f"{file} exists already.", "Keys are never replaced.") from None
        except OSError as error:
            raise MedllmError(
                f"{file} cannot be written: {error.strerror}.", "Choose another folder."
            ) from None
    return fingerprint(public)


def make_key(path: Path) -> None:
    """Ask for a passphrase, make a key and say what to do with its two halves."""
    passphrase = click.prompt(
        "Passphrase (empty for none)",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt=True,
        err=True,
    )
    said = new_key(path, passphrase or None)
    click.echo(f"private key  {path}: keep it off the network, with a copy in another place")
    click.echo(f"public key   {_beside(path)}: for everybody")
    click.echo(f"fingerprint  {spaced(said)}: print it for those who install")


def load_key(path: Path, ask: Callable[[], str]) -> SigningKey:
    """Read a private key; ``ask`` is called for the passphrase of an encrypted one.

    Raises MedllmError for a file that others may read, that is no P-256 key in PEM, or that the
    passphrase does not open.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _small_file(path, "key", _NEW)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise MedllmError(f"Others may read the key {path}.", f"Run `chmod 600 {path}`.")
    passphrase = ask().encode() if b"ENCRYPTED" in content else None
    try:
        key = load_pem_private_key(content, passphrase)
    except (ValueError, TypeError):
        raise MedllmError(
            f"{path} is not opened by this passphrase or is no private key.", _NEW
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise MedllmError(f"{path} is not a P-256 key.", _NEW)
    return SigningKey(path, passphrase, key)


def fingerprint(public_pem: bytes) -> str:
    """Hex sha256 of the public key's file: what ``sha256sum medllm.pub`` prints."""
    return hashlib.sha256(public_pem).hexdigest()


def spaced(digest: str) -> str:
    """A digest in groups of eight, for eyes and telephones."""
    return " ".join(digest[i : i + 8] for i in range(0, len(digest), 8))


def sign_file(key: SigningKey, path: Path, signature: Path) -> None:
    """Write the ECDSA signature (DER) of a file's SHA-256."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    signature.write_bytes(key.private.sign(path.read_bytes(), ec.ECDSA(hashes.SHA256())))


def check_file(public_pem: bytes, path: Path, signature: Path) -> None:
    """Check ``sign_file``'s signature. Raises MedllmError when it is not this key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    public = _public_key(public_pem)
    try:
        public.verify(
            _small_file(signature, "signature", "Get the release again."),
            path.read_bytes(),
            ec.ECDSA(hashes.SHA256()),
        )
    except InvalidSignature:
        raise MedllmError(
            f"{path} is not signed by the key {spaced(fingerprint(public_pem))}.",
            "Do not install it; ask the maintainer for the right key and release.",
        ) from None


def sign_folder(key: SigningKey, folder: Path, unsigned: Iterable[str]) -> None:
    """Write ``model.sig`` over all files of a folder but ``unsigned`` and itself.

    Format: OpenSSF Model Signing v1, https://github.com/sigstore/model-transparency.
    """
    from model_signing import hashing, signing

    ignored = sorted({*unsigned, MODEL_SIGNATURE})
    config = hashing.Config()  # type: ignore[no-untyped-call]
    config.set_ignored_paths(paths=ignored, ignore_git_paths=False)
    signer = signing.Config().set_hashing_config(config)  # type: ignore[no-untyped-call]
    # annotated as str, but handed on to a function that takes only bytes
    password: Any = key.passphrase
    signer.use_elliptic_key_signer(private_key=key.path, password=password)
    signer.sign(folder, folder / MODEL_SIGNATURE)


def check_folder(public_pem: bytes, folder: Path, unsigned: Iterable[str]) -> None:
    """Check ``model.sig``; everything but ``unsigned`` must be signed, and nothing be missing.

    Raises MedllmError when a file differs or the signature is not this key's.
    """
    import tempfile

    from model_signing import hashing, verifying

    ignored = sorted({*unsigned, MODEL_SIGNATURE})
    config = hashing.Config()  # type: ignore[no-untyped-call]
    config.set_ignored_paths(paths=ignored, ignore_git_paths=False)
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch, PUBLIC_KEY)
        key.write_bytes(public_pem)
        try:
            verifier = verifying.Config().set_hashing_config(config)  # type: ignore[no-untyped-call]
            verifier.use_elliptic_key_verifier(public_key=key)
            verifier.verify(folder, folder / MODEL_SIGNATURE)
        # The library raises whatever its parsers do: a damaged signature has many faces.
        except Exception as error:
            detail = " ".join(str(error).split())[:120] or type(error).__name__
            raise MedllmError(
                f"{MODEL_SIGNATURE} does not sign {folder} with the key "
                f"{spaced(fingerprint(public_pem))} ({detail}).",
                "Do not install it; ask the maintainer for the right key and release.",
            ) from None


def read_public_key(path: Path) -> bytes:
    """A public key in the one spelling that a release carries.

    Raises MedllmError for a file that is no P-256 public key in PEM.
    """
    return _public_pem(_public_key(_small_file(path, "public key", "Check the path.")))


def _public_key(pem: bytes) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: object = None
    with contextlib.suppress(ValueError, TypeError):
        key = load_pem_public_key(pem)
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise MedllmError(
            "That is not a P-256 public key in PEM.", "Ask the maintainer for the key's .pub file."
        )
    return key


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def _small_file(path: Path, what: str, fix: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise MedllmError(f"The {what} {path} cannot be read: {error.strerror}.", fix) from None
    if len(content) > _LIMIT:
        raise MedllmError(f"{path} is too large for a {what}.", fix)
    return content
