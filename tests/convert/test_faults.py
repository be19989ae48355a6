"""Kills and a full disk, in small; benchmarks/convert_faults.py does fifty."""

from pathlib import Path

import pytest

from benchmarks.kills import STAGES, fill_disk, kill_stages, make_run, small_disk, undisturbed

pytest_plugins = ("tests.small_model",)
pytestmark = pytest.mark.slow


@pytest.fixture
def root(checkpoint: Path, adapter: Path, tmp_path: Path) -> Path:
    return make_run(tmp_path, checkpoint, adapter)


def test_killed_stages_leave_nothing_wrong_and_run_again(root: Path) -> None:
    counts = kill_stages(root, 5, seed=1)
    assert sum(count for what, count in counts.items() if what.startswith("killed in")) == 5


def test_a_full_disk_is_one_clear_line_and_the_old_result_stays(root: Path) -> None:
    undisturbed(root)
    try:
        with small_disk(160) as disk:
            said = fill_disk(root, disk)
    except OSError as error:
        pytest.skip(f"no small file system to fill: {error}")
    assert len(said) == 2 * len(STAGES)
    for when, line in said.items():
        if when.endswith("before"):
            assert "GB of disk in" in line, line
