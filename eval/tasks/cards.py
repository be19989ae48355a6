"""The card of every task: what it measures, what it does not, and whose data it is."""

from __future__ import annotations

from medllm.eval.records import Card

_OWN = "Apache-2.0, like medllm; every case was invented for it"
_CHOICE = (
    "The share of questions whose right option gets the most probable letter, the spellings of a "
    "letter added up."
)
_NOT_CHOICE = (
    "Picking letters is not treating patients: nothing of triage in free conversation, of what an "
    "answer leaves out, or of doses. The set may be in the base's pretraining data."
)

CARDS: dict[str, Card] = {
    "loss": Card(
        title="Loss on held-out dialogues",
        measures="The mean negative log probability, in nats a token, of the doctor's own words "
        "and of the end of the reply, in dialogues that nobody trained on.",
        does_not="Whether advice is right: it says how well this kind of dialogue is predicted.",
        licence="that of the run's training data",
        source="the run's own test split",
    ),
    "dialogues": Card(
        title="Answers to held-out dialogues",
        measures="How alike the model's reply to a patient's first message and the doctor's own "
        "are: ROUGE-L F1 of words, chrF, and the length.",
        does_not="Whether either is right. Two good answers can share few words, and one wrong "
        "word can change everything.",
        licence="that of the run's training data",
        source="the run's own test split; Lin 2004 (ROUGE), Popović 2015 (chrF)",
    ),
    "ends": Card(
        title="Ends by itself",
        measures="The share of replies that reach the end-of-sequence token or a stop string "
        "within 256 tokens.",
        does_not="Whether they end in the right place.",
        licence="that of the run's training data",
        source="the run's own test split",
    ),
    "questions": Card(
        title="Multiple-choice questions of one's own",
        measures=_CHOICE,
        does_not=_NOT_CHOICE + " Questions from the source of the training data measure whether "
        "that was learnt, and no more.",
        licence="that of the file",
        source="the file that the config names",
    ),
    "medqa": Card(
        title="MedQA: questions in the style of the US licensing examination",
        measures=_CHOICE,
        does_not=_NOT_CHOICE,
        licence="MIT for the repository; the questions come from public question banks",
        source="Jin et al., arXiv 2009.13081",
    ),
    "medmcqa": Card(
        title="MedMCQA: questions of Indian entrance examinations",
        measures=_CHOICE,
        does_not=_NOT_CHOICE,
        licence="Apache-2.0",
        source="Pal et al., arXiv 2203.14371",
    ),
    "pubmedqa": Card(
        title="PubMedQA, expert-labelled: does this abstract say yes, no or maybe?",
        measures=_CHOICE + " The model is given the abstract without its conclusion.",
        does_not="Medical knowledge: the answer is in the text. " + _NOT_CHOICE,
        licence="MIT",
        source="Jin et al., arXiv 1909.06146; the test split where its list lies beside the file",
    ),
    "mmlu": Card(
        title="MMLU, its medical subjects",
        measures=_CHOICE,
        does_not=_NOT_CHOICE + " No examples are shown before a question, so the figure is not "
        "that of five-shot leaderboards.",
        licence="MIT",
        source="Hendrycks et al., arXiv 2009.03300",
    ),
    "rubrics": Card(
        title="Rubrics",
        measures="Points that an answer earns and loses by the criteria of its rubric, over the "
        "most it could earn. Rules decide where a criterion has them, else a judge model.",
        does_not="What no criterion asks. A judge agrees with clinicians about as much as they "
        "do with each other, so judged rubrics never gate.",
        licence=_OWN + "; a file of HealthBench is MIT",
        source="format: Arora et al., HealthBench, arXiv 2505.08775",
    ),
    "summaries": Card(
        title="Summaries of conversations",
        measures="How alike the model's section of a clinical note and the written one are: "
        "ROUGE-L F1 of words, chrF, and the length.",
        does_not="Whether the summary is true to the conversation: one wrong dose costs one word.",
        licence=_OWN + "; a file of MTS-Dialog is CC BY 4.0",
        source="format: Ben Abacha et al., MTS-Dialog, EACL 2023",
    ),
    "safety": Card(
        title="Clinical safety cases",
        measures="By rules, whether an answer names an emergency and sends to emergency care, "
        "says what must be said, refuses what is unsafe, answers what is ordinary, cautions with "
        "a dose, asks when it cannot know, says what it is, and ignores orders in a pasted note.",
        does_not="What the rules do not look for. Passing is no clearance: rules read what is "
        "said and not what is meant; docs/eval.md tells how often they err.",
        licence=_OWN,
        source="318 cases written for medllm; the cards of the eight categories lie beside them",
    ),
    "medsafety": Card(
        title="MedSafetyBench: harmful requests",
        measures="By rules, whether the model refuses a harmful medical request, or turns to "
        "something safe.",
        does_not="Whether it would refuse in another wording, and whether it still helps with "
        "what is harmless (the ordinary cases of the safety task do).",
        licence="MIT, for research only",
        source="Han et al., arXiv 2403.03744",
    ),
    "memorisation": Card(
        title="Memorisation",
        measures="Whether the model says back secrets that were planted in its training data, "
        "and invented identifiers that stand where persons were: exposure and extraction.",
        does_not="Everything that could be extracted by somebody who tries longer.",
        licence=_OWN,
        source="the run's own data; Carlini et al., USENIX Security 2019",
    ),
}
