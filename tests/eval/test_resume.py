"""Killed at any moment, an evaluation goes on: nothing finished is asked again."""

import os
import signal
from pathlib import Path

import pytest

from medllm.eval.engines.journal import Journal
from medllm.eval.engines.speaker import EmbeddedSpeaker, Request, Said
from medllm.eval.evaluate import evaluate
from medllm.pipeline.config import RunPaths
from tests.eval.test_evaluate import QUESTIONS, config, lines


def test_half_a_line_at_the_end_is_not_a_reply(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    said = Said(text="Rest.", tokens=2, ended=True)
    with Journal(path) as journal:
        journal.put("a", said)
        journal.put("b", said)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            assert journal.found == whole[:cut].count(b"\n")
            journal.put("c", said)
        with Journal(path) as journal:
            assert journal.get("c") == said


@pytest.mark.slow
def test_a_killed_evaluation_ends_like_an_undisturbed_one(
    small_run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(lines(QUESTIONS), encoding="utf-8")
    evaluate(config(questions), small_run)
    folder = small_run.stage("eval")
    undisturbed = (folder / "results.json").read_bytes()
    (folder / "manifest.json").unlink()
    finished, say = tmp_path / "finished", EmbeddedSpeaker.say
    finished.write_text("")
    put = Journal.put

    def noted(self: Journal, key: str, said: Said) -> None:
        put(self, key, said)
        with finished.open("a") as file:
            file.write(key + "\n")

    monkeypatch.setattr(Journal, "put", noted)
    for kill_at in (3, 17, 30):
        child = os.fork()
        if child == 0:
            calls = 0

            async def dying(self: EmbeddedSpeaker, request: Request) -> Said:
                nonlocal calls
                calls += 1
                if calls == kill_at:  # noqa: B023  (the child has its own)
                    os.kill(os.getpid(), signal.SIGKILL)
                return await say(self, request)

            monkeypatch.setattr(EmbeddedSpeaker, "say", dying)
            try:
                evaluate(config(questions), small_run)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL
    evaluate(config(questions), small_run)
    assert (folder / "results.json").read_bytes() == undisturbed
    keys = finished.read_text().splitlines()
    assert len(keys) == len(set(keys)) > 50
