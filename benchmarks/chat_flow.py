"""The chat's flow, measured: red flags, the check for medical questions, what the flow costs.

    python -m benchmarks.chat_flow [calibrate] [--run build/demo] [--data ../shared/data]

Red flags and everyday talk are in ``chat_flow_data``; medical messages are public and read from
``--data``. Calibration and evaluation share no message.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from medllm.chat.domain.greeting import is_greeting
from medllm.chat.domain.medical import HIGH, LOW, MedicalCheck
from medllm.chat.domain.vectors import load_vectors
from medllm.chat.flow import Conversation, Parts, build_flow
from medllm.chat.redflags.layer import find_red_flags, flags_of
from medllm.eval.statistics import wilson
from medllm.pipeline.prompts import Message

DATA = Path(__file__).parent / "chat_flow_data"
_SOCIAL = "fam/sochx"  # what a patient works and where they live is not medical by itself
_TURN = 11  # words from which a patient's turn of MTS-Dialog says something of its own


def labelled(name: str) -> list[tuple[str, str]]:
    """Label and message of each line of a file of red-flag messages."""
    lines = (DATA / f"{name}.txt").read_text("utf-8").splitlines()
    return [(label, text) for label, _, text in (line.partition(" | ") for line in lines)]


def everyday(part: str) -> list[Conversation]:
    """Everyday messages, written for this."""
    lines = (DATA / f"everyday_{part}.txt").read_text("utf-8").splitlines()
    return [(Message(role="user", content=line),) for line in lines]


def medical(data: Path, part: str) -> dict[str, list[Conversation]]:
    """Public medical messages by source; calibration and evaluation are disjoint."""
    chats = json.loads((data / "chatdoctor" / "chatdoctor5k.json").read_text("utf-8"))
    papers = json.loads((data / "pubmedqa" / "ori_pqal.json").read_text("utf-8"))
    sources = {
        "chatdoctor, patients": [(Message(role="user", content=t),) for t in
                                 sorted({row["input"] for row in chats})],
        "pubmedqa, questions": [(Message(role="user", content=t),) for t in
                                sorted({row["QUESTION"] for row in papers.values()})],
        "mts-dialog, turns in their dialogue": dialogue_turns(data / "mts-dialog"),
    }  # fmt: skip
    sizes = {"calibration": (0, 300, 200, 200), "evaluation": (1, 500, 300, 250)}[part]
    drawn = {}
    for (name, found), size in zip(sources.items(), sizes[1:], strict=True):
        shuffled = random.Random(8).sample(found, len(found))
        half = len(shuffled) // 2
        drawn[name] = shuffled[half * sizes[0] :][: min(size, half)]
    return drawn


def dialogue_turns(folder: Path) -> list[Conversation]:
    """Patients' turns of MTS-Dialog with all that was said before them."""
    found = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["section_header"].lower() == _SOCIAL:
                    continue
                said: list[Message] = []
                for line in row["dialogue"].splitlines():
                    speaker, _, text = line.partition(":")
                    role = {"Patient": "user", "Doctor": "assistant"}.get(speaker.strip())
                    if role is None or not text.strip():
                        continue
                    said.append(Message(role=role, content=text.strip()))  # type: ignore[arg-type]
                    if role == "user" and len(text.split()) >= _TURN:
                        found.append(tuple(said))
    return found


def red_flags(part: str) -> None:
    """Recall and false alarms of the rules on the labelled messages of one set."""
    positive = labelled(f"red_flags_{part}_positive")
    negative = labelled(f"red_flags_{part}_negative")
    found = [{flag.rule.id for flag in flags_of(text)} for _, text in positive]
    alarms = [text for _, text in negative if flags_of(text)]
    hits = sum(map(bool, found))
    right = sum(label in ids for (label, _), ids in zip(positive, found, strict=True))
    print(f"red flags, {part}: recall {share(hits, len(positive))}")
    print(f"red flags, {part}: right one named {share(right, len(positive))}")
    print(f"red flags, {part}: false alarms {share(len(alarms), len(negative))}")


def is_medical(check: MedicalCheck, data: Path, part: str) -> None:
    """Recall by source and precision of check_medical, the model not asked."""
    hits = total = 0
    for name, found in medical(data, part).items():
        yes = sum(check(conversation).yes for conversation in found)
        hits, total = hits + yes, total + len(found)
        print(f"check_medical, {part}, {name}: recall {share(yes, len(found))}")
    wrong = [each[-1].content for each in everyday(part) if check(each).yes]
    print(f"check_medical, {part}: recall {share(hits, total)}, precision "
          f"{share(hits, hits + len(wrong))}, everyday taken for medical "
          f"{share(len(wrong), len(everyday(part)))}")  # fmt: skip


def calibrate(check: MedicalCheck, data: Path) -> None:
    """What each limit of the similarity would let through, on the calibration messages."""
    own = [c for found in medical(data, "calibration").values() for c in found if len(c) == 1]
    other = everyday("calibration")
    scores = [[check.similarity(c[-1].content) for c in part] for part in (own, other)]
    for limit in (0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8):
        kept, wrong = (sum(s >= limit for s in part) for part in scores)
        print(
            f"limit {limit}: medical {share(kept, len(own))}, everyday {share(wrong, len(other))}"
        )


def overhead(check: MedicalCheck, data: Path) -> None:
    """Milliseconds from question to the model's turn, whole graph, over mixed messages."""
    mixed = [c for found in medical(data, "evaluation").values() for c in found[:150]]
    mixed += everyday("evaluation")[:150]

    def doctor(_: Conversation):  # type: ignore[no-untyped-def]
        yield ""

    parts = Parts(lambda given: given, find_red_flags, check, is_greeting, doctor)
    taken = []
    for conversation in mixed:
        started = time.perf_counter()
        build_flow(parts).invoke({"given": conversation})
        taken.append((time.perf_counter() - started) * 1000)
    taken = sorted(taken[5:])  # the first ones load rules and dictionaries
    print(f"flow before the model: median {taken[len(taken) // 2]:.1f} ms, p95 "
          f"{taken[int(0.95 * len(taken))]:.1f} ms, {len(taken)} messages")  # fmt: skip


def share(part: int, whole: int) -> str:
    """A share with its 95% Wilson interval."""
    low, high = wilson(part, whole)
    return f"{part}/{whole} = {part / whole:.3f} ({low:.3f}-{high:.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["calibrate"])
    parser.add_argument("--run", type=Path, default=Path("build/demo"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args(arguments)
    check = MedicalCheck(load_vectors(given.run / "vectors"), None)
    if given.what == "calibrate":
        calibrate(check, given.data)
        is_medical(check, given.data, "calibration")
        return
    print(f"limits {LOW} and {HIGH}")
    red_flags("evaluation")
    red_flags("fresh")
    is_medical(check, given.data, "evaluation")
    overhead(check, given.data)


if __name__ == "__main__":
    main()
