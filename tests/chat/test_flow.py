"""Every edge of the flow."""

from collections.abc import Generator

import pytest

from medllm.chat.events import NodeName, RedFlag
from medllm.chat.flow import GREETING, IDK, Conversation, Parts, State, Verdict, build_flow
from medllm.pipeline.prompts import Message

ASKED = (Message(role="user", content="a question"),)
FLAG = RedFlag(id="stroke", name="a stroke", evidence=("droops",), first_aid="", guideline="x")


def parts(*, flags: tuple[RedFlag, ...] = (), medical: bool, greeting: bool = False) -> Parts:
    def never(_: Conversation) -> Verdict:
        raise AssertionError("a red flag needs no other check")

    def doctor(conversation: Conversation) -> Generator[str, None, None]:
        yield from ("asked: ", conversation[-1].content)

    return Parts(
        ask_user=lambda given: given,
        red_flags=lambda _: flags,
        is_medical=never if flags else lambda _: Verdict(medical, "words"),
        is_greeting=lambda _: Verdict(greeting, "words"),
        ask_doctor=doctor,
    )


@pytest.mark.parametrize(
    ("given", "path", "answer"),
    [
        (parts(medical=True), ["check_medical", "ask_doctor"], "asked: a question"),
        (parts(medical=False, flags=(FLAG,)), ["check_medical", "ask_doctor"], "asked: a question"),
        (
            parts(medical=False, greeting=True),
            ["check_medical", "check_greeting", "ans_greeting"],
            GREETING,
        ),
        (parts(medical=False), ["check_medical", "check_greeting", "static_idk_msg"], IDK),
    ],
)
def test_each_way_through_the_flow(given: Parts, path: list[NodeName], answer: str) -> None:
    nodes, state = [], State()
    for update in build_flow(given).stream({"given": ASKED}, stream_mode="updates"):
        ((node, changes),) = update.items()
        nodes.append(node)
        state |= changes
    assert nodes == ["ask_user", "red_flag", *path]
    assert "".join(state["pieces"]) == answer


def test_the_drawn_graph_has_the_edges_of_the_design() -> None:
    drawn = build_flow(parts(medical=True)).get_graph()
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        ("__start__", "ask_user"),
        ("ask_user", "red_flag"),
        ("red_flag", "check_medical"),
        ("check_medical", "ask_doctor"),
        ("check_medical", "check_greeting"),
        ("check_greeting", "ans_greeting"),
        ("check_greeting", "static_idk_msg"),
        ("ask_doctor", "__end__"),
        ("ans_greeting", "__end__"),
        ("static_idk_msg", "__end__"),
    }
