"""The project's cases, by id."""

import pytest

from medllm.eval.safety.cases import Case, load_cases


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return {case.id: case for case in load_cases()}
