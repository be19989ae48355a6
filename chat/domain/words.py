"""Words of medicine that a small data set may not hold."""

from __future__ import annotations

import re

from medllm.pipeline.privacy.vocabulary import word_set

MEDICAL = word_set("""
abdomen abdominal abortion abscess abuse ache ache's aches aching acne acupuncture acute addiction
adhd adolescent adolescents adrenal adverse advil aerobic affective afib ageing aging agitation
agonist airway albumin albuterol alcohol alcoholism allele allergic allergies allergy alveolar
alzheimer's amblyopia ambulance ambulatory amlodipine amoxicillin amygdala anaemia anaesthesia
anal anatomical anatomy anemia anesthesia aneurysm angina ankle ankles antagonist antenatal
antibiotic antibiotics antibodies antibody antidepressant antidepressants antigen antimicrobial
anxiety anxious aortic apnea apnoea apoptosis appendix appetite arm arms arrhythmia arteries
artery arthritis arthroplasty aspirin asthma atorvastatin atrial audiology auditory autism
autoimmune babies baby back bacteria bacterial bandage barium belly bid bile biliary bilirubin
biomarker biomarkers biopsy bipolar birth bisoprolol bite bites bladder bleed bleeding blister
blisters bloated bloating blood blurry bmi bone bones booster bowel bowels bp brain breast
breastfeed breastfeeding breasts breath breathe breathing breathless broken bronchial bronchitis
bruise bruises bump burn burning burns bypass c/o caesarean caffeine calcium calf cancer cannabis
capsule cardiac cardiopulmonary caregiver caregivers carer carers caries cartilage cast cataract
cataracts catheter cecum cells cerebellar cerebral cervical cesarean chemo chemotherapy chest chf
chickenpox chills chiropractor chlamydia choke choking cholesterol chromosome chronic ckd clavicle
clinic clinical clot clots cocaine coccyx cochlear codeine cognition cognitive cohort cold colon
colonoscopy comorbidities comorbidity condom congenital constipated constipation contagious
contraception contraceptive convulsion copd cornea corneal coronary cortex cortical cortisol cough
coughing counseling counselling covid cramp cramps cranial cream creatinine cruciate crutches
crying ct cuff cure cyst cysts cytokine deaf delusions dementia dental dentist dentures depressed
depression dermatology diabetes diabetic diagnosed diagnosis dialysis diarrhea diarrhoea
diclofenac diet dietary disability disabled disc discharge discomfort disease diseases disorder
distress dizziness dizzy dm dna doctor doctors dopamine dosage dose doses drinkers drinking drug
drugs duodenum dx ear ears ecg eclampsia eczema edema efficacy ekg elbow elderly electrocardiogram
electrolyte embolism embryo embryonic emergency endometrial endoscopy endothelial enema enemas
enzyme enzymes epidemic epidemiological epidemiology epilepsy episiotomy epithelial erectile
erection esophageal esophagus estrogen excision exhausted eye eyelid eyes faint fainted fainting
fatigue femoral femur fertility fetal fetus fever feverish fibrillation fibula finger fingers flu
flushes foot fracture fractured frailty gaba gabapentin gait gallbladder gangrene gastric gene
genes genetic genital genotype geriatric gestation gestational gland glands glaucoma glomerular
glucose glutamate glycemic gout gp graft grafts grief groin gum gums haemoglobin haemorrhage
hallucinations harm hba1c hdl headache headaches health healthcare healthy hearing heart heartburn
hemoglobin hemorrhage hemorrhoids hepatic hepatitis hereditary hernia heroin herpes hip
hippocampus hips hiv hives hoarse hormone hormones hospice hospital hospitalisation
hospitalization hospitalized hr htn humeral humerus hurt hurting hurts hx hygiene hypertension
hypertensive hypothalamus ibuprofen icu ige igg ileum ill illness immune immunisation immunization
immunizations impairment impairments impalpable implant implants incidence incubation infant
infants infarction infected infection infections infertility inflammation inflammatory influenza
inhaler inhibitor inhibitors injection injections injured injuries injury inpatient insomnia
insulin intake intensive interleukin intestinal intubation ischaemia ischemia ischemic itch
itching itchy iud iv ivf jaw jejunum joint joints ketones kidney kidneys kinase knee knees lab
labor labour labs lactate laparoscopic ldl leg legs lesion lesions leukemia leukocytes
levothyroxine libido lice ligament ligaments lipid lipids lisinopril liver lonely lumbar lump
lumps lung lungs lupus lymph lymphocytes lymphoma macular magnesium malaria malnutrition mammogram
mandible massage maternal maternity maxilla mcg measles mediastinal medical medicated medication
medications medicine medicines membrane meniscus menopause menstrual menstruation mental
mesenteric metabolic metabolism metastasis metformin methotrexate mg midwife migraine miscarriage
mitochondria mitochondrial mitral ml mobility molar mole moles mood moods morbidity morphine
mortality mri mucosa mucosal mucus multicenter mumps muscle muscles mutation mutations myocardial
myopia naproxen nasal nausea nausea's nauseous neck neglect neonatal neonate neonates nephron
nerve nerves neurological neurology neurotransmitter neutrophils newborn newborns nhs nicotine
nicu nightmares nodule nodules nose nostril numb numbness nurse nurses nursing nutrition
nutritionist obese obesity obesogenic obsessive obstruction occlusion oedema oesophagus ointment
omeprazole oncology opioid opioids optic organs orthodontic orthostatic orthotic osteoporosis
outcomes outpatient ovarian ovaries ovary overweight oxidative oxycodone oxygen pacemaker
paediatric pain painful painkiller painkillers pains palate palliative palpable palpitations
pancreas pancreatic pandemic panic pap paracetamol paralysis paramedic paramedics parkinson's
patella pathway patient patients pediatric pee pelvic pelvis penicillin penis perforation
perinatal period periodontal periods peritoneum pharmaceutical pharmacist pharmacological pharmacy
phenotype phlegm physician physicians physio picu piles pill pills pituitary placebo placenta
placental plasma platelets pleural pneumonia polio polymorphism polyp polyps poo postnatal posture
potassium practitioner practitioners predictor predictors prednisolone prednisone preeclampsia
pregnancy pregnant premature prenatal prescribe prescribed prescribing prescription pressure
preterm prevalence prn prognosis prospective prostate prosthesis prosthetic protein psoriasis
psychiatric psychological psychosis puberty pulmonary pulse pus qid quarantine rabies radiation
radiotherapy ramipril randomized rash readmission receptor rectal rectum recurrent refer referral
referred reflux rehab rehabilitation reimbursement relapse remedy remission renal resection
respiratory resuscitation retina retinal retrospective rib ribs risk rna rotator rx sacral
sagittal salbutamol sarcopenia scabies scald scalp scan scapula scar scars schizophrenia sciatica
sclerosis scoliosis screening scrotum sedation seizure seizures self- sensitivity sepsis septal
serotonin sertraline serum sexual shaking shingles shoulder shoulders sick sigmoid sinus sinuses
skin skull sleep sleeping smear smoke smoker smoking sneeze sneezing snore snoring sob sodium
sonography sore specialist specialists specificity spinal spine spirometry spleen splenic sprain
sprained sputum ssri statin statins std stenosis stent sternal sternum steroid steroids sti sting
stitches stomach stool stools strabismus stress stressed stroke stromal stung substance sugar
suicidal suicide supplements surgeon surgeons surgery surgical survival sutures swallow swallowing
sweat sweating sweats swell swelling swollen sx symptom symptoms synaptic syndrome syphilis
tablets teeth temp temperature tendon testicle testicles testicular testosterone tetanus therapist
therapy thigh thirst thirsty thoracic throat thrombosis thyroid tibia tibial tid tidal tingling
tinnitus tired tissue tissues tobacco toddler toe toenail toes tomography tongue tonsil tonsils
tooth toxic toxicity tramadol transplant trauma traumatic treat treatment treatments tremor
tremors triage tricuspid triglycerides trimester tuberculosis tubular tummy tumor tumors tumour tx
tylenol ulcer ulcers ulna ultrasound umbilical undescended unwell urea ureter urethra urinary
urinate urinating urine uterus uti utis vaccinated vaccination vaccine vaccines vagina vaginal
vein veins ventilator ventricular vertebra vertebral vertigo vestibular violence viral virus
vision visual vitamin vitamins voice vomit vomited vomiting ward warfarin wart warts wax weak
weakness weight wheelchair wheeze wheezing withdrawal womb worms wound wounds wrist x-ray xray
""")
# Words of a study's question: two of them make it likely that it is one.
STUDIES = word_set("""
accuracy accurate adult adults affect affects aged analysis assess assessment associated
association associations attitudes awareness behavior behavioral behaviors behaviour behavioural
behaviours beneficial benefit benefits campaigns care case community compare comparison correlate
correlated correlates correlation countries dangerous deficit delivery determinant determinants
development early education effect effective effectiveness effects efficacy emotional
environmental equations equivalent ethnic evaluation evidence factor factors feasibility feasible
gender impact impacts improve improvement improves increase increased increases indigenous
inequalities influence influenced influences intervention interventions knowledge late level
levels life long- management measurement men minority necessary older outcome outcomes performance
persistent population populations practice practices predict prediction predictor predictors
predicts prematurely primary quality race reduce reduces reduction reliability reliable review
role routine rural secondary series short-term socioeconomic strategy studies study term training
transmission trial trials useful utility valid validity women younger youth
""")
_SCIENCE = re.compile(
    r"(?:itis|osis|oses|emia|aemia|oma|omas|ectomy|ostomy|otomy|scopy|scopic|pathy|pathic|plasty|algia"
    r"|uria|rrhea|rrhoea|plegia|paresis|genic|lysis|megaly|trophy|cyte|cytes|blast|penia|philia"
    r"|mycin|cillin|azole|olol|pril|sartan|statin|vir|mab|nib|oxetine|pam|zepam|caine|dipine|gliptin"
    r"|gliflozin|ology|ologist|iatric|iatrics|iatrist|ceutical|cardia|cardial|vascular|neural|neuro\w+"
    r"|cardio\w*|hemo\w+|haemo\w+|gastro\w+|hepat\w+|nephro\w+|osteo\w+|immun\w+|onco\w+|patho\w+)$"
)
_NOT_SCIENCE = word_set("""
aroma diploma oklahoma geology archaeology technology biology ecology astrology ideology mythology
trophy comas apology terminology meteorology april osmosis photogenic analysis catalysis
electrolysis hydrolysis methodology chronology
""")


def is_medical_word(word: str) -> bool:
    """Whether a word (lower case) is medical by itself: on the list, or built as only terms are."""
    if word in MEDICAL or (word.endswith("s") and word[:-1] in MEDICAL):
        return True
    return len(word) > 6 and word not in _NOT_SCIENCE and _SCIENCE.search(word) is not None
