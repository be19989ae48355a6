import os
from pathlib import Path

import pytest

from medllm.pipeline.release.publish.key import about_key, server_key

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIInsvtgA9mIi4dw+oULSDuQQdgLWSNXuEYrMN06KNtg2"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A process 42 with a home of its own that listens on port 11434, as proc(5) shows it."""
    proc, home = tmp_path / "proc", tmp_path / "home"
    (proc / "net").mkdir(parents=True)
    (proc / "net" / "tcp").write_text(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 777 1 0\n"
        "   1: 0100007F:2CAB 00000000:0000 01 00000000:00000000 00:00000000 00000000 0 0 778 1 0\n"
    )
    for process, socket in ((41, "socket:[778]"), (42, "socket:[777]")):
        (proc / str(process) / "fd").mkdir(parents=True)
        (proc / str(process) / "fd" / "3").symlink_to(socket)
    (proc / "42" / "environ").write_bytes(b"PATH=/bin\0HOME=" + os.fsencode(home) + b"\0")
    (home / ".ollama").mkdir(parents=True)
    (home / ".ollama" / "id_ed25519.pub").write_text(KEY + "\n")
    return proc


def test_the_key_is_that_of_the_process_that_listens(proc: Path) -> None:
    key, where = server_key("http://127.0.0.1:11434", proc)
    assert key == KEY
    assert where == str(proc.parent / "home" / ".ollama" / "id_ed25519.pub")


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----", "ü"])
def test_what_is_no_public_key_is_not_shown(proc: Path, text: str) -> None:
    (proc.parent / "home" / ".ollama" / "id_ed25519.pub").write_text(text)
    key, where = server_key("http://127.0.0.1:11434", proc)
    assert key is None
    assert "is no public key" in where or "cannot be read" in where


def test_it_is_said_when_the_key_cannot_be_read(proc: Path) -> None:
    assert server_key("http://10.1.2.3:11434", proc) == (None, "the server runs on 10.1.2.3")
    unseen = (None, "the server's process cannot be looked at from here")
    assert server_key("http://127.0.0.1:11435", proc) == unseen  # connected, not listening
    assert server_key("http://127.0.0.1:11434", proc / "nowhere") == unseen
    (proc.parent / "home" / ".ollama" / "id_ed25519.pub").unlink()
    key, where = server_key("http://127.0.0.1:11434", proc)
    assert key is None
    assert where.startswith("there is no ")
    assert "cat ~/.ollama/id_ed25519.pub" in about_key("http://10.1.2.3:11434")


def test_a_real_servers_key(ollama_server: str) -> None:
    key, where = server_key(ollama_server)
    if key is None:
        pytest.skip(where)
    assert Path(where).read_text().strip() == key
