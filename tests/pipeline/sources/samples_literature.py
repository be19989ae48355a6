"""Small valid files of the sources made from literature."""

import json

from tests.pipeline.sources.samples import Sample

PATIENT = {
    "patient_id": "0",
    "patient_uid": "1000001-1",
    "PMID": "1000001",
    "file_path": "comm/PMC001/PMC1000001.xml",
    "title": "A case of “blue” toes",
    "patient": "A boy came with blue toes after he had played in the snow.",
    "age": [[1.0, "year"], [2.0, "month"]],
    "gender": "M",
    "relevant_articles": {"1000001": 1, "1000002": 2},
    "similar_patients": {"1000002-1": 1},
}
CLOZE = {
    "abstracts": ['"AIM: @entity9 is a @entity10 . @entity1 were asked about their @entity10 ."']
    * 2,
    "titles": ["Sleep and XXXX in adults .\n", "XXXX after a bad night .\n"],
    "entities_list": [
        [
            "@entity1 :: ('9606', 'Species') :: ['patients']",
            "@entity10 :: ('MESH:D000010', 'Disease') :: ['headache', 'Headache']",
            "@entity9 :: ('MESH:D000009', 'Disease') :: ['Neuralgia', 'neck neuralgia']",
        ],
        ["@entity0", "@entity1", "@entity10"],
    ],
    "answers": ["@entity9 :: (MESH:D000009,Disease) :: ['neck neuralgia']\n", "@entity1"],
}
CASE_REPORT = {
    "version": "1.0",
    "data": [
        {
            "source": "bcr.00.2000.0001",
            "document": {
                "title": "A rash that BEG__came back__END",
                "context": "A woman had a BEG__red rash__END after BEG__swimming__END.",
                "qas": [
                    {
                        "id": "1",
                        "query": "A BEG__rash__END may follow @placeholder .",
                        "answers": [
                            {"text": "bathing", "cui": "C1", "sem_type": "T1", "origin": "UMLS"},
                            {
                                "text": "swimming",
                                "cui": "C1",
                                "sem_type": "T1",
                                "origin": "dataset",
                            },
                        ],
                    },
                    {
                        "id": "2",
                        "query": "@placeholder may follow swimming .",
                        "answers": [{"text": "a rash", "origin": "dataset"}],
                    },
                ],
            },
        }
    ],
}
PUBMEDQA = {
    "10000001": {
        "QUESTION": "Does a walk after lunch help sleep?",
        "CONTEXTS": ["Sleep is often bad.", "Forty adults walked after lunch."],
        "LABELS": ["BACKGROUND", "METHODS"],
        "MESHES": ["Sleep"],
        "YEAR": None,
        "reasoning_required_pred": "yes",
        "reasoning_free_pred": "yes",
        "final_decision": "yes",
        "LONG_ANSWER": "Those who walked slept better.",
    },
    "10000002": {
        "QUESTION": "Is noise bad for plants?",
        "CONTEXTS": ["Plants stood beside a road."],
        "LABELS": ["METHODS"],
        "LONG_ANSWER": "They grew as well as the others.",
    },
}
HEALTHQA = (
    "1\tWhat is a stye?\tA stye is a lump on the eyelid.\r\n1\tIs it rare?\tNo, it is common.\n"
)

SAMPLES = {
    "biomrc": Sample("train.json.gz", json.dumps(CLOZE).encode(), kept=2),
    "bioread": Sample("lite.json", json.dumps(CLOZE, indent=1).encode(), kept=2),
    "clicr": Sample("dev1.0.json", json.dumps(CASE_REPORT, separators=(",", ":")).encode(), kept=2),
    "healthqa": Sample("pinfo.txt", HEALTHQA.encode(), kept=2),
    "pmc_patients": Sample("V2.json", json.dumps([PATIENT] * 2, indent=4).encode(), kept=2),
    "pubmedqa": Sample("ori_pqal.json", json.dumps(PUBMEDQA, indent=4).encode(), kept=2),
}
