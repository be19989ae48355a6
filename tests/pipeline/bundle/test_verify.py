import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.bundle_tamper import changes, spoiled
from medllm.pipeline.bundle.copy import copy_bundle
from medllm.pipeline.bundle.verify import show_verified, verify_bundle
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.provenance.checksums import digests, list_plain_files, sums_text
from medllm.pipeline.provenance.signing import (
    MODEL_SIGNATURE,
    PUBLIC_KEY,
    fingerprint,
    load_key,
    new_key,
    sign_file,
    sign_folder,
)
from tests.pipeline.bundle.conftest import NAME, Made

UNLISTED = ("SHA256SUMS", "SHA256SUMS.sig")


def forged(bundle: Path, key: Path) -> None:
    """Sign a changed bundle again, with a key of the forger's own."""
    new_key(key, None)
    private = load_key(key, str)
    (bundle / MODEL_SIGNATURE).unlink()
    (bundle / PUBLIC_KEY).write_bytes(private.public_pem())
    (bundle / "Modelfile").write_text("FROM ./other.gguf\n", encoding="ascii")
    sign_folder(private, bundle, UNLISTED)
    listed = digests(bundle, list_plain_files(bundle).keys() - set(UNLISTED))
    (bundle / "SHA256SUMS").write_text(sums_text(listed), encoding="ascii")
    sign_file(private, bundle / "SHA256SUMS", bundle / "SHA256SUMS.sig")


def test_a_good_bundle_and_whose_key_it_was(
    copy: Path, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verify_bundle(copy)
    assert not found.key_given
    assert found.fingerprint == sha256_file(copy / "SHA256SUMS")
    assert found.key == fingerprint(made.public.read_bytes())
    assert found.files == len(list(copy.iterdir()))
    show_verified(copy)
    assert "proves nothing about who made it" in capsys.readouterr().out
    show_verified(copy, made.public)
    out = capsys.readouterr().out
    assert "signed by the key you gave" in out
    assert "proves nothing" not in out


def test_single_bytes_and_names(copy: Path) -> None:
    caught = 0
    for change in changes(copy, 25, seed=1):
        with spoiled(copy, change), pytest.raises(MedllmError):
            verify_bundle(copy)
        caught += 1
    assert caught == 25
    verify_bundle(copy)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: (f / "MODEL_CARD.md").unlink(),
        lambda f: (f / "SHA256SUMS.sig").unlink(),
        lambda f: (f / "model.sig").unlink(),
        lambda f: (f / "new.txt").write_text("more"),
        lambda f: (f / "autorun.inf").write_text("more"),
        lambda f: (f / "folder").mkdir(),
        lambda f: (f / "README.txt").rename(f / "readme.txt"),
        lambda f: (f / "README.txt").write_bytes((f / "README.txt").read_bytes()[:-1]),
        lambda f: (f / "install.sh").write_bytes(b""),
        lambda f: (f / "x").symlink_to("README.txt"),
    ],
)
def test_other_ways_to_spoil_a_bundle(copy: Path, spoil: Callable[[Path], object]) -> None:
    spoil(copy)
    with pytest.raises(MedllmError):
        verify_bundle(copy)


def test_a_forged_bundle_passes_for_its_own_key_and_fails_for_the_real_one(
    copy: Path, made: Made, tmp_path: Path
) -> None:
    """Why the fingerprint must be compared, or the key given."""
    forged(copy, tmp_path / "forger")
    assert verify_bundle(copy).key != fingerprint(made.public.read_bytes())
    with pytest.raises(MedllmError, match="is not signed by the key"):
        verify_bundle(copy, made.public)


def test_a_list_made_anew_does_not_help(copy: Path) -> None:
    (copy / "Modelfile").write_text("FROM ./other.gguf\n", encoding="ascii")
    listed = digests(copy, list_plain_files(copy).keys() - set(UNLISTED))
    (copy / "SHA256SUMS").write_text(sums_text(listed), encoding="ascii")
    with pytest.raises(MedllmError, match="SHA256SUMS is not signed by the key"):
        verify_bundle(copy)


def test_model_sig_is_checked_too(copy: Path, made: Made) -> None:
    """A model.sig of another release, listed and signed in SHA256SUMS all the same."""
    (copy / "README.txt").write_text("changed before SHA256SUMS was signed", encoding="ascii")
    listed = digests(copy, list_plain_files(copy).keys() - set(UNLISTED))
    (copy / "SHA256SUMS").write_text(sums_text(listed), encoding="ascii")
    sign_file(load_key(made.key, str), copy / "SHA256SUMS", copy / "SHA256SUMS.sig")
    with pytest.raises(MedllmError, match=r"model\.sig does not sign .*README\.txt"):
        verify_bundle(copy)


def test_a_zip(copy: Path, made: Made, tmp_path: Path) -> None:
    packed = tmp_path / "medllm.zip"
    copy_bundle(copy, packed)
    assert verify_bundle(packed, made.public).files == len(list(copy.iterdir()))
    content = bytearray(packed.read_bytes())
    draw = random.Random(0)
    data = content.index((copy / "README.txt").read_bytes()[:64])
    for position in (data, data + 40, draw.randrange(data, data + 1000)):
        content[position] ^= 255
        packed.write_bytes(content)
        with pytest.raises(MedllmError):
            verify_bundle(packed)
        content[position] ^= 255
    packed.write_bytes(content[: len(content) // 2])
    with pytest.raises(MedllmError, match="cannot be unpacked"):
        verify_bundle(packed)


@pytest.mark.parametrize("name", ["../evil", "/evil", f"{NAME}/sub/evil", "other/evil", "a\\b"])
def test_a_zip_with_other_places_is_refused(made: Made, tmp_path: Path, name: str) -> None:
    packed = tmp_path / "medllm.zip"
    copy_bundle(made.whole, packed)
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(name, "evil")
    with pytest.raises(MedllmError, match="which no release does"):
        verify_bundle(packed)
    assert not list(tmp_path.rglob("evil"))


def test_a_zip_with_a_link_or_a_name_twice_is_refused(made: Made, tmp_path: Path) -> None:
    packed = tmp_path / "medllm.zip"
    copy_bundle(made.whole, packed)
    twice = shutil.copy(packed, tmp_path / "twice.zip")
    link = zipfile.ZipInfo(f"{NAME}/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr(f"{NAME}/README.txt", "other")
    for one in (packed, twice):
        with pytest.raises(MedllmError, match="which no release does"):
            verify_bundle(one)


def test_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(MedllmError, match="cannot be unpacked"):
        verify_bundle(tmp_path / "text.zip")
    with pytest.raises(MedllmError, match="holds no SHA256SUMS"):
        verify_bundle(tmp_path)
    with pytest.raises(MedllmError, match="holds no SHA256SUMS"):
        verify_bundle(tmp_path / "nothing")
