"""A message as the rules read it: one spelling, abbreviations written out, typos mended.

What is said is kept apart from what is denied, past, somebody else's, or only asked about: see
``Message.affirmed``. The reading of negation follows NegEx (Chapman et al., J. Biomed. Inform.
34:301, 2001): a trigger word, a scope that other words end.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from medllm.chat.redflags.spelling import corrected
from medllm.eval.safety.text import normalise

_I = re.IGNORECASE
# One form for each negated verb, so that a rule is written once.
_NEGATED = (
    (r"\bcan ?not\b|\bcan ?nt\b|\bcan't\b|\bcouldn'?t\b|\bcould not\b|\bunable to\b"
     r"|\b(?:isn't|not|aren't|wasn't|am not) able to\b|\bnot managing to\b", "can't"),
    (r"\b(do|does|did|is|are|was|has|have|wo|would)n?t\b(?<=nt)", r"\1n't"),
    (r"\b(do|does|did|is|are|was|has|have|would) not\b", r"\1n't"),
    (r"\bwill not\b", "won't"),
    (r"\bim\b", "i'm"), (r"\bive\b", "i've"), (r"\bhes\b", "he's"), (r"\bshes\b", "she's"),
    (r"\bi am\b", "i'm"), (r"\bi have\b(?= (?:been|had|just|got))", "i've"),
    (r"\b(?:wanna|want too)\b", "want to"), (r"\bgonna\b", "going to"),
)  # fmt: skip
_NEGATED_FORMS = tuple((re.compile(pattern, _I), form) for pattern, form in _NEGATED)
# A clinician's register. Capitals count where the letters are a word of their own otherwise.
_SHORT = {
    "CP": "chest pain", "SOB": "short of breath", "SOBOE": "short of breath", "DIB":
    "short of breath", "LOC": "loss of consciousness", "HA": "headache", "N/V": "vomiting",
    "D&V": "diarrhea and vomiting", "abdo": "abdominal", "Abdo": "abdominal", "LBP": "back pain",
    "UO": "urine output", "PV": "vaginal", "PR": "rectal", "PO": "oral", "FM": "fetal movements",
    "FMs": "fetal movements", "RFM": "reduced fetal movements", "SI": "suicidal ideation",
    "EtOH": "alcohol", "ETOH": "alcohol", "OD": "overdose", "OD'd": "overdosed", "BIBA":
    "brought by ambulance", "TTP": "tender", "CRT": "cap refill", "CVA": "stroke", "MI":
    "myocardial infarction", "PE": "pulmonary embolism", "SAH": "subarachnoid hemorrhage",
    "AAA": "aortic aneurysm", "ICH": "intracranial hemorrhage", "NSTEMI": "stemi", "STEMI": "stemi",
    "ACS": "acute coronary syndrome", "GSW": "gunshot wound", "RTC": "road traffic collision",
    "RTA": "road traffic collision", "MVA": "road traffic collision", "MVC":
    "road traffic collision", "T1DM": "type 1 diabetic", "T1D": "type 1 diabetic", "T2DM":
    "type 2 diabetic", "IUP": "pregnancy", "GTCS": "tonic-clonic seizure", "Ca": "cancer",
    "mets": "metastases", "UTI": "urine infection", "SVD": "delivery", "ROM": "waters broke",
}  # fmt: skip
_SHORT_FORM = re.compile(
    r"(?<![\w/])(?:"
    + "|".join(map(re.escape, sorted(_SHORT, key=len, reverse=True)))
    + r")(?![\w/])"
)
_SIGNS = (
    (re.compile(r"[↓⬇]\s*"), "low "), (re.compile(r"[↑⬆]\s*"), "high "),
    (re.compile(r"#(?=\s*[A-Za-z])|(?<=[a-z])\s#"), " fracture "),
    (re.compile(r"\b(pt|pts)\b", _I), "patient"), (re.compile(r"(?<=\w)\s*\+{2,}"), " very much"),
    (re.compile(r"\bc/o\b", _I), "complains of"), (re.compile(r"\bw/o\b", _I), "without"),
    (re.compile(r"\bs/p\b", _I), "after"), (re.compile(r"\b1/7\b"), "1 day"),
    (re.compile(r"\b(\d+)/7\b"), r"\1 days"), (re.compile(r"\b(\d+)/52\b"), r"\1 weeks"),
    (re.compile(r"\b(\d+)/12\b"), r"\1 months"), (re.compile(r"\b(\d{2})/40\b"), r"\1 weeks pregnant"),
)  # fmt: skip
_SENTENCE = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\n+")

_NEGATION = re.compile(
    r"\b(?:no|not|never|without|nor|neither|nil|denies|denied|denying|negative for|absence of"
    r"|free of|no evidence of|ruled out|isn't|wasn't|aren't|don't|doesn't|didn't|haven't|hasn't"
    r"|won't|wouldn't|can't)\b",
    _I,
)
_LISTING = re.compile(r"\b(?:denies|denied|denying|negative for)\b", _I)
# "not only", "not sure", "can't stop": negations that deny nothing after them
_NO_DENIAL = re.compile(
    r"\b(?:not|isn't|wasn't|don't|doesn't|didn't|can't|won't|no)\b(?= (?:only|just|sure|know|certain"
    r"|feeling (?:well|good|right|great)|feel (?:well|good|right|great)|well|good|right|okay|ok"
    r"|getting better|improving|better|help\w*|work\w*|stop\w*|like|want to|think i can|relieved"
    r"|idea|doubt|longer|one|matter|answer\w*|pick\w*|wait|breathe|breathing|speak|talk|see|move"
    r"|feel|swallow|wake|waking|stand|walk|eat\w*|drink\w*|feed\w*|pee|urinate|keep|respond\w*"
    r"|response|appetite|cry\w*|mak\w+ sense|pulse|signal|go(?:ing)? (?:down|away)|fade|in pain "
    r"control|vaccinated|ambulance|hospital|doctor|phone|car|painkillers|make))",
    _I,
)
_ENDS_SCOPE = re.compile(
    r"\b(?:but|however|although|though|except|apart from|yet|because|since|when|while|now|then"
    r"|until|which|who|so)\b|;|\s-+\s|[.:](?=\s)|\band (?=(?:i|he|she|it|they|we|my|his|her|the|now"
    r"|has|have|is|are|feels?|keeps?|pain)\b)",
    _I,
)
_OR = re.compile(r"\b(?:or|nor)\b", _I)
_SHORT_QUESTION = 6  # words
_REACH = 7  # words that "no" reaches over
_DENIED_AFTER = re.compile(
    r"^[^.!?;,]{0,30}?\b(?:ruled out|excluded|negative|absent|resolved|unlikely"
    r"|(?:is|was|are|were|has|have) (?:now )?(?:gone(?= away| now|\W*$)|stopped|settled|normal|fine))\b",
    _I,
)
_PAST = re.compile(
    r"\b(?:in (?:19|20)\d\d|(?:19|20)\d\d\b|(?:\w+|\d+) ?(?:years?|yrs?|months?|decades?) (?:ago|back"
    r"|earlier)|years ago|months ago|last (?:year|winter|summer|spring|autumn|fall|month)|as an? "
    r"(?:child|kid|baby|student|teenager|teen|boy|girl)|when (?:i|he|she) was|in my (?:first|last|"
    r"previous|twenties|teens|childhood)|previous(?:ly)?|history of|h/o|hx|pmh|pmhx|past medical|once"
    r" had|used to|was treated for|survived|in the past|long ago|in (?:january|february|march|april|"
    r"may|june|july|august|september|october|november|december)|was fixed|was repaired)\b",
    _I,
)
_NOW = re.compile(
    r"\b(?:now|today|tonight|this (?:morning|afternoon|evening|minute)|again|currently|right now"
    r"|(?:minutes?|mins?|hours?|hrs?|h|seconds?|days?) ago|since (?:last night|yesterday|this|an hour|"
    r"lunch)|just|suddenly|sudden|at the moment|yesterday|acute|acutely|new)\b|still\b",
    _I,
)
_FAMILY = re.compile(
    r"\b(?:family history|fhx?|f/h|runs in (?:my|the|our) family|in (?:my|our|the) family"
    r"|died (?:of|from)|passed away|committed suicide|lost (?:my|his|her) \w+ to)\b",
    _I,
)
_RISK = re.compile(
    r"\b(?:my|our) (?:own )?(?:risk|chances?)\b|\bpass it on\b|\binherit|\bcontagious\b", _I
)
_KNOWLEDGE = re.compile(
    r"^\W*(?:please |can you |could you |would you |kindly )?(?:tell me (?:about|how|what|more)|explain"
    r"|describe|summari[sz]e|list|name|define|quiz|teach|translate|write|draft|correct|give me "
    r"(?:a|an|the|some)|compare|discuss|outline|proofread|rephrase|rewrite)\b"
    r"|\bwh(?:at|ich)(?:'s| is| are| were| was)? (?:the |some |typical |common |normal |main |early |first"
    r" )*(?:signs?|symptoms?|causes?|mechanism|difference|definition|meaning|risk factors?|survival|"
    r"incidence|prevalence|warning|treatment|first[- ]line|guideline|antidote|criteria|antibiotics?|"
    r"prognosis|pathophysiology|management|features|red flags|complications|stages|types)\b"
    r"|\bwhat (?:causes|does|do you know|would|happens (?:if|when)|should (?:a|an|one|we|people|parents|"
    r"teachers|schools?|i know|you)|are the)\b"
    r"|\bwhich (?:antidote|symptoms|signs|tests?|drugs?|medicines?|vaccine)\b"
    r"|\bhow (?:do|does|can|would|should) (?:you|i|we|one|doctors|people|a|an|the|someone|clinicians|"
    r"paramedics|nurses) (?:\w+ )?(?:recogni[sz]e|diagnose|spot|tell|prevent|treat|examine|distinguish|"
    r"know|manage|differ|detect|avoid|help someone)\b"
    r"|\bhow (?:common|dangerous|likely|contagious|long|often|fast|rare|much|many|is|are)\b"
    r"|\bis it (?:true|possible|common)\b|\bdoes (?:the|a|an)\b|\bdifference between\b|\brisk factors?\b"
    r"|\bfor (?:a|my|an) (?:lecture|exam|essay|novel|story|class|presentation|leaflet|student|course)\b"
    r"|\b(?:crime )?novel\b|\bleaflet\b|\bmedical student\b|\bwhen should (?:i|we|you|one|people|someone) "
    r"(?:call|go|see|worry|take|seek)\b|\bshould know about\b|\bshould i know\b|\bguidelines?\b\W*$"
    r"|\bsurvival rate\b|\bscore for\b|\bi(?:'m| am) (?:studying|revising|learning|writing|reading about)\b",
    _I,
)
_SUPPOSED = re.compile(
    r"\b(?:if (?:i|you|he|she|they|we|it|my|our|his|her|someone|somebody|anyone|a|an|the|one)\b|in case"
    r"|what if|should (?:my|i|he|she|the|our|we|it)\b(?= \w+ (?:\w+ )?(?:start|have|get|develop|feel"
    r"|become|ever))|would (?:a|an|it|my)|one day|might (?:have|get|one day)|scared of|afraid of"
    r"|fear of|terrified of|worr(?:y|ied) (?:that|about|i might|of)|ever (?:had|have|get|gets|got|"
    r"happens)|could (?:\w+ ){1,3}(?:give|cause|lead to)|to prevent|prevent|avoid)\b",
    _I,
)
_REAL_IF = re.compile(
    r"\b(?:know|sure|wonder\w*|tell|say|asking|see|check|certain|clear|matter) (?:if|whether)\b|\beven if\b"
    r"|\bas if\b",
    _I,
)


class Sentence(NamedTuple):
    """A sentence of a read message, and whether it tells of something that is not now."""

    start: int
    text: str
    elsewhere: bool  # asked about in general, or somebody's family history


class Reading:
    """A message, read once; every rule looks into it."""

    def __init__(self, text: str, known: Collection[str] = ()) -> None:
        """``known`` are the words of the rules, which typos are mended to."""
        self.text = written_out(text, frozenset(known))
        self.sentences = tuple(self._split())

    def affirmed(self, start: int, end: int) -> bool:
        """Whether the words from ``start`` to ``end`` are said to be so, now."""
        sentence = next(s for s in reversed(self.sentences) if s.start <= start)
        if sentence.elsewhere:
            return False
        before = sentence.text[: start - sentence.start]
        after = sentence.text[end - sentence.start :]
        return not (
            _is_denied(before, after)
            or _is_past(sentence.text, before, after)
            or _is_supposed(before)
        )

    def _split(self) -> list[Sentence]:
        found: list[Sentence] = []
        at = 0
        for part in [*_SENTENCE.finditer(self.text), None]:
            end = part.start() if part else len(self.text)
            text = self.text[at:end]
            elsewhere = bool(_KNOWLEDGE.search(text) or _FAMILY.search(text) or _RISK.search(text))
            # "What are the signs of …? Chest pain?": the question goes on
            asks_on = bool(found) and found[-1].elsewhere and text.endswith("?")
            elsewhere = elsewhere or (asks_on and len(text.split()) <= _SHORT_QUESTION)
            found.append(Sentence(at, text, elsewhere))
            at = part.end() if part else end
        return found


@lru_cache(256)
def written_out(text: str, known: frozenset[str]) -> str:
    """A message in the one form that rules are written for."""
    text = normalise(text)
    for pattern, form in _SIGNS:
        text = pattern.sub(form, text)
    text = _SHORT_FORM.sub(lambda found: _SHORT[found[0]], text)
    for pattern, form in _NEGATED_FORMS:
        text = pattern.sub(form, text)
    return corrected(text, known) if known else text


def _is_denied(before: str, after: str) -> bool:
    if _DENIED_AFTER.match(after):
        return True
    clear = _NO_DENIAL.sub(lambda found: "_" * len(found[0]), before)
    for found in _NEGATION.finditer(clear):
        between = clear[found.end() :]
        if _ENDS_SCOPE.search(between):
            continue
        if _LISTING.match(found[0]):
            return True
        if "," in between and not (
            _OR.search(between) or re.match(r"[^.!?;]{0,40}\b(?:or|nor)\b", after)
        ):
            continue
        if len(between.split()) <= _REACH:
            return True
    return False


def _is_past(sentence: str, before: str, after: str) -> bool:
    if not _PAST.search(sentence):
        return False
    # what is nearest decides: "a heart attack in 2015 and now crushing pain"
    left, right = _clause_before(before), _clause_after(after)
    if _NOW.search(left) or _NOW.search(right):
        return False
    return bool(_PAST.search(left) or _PAST.search(right) or not _NOW.search(sentence))


def _is_supposed(before: str) -> bool:
    clause = _REAL_IF.sub(" ", before)
    return any(not _NOW.search(clause[m.end() :]) for m in _SUPPOSED.finditer(clause))


_CLAUSE_END = re.compile(r",|\b(?:but|and now|however|then)\b", _I)


def _clause_before(text: str) -> str:
    ends = [found.start() for found in _CLAUSE_END.finditer(text)]
    return text[ends[-1] :] if ends else text


def _clause_after(text: str) -> str:
    found = _CLAUSE_END.search(text)
    return text[: found.start()] if found else text
