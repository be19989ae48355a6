import subprocess
import sys
from pathlib import Path

import pytest

MEDLLM = Path(sys.executable).parent / "medllm"


def medllm(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(MEDLLM), *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_loads_nothing_heavy(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(MEDLLM), "--help"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "medllm.pipeline.cli" in imported
    heavy = {"torch", "transformers", "datasets", "pydantic", "yaml", "numpy", "ollama"}
    assert not heavy & imported


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--config", "nowhere.yaml"], "There is no config nowhere.yaml"),
        (["train", "--set", "train.rnak=3"], "did you mean rank?"),
        (["merge", "--set", "base.source=/nowhere"], "base.tiny belongs to base.source"),
        (["ask"], "Missing argument 'QUESTION'"),
        (["tarin"], "No such command 'tarin'"),
    ],
)
def test_a_mistake_ends_with_code_2_and_no_traceback(
    root: Path, arguments: list[str], expected: str
) -> None:
    done = medllm(*arguments, cwd=root)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_is_one_line_with_what_to_do(tmp_path: Path, root: Path) -> None:
    (tmp_path / "run.yaml").write_text((root / "configs/demo.yaml").read_text(encoding="utf-8"))
    done = medllm("merge", "--config", "run.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: Stage merge needs stage base, which is missing. "
        "Run `medllm base` first, or let `make` run them in order.\n"
    )
    assert not (tmp_path / "build").exists()


def test_the_command_reference_is_current(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/cli_docs.py", "--check"],
        cwd=root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
