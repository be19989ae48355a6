"""Small valid files of the sources made from records; every patient in them is invented."""

import json

from tests.pipeline.sources.samples import Sample

PAIRS = [
    {"question": "Why did the patient come?", "answer": "For knee pain after a fall."},
    {"question": "What did the film show?", "answer": "No fracture."},
]
NOTE_QA = [
    {"subject_id": 90000001, "hadm_id": 20000001, "qa_pairs": PAIRS},
    {"subject_id": 90000002, "hadm_id": 20000002, "qa_pairs": PAIRS[:1]},
]
NOTES = """\
note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text
90000001-DS-1,90000001,20000001,DS,1,2150-01-01 00:00:00,2150-01-02 00:00:00," \n\
Name:  ___\n \nChief Complaint:\nknee pain after a fall, ""bad""\n \nNo fracture on the film.\n"
90000002-DS-2,90000002,20000002,DS,2,2151-01-01 00:00:00,,"Chief Complaint:\nknee pain"
"""
LABELS = "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,"
LABELS += "Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,"
LABELS += "Fracture,Support Devices"
CHEXPERT = f"""\
Path,Sex,Age,Frontal/Lateral,AP/PA,{LABELS}
CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,\
1.0,,,,,,,,,0.0,,,,1.0
CheXpert-v1.0-small/train/patient00002/study2/view2_lateral.jpg,Male,87,Lateral,,\
,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,
"""
CHEXPERT_PLUS = """\
path_to_image,path_to_dcm,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,report,\
section_findings,section_impression,age,sex,split
train/patient00001/study1/view1_frontal.jpg,train/patient00001/study1/view1_frontal.dcm,Frontal,AP,\
patient00001,1,"FINDINGS: clear.\nIMPRESSION: 1. NO CHANGE.","\n The lungs are clear, as before.",\
"1.  NO CHANGE.\n",68.0,Female,train
train/patient00002/study1/view1_frontal.jpg,train/patient00002/study1/view1_frontal.dcm,Frontal,PA,\
patient00002,1,whole,Low volumes.,LOW VOLUMES.,54.0,Male,train
"""

SAMPLES = {
    "chexpert": Sample("train.csv", CHEXPERT.encode(), kept=2),
    "chexpert_plus": Sample("df_chexpert_plus_240401.csv", CHEXPERT_PLUS.encode(), kept=2),
    "ehr_ds_qa": Sample(
        "mimic_iv_note_qa.json", json.dumps(NOTE_QA).encode(), notes=NOTES.encode(), kept=2
    ),
}
