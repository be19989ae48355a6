import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.provenance.signing import (
    MODEL_SIGNATURE,
    SigningKey,
    check_file,
    check_folder,
    fingerprint,
    load_key,
    make_key,
    new_key,
    read_public_key,
    sign_file,
    sign_folder,
    spaced,
)

pytest.importorskip("model_signing")


def never() -> str:
    raise AssertionError("no passphrase is needed")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    new_key(tmp_path / "release.key", None)
    return load_key(tmp_path / "release.key", never)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("a", "b", "SHA256SUMS"):
        (folder / name).write_text(name, encoding="ascii")
    return folder


def test_a_new_key_is_private_and_its_fingerprint_is_that_of_the_file(tmp_path: Path) -> None:
    said = new_key(tmp_path / "k", None)
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert (
        said == sha256_file(tmp_path / "k.pub") == fingerprint(read_public_key(tmp_path / "k.pub"))
    )
    with pytest.raises(MedllmError, match="exists already"):
        new_key(tmp_path / "k", None)


def test_a_key_is_made_with_and_without_a_passphrase(tmp_path: Path) -> None:
    command = click.Command("new-key", callback=lambda: make_key(tmp_path / name))
    for name, typed in (("open", "\n\n"), ("locked", "secret\nsecret\n")):
        done = CliRunner().invoke(command, input=typed)
        assert done.exit_code == 0, done.output
        assert spaced(sha256_file(tmp_path / f"{name}.pub")) in done.output
        assert "secret" not in done.output
    assert load_key(tmp_path / "open", never)
    assert load_key(tmp_path / "locked", lambda: "secret")


def test_a_passphrase_opens_the_key_and_another_does_not(tmp_path: Path, folder: Path) -> None:
    new_key(tmp_path / "k", "open sesame")
    key = load_key(tmp_path / "k", lambda: "open sesame")
    sign_folder(key, folder, ["SHA256SUMS"])
    check_folder(key.public_pem(), folder, ["SHA256SUMS"])
    with pytest.raises(MedllmError, match="is not opened by this passphrase"):
        load_key(tmp_path / "k", lambda: "open")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    new_key(tmp_path / "k", None)
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(MedllmError, match=r"Others may read .*chmod 600"):
        load_key(tmp_path / "k", never)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    private = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "k").write_bytes(private)
    (tmp_path / "k").chmod(0o600)
    with pytest.raises(MedllmError, match="is not a P-256 key"):
        load_key(tmp_path / "k", never)
    with pytest.raises(MedllmError, match="not a P-256 public key"):
        read_public_key(tmp_path / "k")


def test_openssl_verifies_what_we_sign(key: SigningKey, tmp_path: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl on PATH")
    signed, signature, public = tmp_path / "text", tmp_path / "sig", tmp_path / "release.key.pub"
    signed.write_bytes(b"digests\n")
    sign_file(key, signed, signature)
    check_file(key.public_pem(), signed, signature)
    command = [program, "dgst", "-sha256", "-verify", public, "-signature", signature, signed]
    assert subprocess.run(command, capture_output=True).returncode == 0
    signed.write_bytes(b"digest5\n")
    assert subprocess.run(command, capture_output=True).returncode != 0
    with pytest.raises(MedllmError, match="is not signed by the key"):
        check_file(key.public_pem(), signed, signature)


def test_every_byte_of_a_signature_counts(key: SigningKey, tmp_path: Path) -> None:
    signed, signature = tmp_path / "text", tmp_path / "sig"
    signed.write_bytes(b"digests\n")
    sign_file(key, signed, signature)
    good = signature.read_bytes()
    for position in range(len(good)):
        changed = bytearray(good)
        changed[position] ^= 1 + position % 255
        signature.write_bytes(changed)
        with pytest.raises(MedllmError, match="is not signed by the key"):
            check_file(key.public_pem(), signed, signature)


def test_a_signed_folder(key: SigningKey, folder: Path, tmp_path: Path) -> None:
    sign_folder(key, folder, ["SHA256SUMS"])
    (folder / "SHA256SUMS").write_text("may change", encoding="ascii")
    moved = folder.rename(tmp_path / "elsewhere")
    check_folder(key.public_pem(), moved, ["SHA256SUMS"])
    assert str(tmp_path) not in (moved / MODEL_SIGNATURE).read_text(encoding="utf-8")
    for change in (
        lambda: (moved / "a").write_text("b"),
        lambda: (moved / "c").write_text("new"),
        lambda: (moved / "b").unlink(),
    ):
        change()
        with pytest.raises(MedllmError, match=r"model\.sig does not sign"):
            check_folder(key.public_pem(), moved, ["SHA256SUMS"])


def test_another_key_or_a_damaged_signature(key: SigningKey, folder: Path, tmp_path: Path) -> None:
    sign_folder(key, folder, [])
    new_key(tmp_path / "other", None)
    other = load_key(tmp_path / "other", never)
    with pytest.raises(MedllmError, match="Key mismatch"):
        check_folder(other.public_pem(), folder, [])
    (folder / MODEL_SIGNATURE).write_text("{}", encoding="ascii")
    with pytest.raises(MedllmError, match=r"model\.sig does not sign"):
        check_folder(key.public_pem(), folder, [])
