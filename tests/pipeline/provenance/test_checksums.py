import os
from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.provenance.checksums import (
    SUMS,
    check_sums,
    digests,
    list_plain_files,
    read_sums,
    sums_text,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for name in ("b.txt", "A.txt", "a.txt"):
        (folder / name).write_text(name, encoding="ascii")
    (folder / SUMS).write_text(sums_text(digests(folder, list_plain_files(folder))))
    return folder


def test_a_folder_agrees_with_its_list(folder: Path) -> None:
    assert list(check_sums(folder, [SUMS])) == ["A.txt", "a.txt", "b.txt"]


def test_the_list_is_what_sha256sum_reads(folder: Path) -> None:
    assert os.system(f"cd '{folder}' && sha256sum --quiet --strict -c {SUMS}") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "b.txt").unlink(), "b.txt is missing"),
        (lambda f: (f / "b.txt").write_text("B.txt"), "b.txt in .* was changed"),
        (lambda f: (f / "b.txt").write_text(""), "b.txt in .* was changed"),
        (lambda f: (f / "c.txt").write_text("c"), "c.txt in .* does not belong"),
        (lambda f: (f / ".DS_Store").write_text("c"), "DS_Store.* does not belong"),
        (lambda f: (f / "b.txt").rename(f / "B.txt"), "b.txt is missing"),
        (lambda f: (f / "folder").mkdir(), "'folder' in .* is not a plain file"),
        (lambda f: os.mkfifo(f / "pipe"), "'pipe' in .* is not a plain file"),
        (lambda f: (f / "link").symlink_to("b.txt"), "'link' in .* is a link"),
    ],
)
def test_what_differs_is_named(folder: Path, change: object, message: str) -> None:
    change(folder)  # type: ignore[operator]
    with pytest.raises(MedllmError, match=message):
        check_sums(folder, [SUMS])


def test_a_link_to_the_same_bytes_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "b.txt").rename(tmp_path / "b.txt")
    (folder / "b.txt").symlink_to(tmp_path / "b.txt")
    with pytest.raises(MedllmError, match="is a link"):
        check_sums(folder, [SUMS])


def test_two_files_that_swap_names_are_seen(folder: Path) -> None:
    one, other = (folder / "a.txt").read_bytes(), (folder / "b.txt").read_bytes()
    (folder / "a.txt").write_bytes(other)
    (folder / "b.txt").write_bytes(one)
    with pytest.raises(MedllmError, match=r"a\.txt in .* was changed"):
        check_sums(folder, [SUMS])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "\n",
        lambda text: text.replace("  ", " *", 1),
        lambda text: text.upper(),
        lambda text: text + text.splitlines()[0] + "\n",
        lambda text: "".join(reversed(text.splitlines(keepends=True))),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("a.txt", "../a.txt"),
        lambda text: "",
    ],
)
def test_a_list_written_in_another_way_is_refused(folder: Path, change: object) -> None:
    path = folder / SUMS
    path.write_bytes(change(path.read_text()).encode())  # type: ignore[operator]
    with pytest.raises(MedllmError, match="is damaged"):
        read_sums(folder)


def test_a_folder_without_a_list(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="holds no SHA256SUMS"):
        check_sums(tmp_path, [SUMS])
