"""install.sh, by the shells that are here, and with a real Ollama server."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from benchmarks.bundle_tamper import changes, install_check, spoiled, tools_without_openssl
from medllm.pipeline.files import sha256_file
from medllm.pipeline.provenance.signing import spaced
from tests.pipeline.bundle.conftest import NAME, Made
from tests.pipeline.bundle.test_verify import forged

SHELLS = [shell for shell in ("sh", "dash", "bash", "ksh", "zsh") if shutil.which(shell)]


def install(
    bundle: Path, *options: str | Path, shell: str = "sh", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, bundle / "install.sh", *options],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_a_good_bundle(copy: Path, made: Made, shell: str) -> None:
    done = install(copy, "--check", shell=shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert spaced(sha256_file(copy / "SHA256SUMS")) in done.stdout
    assert spaced(sha256_file(made.public)) in done.stdout
    assert "proves nothing until you compare" in done.stdout
    assert "by the key you gave" in install(copy, "--check", "--key", made.public).stdout


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "MODEL_CARD.md").unlink(), "MODEL_CARD.md is missing."),
        (lambda f: (f / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (lambda f: (f / "SHA256SUMS.sig").unlink(), "SHA256SUMS.sig is missing"),
        (lambda f: (f / "SHA256SUMS.sig").write_bytes(b""), "The signature is not by"),
        (lambda f: (f / "new.txt").write_text("more"), "new.txt does not belong"),
        (lambda f: (f / ".DS_Store").write_text("more"), ".DS_Store does not belong here"),
        (lambda f: (f / "..x").write_text("more"), "..x does not belong here"),
        (lambda f: (f / "a b").write_text("more"), "a b does not belong here"),
        (lambda f: (f / "a\nb").write_text("more"), "does not belong here"),
        (lambda f: (f / "-rf").write_text("more"), "-rf does not belong here"),
        (lambda f: (f / "folder").mkdir(), "folder is not a plain file"),
        (lambda f: (f / "link").symlink_to("README.txt"), "link is a link"),
        (lambda f: (f / "link").symlink_to("nowhere"), "link is a link"),
        (lambda f: (f / "README.txt").rename(f / "READMF.txt"), "READMF.txt does not belong"),
        (lambda f: (f / "README.txt").write_bytes(b""), "README.txt is damaged"),
        (lambda f: (f / "Modelfile").write_text("FROM x"), "Modelfile is damaged"),
        (lambda f: _swap(f / "README.txt", f / "LICENSES.txt"), "LICENSES.txt is damaged"),
        (lambda f: _append(f / "SHA256SUMS", b"\n"), "SHA256SUMS is damaged"),
        (lambda f: _append(f / "SHA256SUMS", b"\0"), "SHA256SUMS is damaged"),
    ],
)
def test_a_spoiled_bundle_is_refused(
    copy: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(copy)
    for options in (("--check",), ("--yes",)):
        done = install(copy, *options)
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) <= 2  # a name may hold a line's end


def _swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def _append(path: Path, content: bytes) -> None:
    path.write_bytes(path.read_bytes() + content)


def test_single_bytes_and_names(copy: Path, tmp_path: Path) -> None:
    script = (copy / "install.sh").read_bytes()
    (tmp_path / "tools").mkdir()
    bare = tools_without_openssl(tmp_path / "tools")
    assert install_check(copy, script)
    assert install_check(copy, script, bare)
    for change in changes(copy, 25, seed=2):
        with spoiled(copy, change):
            assert not install_check(copy, script), change
            # Nothing else than openssl reads the signature.
            if change.file != "SHA256SUMS.sig" or change.renamed:
                assert not install_check(copy, script, bare), change


def test_without_openssl_it_says_what_was_not_checked(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    done = install(copy, "--check", PATH=tools_without_openssl(tmp_path / "tools"), shell="/bin/sh")
    assert done.returncode == 0
    assert "Signature: NOT checked" in done.stdout
    assert spaced(sha256_file(copy / "SHA256SUMS")) in done.stdout


def test_a_forged_bundle_fails_with_the_real_key(copy: Path, made: Made, tmp_path: Path) -> None:
    forged(copy, tmp_path / "forger")
    assert install(copy, "--check").returncode == 0
    done = install(copy, "--check", "--key", made.public)
    assert done.returncode == 1
    assert "The signature is not by" in done.stderr


def test_options_are_checked(copy: Path) -> None:
    assert "Unknown option --chek" in install(copy, "--chek").stderr
    assert "There is no key nowhere" in install(copy, "--key", "nowhere").stderr


def test_without_ollama_it_says_so(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    bare = tools_without_openssl(tmp_path / "tools")
    done = install(copy, "--yes", PATH=bare, shell="/bin/sh")
    assert done.returncode == 1
    assert "Ollama is not on this computer" in done.stderr


def test_it_installs_and_the_model_answers(copy: Path, ollama_server: str, tmp_path: Path) -> None:
    if shutil.which("ollama") is None:
        pytest.skip("no `ollama` on PATH")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    before = {path.name: sha256_file(path) for path in copy.iterdir()}
    ours = {"OLLAMA_HOST": ollama_server, "HOME": str(tmp_path), "TMPDIR": str(scratch)}
    done = install(copy, "--yes", **ours)
    assert done.returncode == 0, done.stderr
    assert f"ollama run {NAME}" in done.stdout
    assert {path.name: sha256_file(path) for path in copy.iterdir()} == before
    assert not list(scratch.iterdir())
    request = {"model": NAME, "prompt": "Hi", "stream": False, "options": {"num_predict": 3}}
    answer = httpx.post(f"{ollama_server}/api/generate", json=request, timeout=60, trust_env=False)
    assert answer.json()["response"] == "AAA"


def test_a_server_that_does_not_answer(copy: Path, tmp_path: Path) -> None:
    if shutil.which("ollama") is None:
        pytest.skip("no `ollama` on PATH")
    done = install(copy, "--yes", OLLAMA_HOST="127.0.0.1:1", HOME=str(tmp_path))
    assert done.returncode == 1
    assert "Ollama does not answer" in done.stderr
