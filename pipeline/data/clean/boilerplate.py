"""What question-and-answer sites put around a doctor's words, and what their names left behind.

A greeting or sign-off is recognised sentence by sentence, and only when each of its words belongs
to the small vocabulary of such formulas: one medical word, one number or one "not" keeps the
sentence. So "feel free to ask" goes and "feel free to ask if the pain returns" stays. What is kept
is never rewritten, except that a sentence which has lost its greeting begins with a capital.

ChatDoctor's HealthCareMagic-100k has "Chat Doctor." where the names of site and doctors stood, and
also in the middle of words ("ad Chat Doctor." for "address …"): a replacement that took "dr" for a
title and everything up to the next full stop for a name. Such a sentence cannot be mended.
"""

from __future__ import annotations

import re
from functools import lru_cache

from medllm.pipeline.data.clean.sentences import sentences

# What a torn turn may lose before the dialogue is of no use.
MAX_TORN_SHARE = 0.5

_SITE = re.compile(
    r"""\b(?:chat\ ?doctor | health\ ?care\ ?magic | i[cl]?cliniq
        | (?:(?<=\bon\ )|(?<=\bto\ )|(?<=\bat\ )|(?<=\busing\ ))hcm )
        (?:\s?\.\s?com\b)? (?:'s)?""",
    re.I | re.X,
)
_ADDRESS = re.compile(
    r"[\s\\(>-]*(?:https?://|www\.)\S*(?:healthcaremagic|iclini[cq]|healthtap|chatdoctor)\.\S*"
    r"|(?:\b(?:my )?blog|\bask me a direct (?:query|question)) ?:? *(?:https?://|www\.)\S+",
    re.I,
)
_REFERRAL = re.compile(
    r"\b(?:for (?:any |more |further )*(?:information|quer\w+|doubts?|details)[, ]+"
    r"(?:you (?:can|may) )?consult|revert(?: back)? with [^.!?\d]{3,70}? to)"
    r" an? [^.!?\d]{3,60}? online\b(?: for follow ?up)?[ .>-]*[√☑✅▶➜☎\ufe0f ]*\.?\s*",
    re.I,
)
_LABEL = re.compile(
    r"\b(?:brief|short|detailed) answer ?: ?"
    r"|\(attachments? removed to protect [^()]{0,30}identity\)"
    r"|^(?:answered by dr\b[^\n]{0,60}|patient's query) *$",
    re.I | re.M,
)

