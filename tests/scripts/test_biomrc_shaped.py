"""The generated files are of BioMRC's shape and of the size asked for."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Kept


@pytest.mark.parametrize("name", ["d.json", "d.json.gz"])
def test_size_shape_and_that_every_row_is_kept(tmp_path: Path, root: Path, name: str) -> None:
    path = tmp_path / name
    script = [sys.executable, str(root / "scripts" / "biomrc_shaped.py"), str(path)]
    subprocess.run([*script, "--gigabytes", "0.003"], check=True, capture_output=True)
    content = path.read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    assert 2_900_000 < len(content) < 3_200_000
    whole = json.loads(content)
    assert list(whole) == ["abstracts", "titles", "entities_list", "answers"]
    [rows] = {len(column) for column in whole.values()}
    results = list(read_source(SourceConfig(name="biomrc", path=path)))
    assert len(results) == rows > 1000
    assert all(isinstance(result, Kept) for result in results)
    assert len({result.dialogue.id for result in results if isinstance(result, Kept)}) == rows
