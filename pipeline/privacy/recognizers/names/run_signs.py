"""What stands before or behind a run of capitalised words and makes it a person, or none."""

from __future__ import annotations

import re

from medllm.pipeline.privacy.vocabulary import word_set

_LABELS = word_set(
    """
    patient pt client resident child infant caller contact provider physician attending
    surgeon pcp gp ordering submitting copy copies cc re regarding driver passenger sib
    sibling employee supervisor transcribed dictated signed technologist radiologist
    pathologist pharmacist coordinator pi nurse midwife witness spouse guardian kin
    proband prescriber author assistant interpreter mother father mom mum dad wife husband
    son daughter sister brother niece nephew aunt uncle grandmother grandfather grandma
    grandpa cousin partner friend neighbor neighbour caregiver carer proxy name attn
    attention consultant anesthesiologist anaesthetist therapist dentist resident intern
    fellow student trainee reviewer examiner operator scribe referring referrer insured
    subscriber policyholder beneficiary claimant applicant tenant parent parents subject
    participant donor recipient social_worker case_manager baby_of prepared_for
    dear consented doctor colleague dr mr mrs ms miss prof hi hello hey consultants
    attendings physicians providers surgeons nurses patients holder visitor kids twins
    sons daughters named ring phone page emailed bed user employer's boss gp partner's
    wrote kid worker labelled labeled sup rn lpn np hygienist counselor counsellor
    psychologist psychiatrist chaplain aide sender poa hcp hcpoa nok mpoa dpoa bb bg late
    emt paramedic officer coach pastor rabbi deputy detective judge landlord roommate boyfriend
    girlfriend fiance fiancee stepson stepdaughter grandson granddaughter godson goddaughter
    anesthesia anaesthesia consult preceptor navigator carers proxy agent attorney lawyer
    executor informant historian accompanied foster_mom foster_mother foster_father
    """
)
_BY = word_set(
    """
    requested read taken logged implanted reviewed verified seen referred signed performed
    placed prescribed accompanied written reported dictated transcribed authorized
    authorised entered collected drawn examined assisted staffed supervised witnessed
    administered checked called
    """
)
LABEL_WORDS = _LABELS
LAST_OF_A_LABEL = frozenset(word.rpartition("_")[2] for word in _LABELS) | word_set(
    "by with i behalf to w of under seeing on signed yours regards sincerely thanks for o d name s "
    "is was from"
)
"""The last word of every label; a number may end one too ("Bed 9 –")."""
LABEL = re.compile(
    rf"(?:(?<!\w)(?:{'|'.join(word.replace('_', ' ') for word in sorted(_LABELS))})"
    rf"(?:'s)?(?:[ ]?name)?|\b(?:{'|'.join(sorted(_BY))}) (?:by|with)|\bI,|\bon behalf of|"
    r"\b(?:(?:spoke|discussed|meeting|met|seen|plays|lives) (?:with|w/|to)|routed to|called to|"
    r"written to|write to|office of|under|pleasure of seeing|opinion on|signed|yours|regards|"
    r"sincerely|thanks|bed \w+|(?:to|from)(?=:)|ask for|report to|results to|c/o|f/u w/|d/w|w/))"
    r"(?:[ ](?:is|was)\b)?(?:[,.]|[ ]?[.]{3,})?[ \t]*[:/–|\-]?\s?[ ]*[(\[\"“]?$",
    re.IGNORECASE,
)
"""A label, a role or a relation right before the name."""
LINE_START = re.compile(r"(?:^|\n)[ \t]*(?:[-–*>|]+[ ]*|\d+[.)][ ]+)?$")
CREDENTIAL = re.compile(
    r",?[ ]*[(/]?(?:MD|M\.D\.?|RN|R\.N\.|DO|NP|PA-C|PA|LPN|LVN|PharmD|Ph\.?D\.?|CNM|DDS|FACP|FACS|"
    r"PNP|FNP|ARNP|CRNA|MBBS|FRCS|FRCP|MRCP|LCSW|MSW|DNP|APRN|DMD|PsyD|DPT|OTR|RDN|RPh|CNA|EMT|"
    r"PGY-?\d?|MA|BSN|MSN|PT|OT|RD|R\.Ph|physician|pharmacist|pathologist|consultant)\b"
)
PERSONAL = re.compile(
    r",?[ ]*(?:\(?(?:DOB|dob|d\.o\.b|D\.O\.B|MRN|born\b|aged?\b)|[,(]?[ ]?\d{1,3}[ ]?"
    r"(?:y\b|yo\b|y/o|yrs?\b|years?\b|year-old|[FM]\b|[mf]\b)|,[ ]\d{1,3}[,. ]|[ ]?\(\d{1,3}\)|"
    r"\(?[ ]?\(?\+?\d{3}[-. )]{1,2}\d{3}|first name|phone|ph\b|tel\b|"
    r"\(?(?:she|he|they|his|her|mother|father|wife|husband|son|"
    r"daughter|sister|brother|niece|nephew|goes by)\b)"
)
"""Age, date of birth, telephone number or relation right behind the name."""
SOFT_BEFORE = re.compile(
    r"(?:\b(?:with|by|to|from|for|and|or|ask|asked|call|called|calls|told|tell|tells|see|saw|met|"
    r"spoke|about|states|says|said|let|lets|did|does|is|has|that|if|when|seeing|of|via|gave|give|"
    r"thanks|thank you|visited|let|know|gave|reached|paged|page|texted|informed|updated|"
    r"notified)[ ]|"
    r"w/[ ]?|&[ ]|\()$",
    re.IGNORECASE,
)
SOFT_BEHIND = re.compile(
    r"['’]s (?!\w*(?:ease|drome|alsy|sign|test|oma|itis))|,?[ ](?:said|says|told|asked|asks|lives|"
    r"lived|works|worked|was (?:admitted|seen|born|present|told|discharged|informed|advised|"
    r"called)|"
    r"reports?|reported|denies|denied|called|calls|came|went|wants|agrees|agreed|declined|refused|"
    r"states|stated|slept|sleeps|turned|has (?:been|had|agreed)|will (?:call|bring|see|need|be|"
    r"return)|is (?:a|an|my|our|her|his|here|\d|doing|feeling|now|still|also|back|taking|having|"
    r"being|not|going|coming|able|due|awake|alert|very|well|in|on|off|at)|and (?:I|his|her|my)\b|"
    r"understands|verbalized|"
    r"complains|presented|presents|drew|thinks|feels|lets|needs|helps|brought|tolerated|"
    r"continues|remains|remained|appears|appeared|requested|requests|endorses|endorsed|admits|"
    r"notes|noted|verbalised|was (?:born|brought|taken|referred|transferred|given|started|"
    r"intubated|extubated|alert|able|not)|has (?:not|no|a|had|been)|had (?:a|an|no|been|his|her)|"
    r"will (?:need|go|stay|continue|follow|have)|can|started|stopped|fell|lost|gained|weighs|"
    r"moved|met|saw|tells|asks|did|does|died|passed|arrived|left|returned|walked|ate|drank|"
    r"vomited|cried|smiles|attends|sees|plays|enjoys|likes|loves)\b|"
    r",[ ](?:\d{1,3}|who)\b|[ ](?:driving|coming|going|taking|getting|feeling|having|doing|"
    r"eating|sleeping|staying|living|working|get|go|come|know|say|need|want|have|take|call|"
    r"still)\b|"
    r"[ ]in (?:your|our|the) (?:office|clinic|lab|pharmacy|front|billing)\b"
)
PERSON_BEFORE = re.compile(
    r"\b(?:ask|asked|tell|told|call|saw|met|(?:spoke|spoken|speak|speaking|talk|talked|talking) "
    r"(?:with|to)|(?:given|sent|wrote) to|"
    r"(?:email|call|letter|note|text|voicemail|referral|word) from|(?:visit|appointment) with|"
    r"ring|rang|phoned|texted|paged|"
    r"reached|visited|let|informed|updated|notified|states|States|thank|message from|[Ff]rom:|"
    r"left for|see|given|goes by|[Tt]hanks,|[Tt]hx,|[Hh]ey|[Hh]i|[Hh]ello|did|"
    r"wife of|husband of|son of|daughter of|mother of|father of)[ ]$|[\]] $"
)
"""A verb whose object is a person."""
KIN_BEHIND = re.compile(
    r"['’]s? (?:wife|husband|daughter|son|sister|brother|mother|father|mom|mum|dad|niece|nephew|"
    r"aunt|uncle|cousin|partner|teacher|cell|number|family|grandmother|grandfather|grandson|"
    r"granddaughter|boyfriend|girlfriend|caregiver|guardian|parents|kids|children|boss|voicemail|"
    r"phone|address|insurance|chart|appointment|birthday|daycare|school|scan)\b"
)
DRUG_SHAPE = re.compile(
    r"(?:stim|vir|etil|afil|mycin|xetin|statin|parin|sartan|profen|oxacin|coxib|astat|triptan|"
    r"gliptin|flozin|lukast|tinib|ximab|zumab|umab|cept|prost|tidine|prazole|setron|dronate|"
    r"thiazide|semide|lactone|olol|dipine|pam|lam|barbital|caine|curium|onium|mide|mine|dol|dil|"
    r"tron|phene|prim|zid|vudine|bine|clor|xime|cef|sone|lone|nide|rolac|rane|pran|toin|racetam|"
    r"enafil|inil|oids?|emia|uria|rrhea|algia|plasia|trophy|stenosis|sclerosis|megaly|lysis|"
    r"penia|cyte|cytes|cytosis|plasty|otomy|ostomy|opsy|graphy|metry|therapy|pnea|plegia|paresis|"
    r"thorax|cele|ectasis|phagia|opia|oma|omas|virus|coccus|bacter|ella|monas|myces|toxin[a-z]?|"
    r"gens?|ase|dase|lin|rin|xan|pine|pril|rone|trel|diol|gest|ecula|ellose|theca|spasm|ptosis|"
    r"edema|tensive|thelial|genic|ated|ates?|tal|nal|ral|cal|ent|tive|able|ible|al|ant|tory|ary)$"
)
"""Endings of drugs, substances, diseases, germs and adjectives."""
THING_BEHIND = re.compile(
    r"(?:['’]s?)?[ \-]?[ ]?(?:positive|negative|done|score|scale|index|grade|stage|class|type|"
    r"level|"
    r"test|tests|testing|tube|drain|boots?|card|line|figure|stockings|grip|ulcer|absent|present|"
    r"changed|tablets?|mg|mcg|ml|capsules?|cream|ointment|gel|drops|inhaler|spray|patch|syrup|"
    r"injection|vaccine|virus|wort|syndrome|disease|sign|signs|reduced|normal|intact|dose|"
    r"hospital|clinic|[Cc]ent(?:er|re)|[Ss]treet|[Rr]oad|[Aa]venue|[Cc]ounty|"
    r"angle|\d+(?:[.,/]\d+)?[ ]?(?:mg|mcg|ml|g|%|\.|;|,[ ]\d|$))(?![a-z])"
)
"""Findings, doses and places: the words before them are an eponym, a drug or a house."""
SPELLED = re.compile(r"(?<![\w\-])(?:[^\W\d_a-z][\-–. ]){2,}[^\W\d_a-z](?![\w\-])")
SPELLS = re.compile(r"\bspel(?:led|t|ling|l)\b", re.IGNORECASE)
INITIALS = re.compile(
    r"(?:\b(?:[Ii]nitials|[Tt]ranscribed|[Tt]yped|[Cc]onsented|[Pp]roband|[Ss]igned|[Ss]ubject|"
    r"(?:[Tt]aken|[Ll]ogged|[Rr]ecorded|[Ee]ntered|[Ss]igned|[Rr]eviewed|[Dd]one|[Ww]itnessed) by)"
    r"(?:[ ]by)?[ ]*:?[ ]*(?P<labelled>[A-Z]{2,3}|(?:[A-Z]\.[ ]?){2,3})(?![\w'’\-]))"
    r"|(?<![\w/.\-])(?P<credited>[A-Z]{2,3}|(?:[A-Z]\.){2,3})(?=[ ]?[/,]?[ ]?"
    r"(?:RN|LPN|rn|lpn|MD|PGY-?\d|NP|PharmD|RPh)\b)"
    r"|\b[Rr]e: ?(?P<about>[A-Z]{2,3})(?=,? \(?(?:MRN|DOB|dob|mrn|\d))"
    r"|(?:^|[\n(;]|[.] |\b[Pp]t\.? |\b[Pp]atient )(?P<dotted>(?:[A-Z]\.[ ]?){2,3})(?=[ ]|,|\)|\n|$)"
)
NO_INITIALS = word_set(
    """
    RN MD NP PA DO LPN ED ER OR IV IM PO TB HIV CT MR MRI US ICU ECG EKG EMG EEG MS PT OT
    AM PM OK ID NA DOB SOB ALL NO YES DR DNR FYI ASA BP HR CC HPI PMH ROS
    """
)
DRUG_FORMS = word_set("tab tabs syp syr inj cap caps oint susp supp")
"""What follows in the run is a drug of whatever name."""
SPECIES = word_set(
    """
    coli pylori difficile aureus pneumoniae albicans jejuni influenzae faecalis faecium
    gondii burgdorferi epidermidis pyogenes cereus aeruginosa vulgaris vaginalis
    trachomatis tuberculosis leprae catarrhalis baumannii monocytogenes botulinum
    perfringens cloacae mirabilis tetani falciparum vivax histolytica lamblia cholerae
    typhi marcescens diff
    """
)
SPELLING = frozenset(["spelled", "spelt", "spelling", "spell", "spells"])
INITIAL_WORDS = word_set(
    """
    initials transcribed typed consented proband signed subject taken logged recorded
    entered reviewed done witnessed rn lpn md pgy np pharmd rph pt patient pgy1 pgy2 pgy3
    """
)
