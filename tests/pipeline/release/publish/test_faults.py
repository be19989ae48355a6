"""Every kind of fault once; `python -m benchmarks.push_faults` does a hundred."""

import shutil
from pathlib import Path

import pytest

from benchmarks.faulty_proxy import KINDS
from benchmarks.push_faults import measure, table


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_fault_lets_a_moving_tag_name_something_unverified(tmp_path: Path) -> None:
    for program in ("ollama", "docker-registry"):
        if shutil.which(program) is None:
            pytest.skip(f"no `{program}` on PATH")
    outcomes = measure(len(KINDS) + 1, 3, tmp_path)
    told = table(outcomes)
    assert sum(one.unverified for one in outcomes) == 0, told
    assert all(one.finished and not one.crashed for one in outcomes), told
    assert sum(bool(one.request) for one in outcomes) > len(KINDS) // 2, told
