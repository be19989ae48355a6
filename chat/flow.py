"""The flow of a question, as a LangGraph graph: what is looked at before the model is asked.

``medllm chat --graph`` draws it. The nodes decide; words are made when somebody takes them from
``pieces``, so that stopping needs no thread to be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from medllm.chat.events import RedFlag
from medllm.pipeline.prompts import Message

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

GREETING = (
    "Hello. I am medllm, a language model that helps clinicians; I am not a doctor and can be "
    "wrong. Tell me the complaint, since when, the patient's age, other illnesses and medicines."
)
IDK = (
    "I can only help with medical questions, and this does not look like one to me. If it is about "
    "someone's health, please say which complaint or medicine it concerns."
)

Conversation = tuple[Message, ...]
Origin = Literal["model", "flow"]


class Verdict(NamedTuple):
    """Yes or no, and by what."""

    yes: bool
    reason: str


class State(TypedDict, total=False):
    """What the nodes hand on; ``reason`` is that of the node that was last gone through."""

    given: Conversation
    conversation: Conversation
    flags: tuple[RedFlag, ...]
    medical: bool
    greeting: bool
    pieces: Generator[str, None, None]
    origin: Origin
    reason: str


class Parts(NamedTuple):
    """What the nodes call; each takes the whole conversation, whose last turn is the user's."""

    ask_user: Callable[[Conversation], Conversation]  # checks it; raises MedllmError
    red_flags: Callable[[Conversation], tuple[RedFlag, ...]]
    is_medical: Callable[[Conversation], Verdict]
    is_greeting: Callable[[Conversation], Verdict]
    ask_doctor: Callable[[Conversation], Generator[str, None, None]]


def build_flow(parts: Parts) -> CompiledStateGraph[State, Any, State, State]:
    """The graph, ready to run."""
    from langgraph.graph import END, START, StateGraph

    def ask_user(state: State) -> State:
        return {"conversation": parts.ask_user(state["given"]), "reason": ""}

    def red_flag(state: State) -> State:
        flags = parts.red_flags(state["conversation"])
        return {"flags": flags, "reason": ", ".join(flag.id for flag in flags)}

    def check_medical(state: State) -> State:
        if state["flags"]:
            return {"medical": True, "reason": "a red flag"}
        verdict = parts.is_medical(state["conversation"])
        return {"medical": verdict.yes, "reason": verdict.reason}

    def ask_doctor(state: State) -> State:
        words = parts.ask_doctor(state["conversation"])
        return {"pieces": words, "origin": "model", "reason": ""}

    def check_greeting(state: State) -> State:
        verdict = parts.is_greeting(state["conversation"])
        return {"greeting": verdict.yes, "reason": verdict.reason}

    def ans_greeting(state: State) -> State:
        return {"pieces": _said(GREETING), "origin": "flow", "reason": ""}

    def static_idk_msg(state: State) -> State:
        return {"pieces": _said(IDK), "origin": "flow", "reason": ""}

    def after_medical(state: State) -> Literal["ask_doctor", "check_greeting"]:
        return "ask_doctor" if state["medical"] else "check_greeting"

    def after_greeting(state: State) -> Literal["ans_greeting", "static_idk_msg"]:
        return "ans_greeting" if state["greeting"] else "static_idk_msg"

    graph = StateGraph(State)
    for node in (ask_user, red_flag, check_medical, check_greeting):
        graph.add_node(node.__name__, node)
    for last in (ask_doctor, ans_greeting, static_idk_msg):
        graph.add_node(last.__name__, last)
        graph.add_edge(last.__name__, END)
    graph.add_edge(START, "ask_user")
    graph.add_edge("ask_user", "red_flag")
    graph.add_edge("red_flag", "check_medical")
    graph.add_conditional_edges("check_medical", after_medical)
    graph.add_conditional_edges("check_greeting", after_greeting)
    return graph.compile()


def _said(sentence: str) -> Generator[str, None, None]:
    yield sentence


def draw_flow() -> str:
    """The graph as Mermaid text."""

    def never(*_: object) -> Any:
        raise AssertionError("a drawing calls no part")

    return build_flow(Parts(never, never, never, never, never)).get_graph().draw_mermaid()