_HARD = re.compile(
    r"""\bsite\b | \bwelcome\b.*\b(?:forum|service|website)\b
      | ^(?!.*\b(?:am|are|i'm)\b.*\bgood\b).*\bthank(?:s|\ you)?\b.*\b(?:query|queries|questions?
          |asking|posting|writing|using|choosing|consulting|contacting)\b
      | \b(?:gone|went|going|read|reviewed)\b.*\b(?:query|question|concerns?|problems?|complaints?
          |history|details|message)\b
      | \banswering\ your\b
      | \bhop(?:e|ing)\b.*\b(?:answer|solve|resolve|clear|clarif|satisf|help|useful|benefit|assist)
      | \bhope\b.*\bmessage\ finds\b
      | \b(?:feel\ free|available\ for|(?:happy|glad|pleased|pleasure)\ to\ (?!hear|know|see))\b
      | \bdirect\ (?:query|question)\b
      | ^(?=.*\b(?:if|any|anytime|further|more|additional|case|always)\b)
          .*\b(?:let\ me\ know|(?:get|come|write)\ back|revert)\b
      | \bwish\w*\b.*\b(?:health|recovery|luck|best|day|life|week\w*)\b
      | \bregards\b | \b(?:further|more|additional)\ (?:quer|quest|doubt|clarif|assist)""",
    re.X,
)
_SOFT = re.compile(
    r"""^\W*(?:hi|hello|hey|hai|dear|greetings|good\ (?:morning|afternoon|evening|day))\b
      | \b(?:take\ care|thanks|thank\ you|thankyou|get\ well|god\ bless|best\ wishes|luck
          |all\ the\ best|stay\ (?:safe|healthy|blessed)|sincerely|yours\ truly|understand
          |understood|appreciate|have\ a|let\ us\ know)\b""",
    re.X,
)
# The words of a formula: grammar; greetings and people; what was asked and what was done with it
# ("dairy" and "degree" are what a spelling checker made of "Dear"); hopes, offers and wishes.
_VOCABULARY = """
a an the i im i'm me my am is are was be been it its this that these those we us our you your yours
u ur to for of on in at by with from and or if so case as any anything anytime always again also
back more further additional other another some all every much many very well too here there then
now please kindly plz will i'll would i'd shall can could may might do does did have has had i've
up out once
hi hello hey hai dear sir madam mam maam doctor dr doc friend user greetings good morning afternoon
evening day night welcome thanks thank thankyou thx grateful him her his she he them they their aunt
uncle mother father mom dad mum son daughter wife husband child baby kid family parents grandmother
grandfather brother sister
using choosing choose posting post posted asking ask asked writing write wrote contacting contact
reaching reach coming come visiting sharing share sending submitting submitted query queries querry
question questions doubt doubts concern concerns problem problems issue issues clarification
clarifications clarify clarified complaint complaints history provided details detail information
info message finds gone go going went through read reviewed understand understood understanding
noted know let letting carefully diligence dairy degree consulting about regarding related follow
followup
hope hoping hopes hopefully answer answers answered answering reply replies response solve solved
solves resolve resolved resolves clear clears cleared satisfy satisfied satisfactory help helps
helped helpful helping useful assist assists assistance assisting benefit guide guidance opinion
advice suggestion suggestions explanation happy glad pleased pleasure love available forward look
looking hearing hear revert feel free require need needed definitely appropriately wish wishes
wishing great best health healthy life luck lots speedy early quick fast recovery get soon god bless
blessings blessed nice wonderful week weekend stay safe ahead take care regards kind warm warmest
sincerely truly cheers site forum team website service platform found find future direct
services appreciate aspect regard studied
"""
_WORDS = frozenset(_VOCABULARY.split())
_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_OFFER = re.compile(r"\b(?:(?:do not|don['’]?t|never) hesitate|consult(?= me\b| us\b))")
_NAME = r"[A-Z][\w'.-]*"
_SALUTATION_NAME = re.compile(
    rf"\b((?i:hi|hello|hey|hai|dear))[, ] ?{_NAME}(?: {_NAME})?(?=\s*[,.!]|\s*$)"
)
_DOCTOR_NAME = re.compile(rf"\b[Dd][Rr]\b\.? ?{_NAME}(?: {_NAME}){{0,3}}")
_SIGNATURE = re.compile(
    rf"\b((?i:regards|sincerely|truly|good health|the best|wishes))\b[\s,.:-]*"
    rf"(?:[Dd][Rr]\.? ?(?:[a-z]+ ?){{1,2}}|[Dd][Rr]\.? ?{_NAME}[^.!?\d]{{0,140}}"
    rf"|(?:{_NAME}|&|and|[\s,()])*)$"
)
_BARE_SIGNATURE = re.compile(rf"[Dd][Rr]\.? ?{_NAME}(?:[ ,]+(?:{_NAME}|and|of|&)){{0,6}}[ .!]*")
_TWO_NAMES = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]*[ .]*")

_CLAUSE = re.compile(r"[^,;:]*[,;:]+\s*")
_DEPENDENT = re.compile(
    r"(?:and|or|but|so|which|who|whom|whose|that|where|when|as|because|since|if|for|to|of|in|on|at"
    r"|with|from|about|regarding|including|like)\b"
)  # in small letters: after "Thanks for your query, If …" a sentence begins
_SITE_SIGNS = ("chat", "magic", "cliniq", "hcm")
_SIGNATURE_SIGNS = ("regards", "sincerely", "truly", "health", "best", "wishes")
_SIGNS = (
    "chat", "magic", "cliniq", "hcm", "thank", "welcome", "hope", "hoping", "free", "regards",
    "wish", "let me", "glad", "happy", "further", "hesitate", "revert", "gone through", "back",
)  # fmt: skip


def labels(text: str) -> tuple[str, int]:
    """Without the labels of a site's form ("Brief Answer:") and its notes on removed pictures."""
    if not any(sign in text for sign in ("nswer:", "nswer :", "ttachment", "nswered by", "Query")):
        return text, 0
    return _LABEL.subn("", text)


def promotion(text: str) -> tuple[str, int]:
    """Without sentences that send a patient to a page of the site or to its paid consultations."""
    text, referrals = _REFERRAL.subn("", text) if "online" in text else (text, 0)
    if "http" not in text and "www." not in text:
        return text, referrals
    kept, position, addresses = "", 0, 0
    for match in _ADDRESS.finditer(text):
        before = text[position : match.start()]
        kept += before[: _end_of_last_sentence(before)]  # no words that lead to nothing
        position, addresses = match.end(), addresses + 1
    return (kept + text[position:].lstrip(" .") if addresses else text), referrals + addresses


def formulas(text: str) -> tuple[str, int]:
    """Without greeting, sign-off and a site's thanks around and between a doctor's words.

    "Hello." or "Take care." alone is no formula of a site and stays; beside one it goes with it.
    """
    lowered = text.lower()
    if not any(sign in lowered for sign in _SIGNS):
        return text, 0
    spans = list(sentences(text))
    opening, closing = list[str](), list[str]()
    for start, end in spans:
        kind = _kind(text[start:end])
        if not kind:
            break
        opening.append(kind)
    first, last = len(opening), len(spans)
    while last > first:
        start, end = spans[last - 1]
        kind = _kind(text[start:end])
        if not kind and last == len(spans) and _TWO_NAMES.fullmatch(text, start):
            kind = "soft"  # a signature, when the sentence before it is a formula
        if not kind:
            break
        closing.append(kind)
        last -= 1
    cut, clauses = 0, 0
    if first < last:
        cut, clauses, hard = _greeting_clauses(text[slice(*spans[first])])
        opening += ["hard"] * hard
    if "hard" not in opening:
        first = cut = clauses = 0
    if "hard" not in closing:
        last = len(spans)
    named = [match.start() for match in _SITE.finditer(text)] if _mentions_site(lowered) else []
    kept, middle = list[str](), 0
    for start, end in spans[first:last]:
        sentence = text[start:end]
        if any(start <= place < end for place in named) and _kind(sentence) == "hard":
            middle += 1
        else:
            kept.append(sentence)
    removed = first + clauses + (len(spans) - last) + middle
    if not removed:
        return text, 0
    rest = "".join(kept)
    return _capital(rest[cut:]) if cut else rest, removed


def torn(text: str) -> tuple[str, int]:
    """Without the sentences that a lost name broke; unchanged when too little would be left."""
    if not has_placeholder(text):
        return text, 0
    spans = list(sentences(text))
    kept = [text[a:b] for a, b in spans if not has_placeholder(text[a:b])]
    if sum(map(len, kept)) < (1 - MAX_TORN_SHARE) * len(text):
        return text, 0
    return "".join(kept), len(spans) - len(kept)


def has_placeholder(text: str) -> bool:
    """Whether a name or words up to a full stop are missing from a text."""
    return "Chat Doctor" in text or "ChatDoctor" in text


def salutations(text: str) -> tuple[str, int]:
    """A patient's "Dear Chat Doctor" as the "Dear doctor" it was."""
    return re.subn(r"^((?i:hi|hello|hey|dear)\b,? ?)Chat ?Doctor\b\.?", r"\1doctor", text, count=1)


@lru_cache(maxsize=4096)  # sites repeat themselves
def _kind(sentence: str) -> str:
    """'hard' for a site's formula, 'soft' for a courtesy, '' for anything else."""
    if "?" in sentence or len(sentence) > 300:
        return ""
    if _BARE_SIGNATURE.fullmatch(sentence.strip()):
        return "soft"
    lowered = sentence.lower()
    plain = sentence.rstrip(" \n.!")
    if _mentions_site(lowered):
        plain = _SITE.sub(" site ", sentence).rstrip(" \n.!")
    if any(sign in lowered for sign in _SIGNATURE_SIGNS):
        plain = _SIGNATURE.sub(r"\1", plain)
    if "dr" in lowered:
        plain = _DOCTOR_NAME.sub("dr", plain)
    plain = _SALUTATION_NAME.sub(r"\1", plain).lower()
    if "hesitate" in plain or "consult" in plain:
        plain = _OFFER.sub("feel free", plain)
    words = _WORD.findall(plain)
    if not words or not _WORDS.issuperset(word.replace("’", "'") for word in words):
        return ""
    return "hard" if _HARD.search(plain) else "soft" if _SOFT.search(plain) else ""


def _mentions_site(lowered: str) -> bool:
    return any(sign in lowered for sign in _SITE_SIGNS)


def _greeting_clauses(sentence: str) -> tuple[int, int, bool]:
    """How far a greeting goes into a sentence that goes on after a comma: end, clauses, hard."""
    cut, count, hard = 0, 0, False
    for clause in _CLAUSE.finditer(sentence):
        kind = _kind(sentence[: clause.end()].rstrip(" ,;:"))
        if not kind:
            break
        cut, count, hard = clause.end(), count + 1, kind == "hard"
    if not hard or _DEPENDENT.match(sentence, cut):
        return 0, 0, False
    return cut, count, hard


def _end_of_last_sentence(text: str) -> int:
    """Where the last whole sentence of a text ends."""
    spans = list(sentences(text))
    if not spans or text.rstrip()[-1:] in ".!?":
        return len(text)
    return spans[-1][0]


def _capital(text: str) -> str:
    """The text with a capital first letter, where its first word is an ordinary one."""
    word = _WORD.match(text)
    return text[:1].upper() + text[1:] if word and word.group().islower() else text
