# SPDX-License-Identifier: Apache-2.0
"""Reports, letters and header texts with identifiers at marked places, for the free-text benchmark.

``{…}`` marks an identifier; everything else is harmless and has to stay. None of the sentences occurs in
the generator that the token classifier is trained on.
"""

from __future__ import annotations

REPORTS = (
    """CT THORAX WITH INTRAVENOUS CONTRAST

Patient Name: {patient}
Medical Record Number: {mrn}
Date of Birth: {dob}
Accession #: {accession}
Referring Physician: {referrer}

CLINICAL INDICATION: 67-year-old woman with biopsy-proven adenocarcinoma, for restaging after four cycles of carboplatin.

COMPARISON: CT dated {date}, PET-CT from {date2}.

FINDINGS: The spiculated nodule in the apicoposterior segment of the left upper lobe now measures 18 x 14 mm (formerly 23 x 19 mm). Subcarinal lymph nodes have regressed, short axis 8 mm. Ground-glass opacities in the lingula persist. No osteolytic lesion. Coronary artery calcification is noted. The adrenal glands are unremarkable.

IMPRESSION:
1. Partial response by RECIST 1.1.
2. No new metastasis.

Results were telephoned to Dr. {other_family} at {phone} on {date3}.
Electronically signed by {other}, MD""",
    """Dear Dr. {other_family},

I had the pleasure of reviewing {Mr} {family} on {date}. {He} is a retired welder who lives at {address}. {He} has Parkinson's disease and a Baker cyst behind the left knee. MRI of the lumbar spine performed at {hospital} shows Schmorl nodes at L2 and L3, moderate facet arthropathy and a small synovial cyst. Price of conservative treatment was discussed; short courses of physiotherapy will be tried first.

{His} daughter {relative} can be reached at {phone}, or by e-mail: {email}.

With kind regards,

{other}
Consultant Neurologist""",
    """MAMMOGRAM, BILATERAL, DIAGNOSTIC. {given} {family} presents with a palpable lump at the 2 o'clock position of the right breast, 4 cm from the nipple. Breast density: heterogeneously dense (ACR C). There is an obscured, oval mass with a few punctate microcalcifications. Targeted ultrasound demonstrates a hypoechoic, parallel lesion of 11 mm. BI-RADS 4A. Stereotactic core needle biopsy was recommended to {Mrs} {family}, who agreed. cc: {other}; {referrer}""",
    """XR HAND RT 3V
Hx: fell on outstretched hand. Pt {family_upper}, {given_upper} / MRN {mrn} / seen in room {room}
FINDINGS: Oblique fracture through the shaft of the fifth metacarpal with volar angulation of 35 degrees. No dislocation. Soft tissue swelling. Joint spaces preserved.
IMP: Boxer fracture.
Dictated: {other_initials} {date}""",
    """OB ULTRASOUND. LMP {date}. Patient {given} {family} is gravida 3, para 2. Single live intrauterine gestation in cephalic presentation. Biparietal diameter 47 mm, femur length 33 mm, corresponding to 20 weeks and 3 days. Estimated date of delivery {date2}. Placenta anterior, grade 1, no previa. Amniotic fluid index 14 cm. Four-chamber view and outflow tracts appear normal. Scan performed by {other}, RDMS at {hospital}.""",
    """MRI BRAIN: Multiple T2/FLAIR hyperintense foci perpendicular to the corpus callosum (Dawson fingers), two of them enhancing after gadobutrol. In a 34 y/o female with optic neuritis this fulfils the McDonald criteria for dissemination in space and time. Findings discussed with {Mrs} {family} and her partner {relative}. Neurology (Dr {other_family}) informed by phone, {phone}. See also {url}.""",
    """Procedure: ultrasound-guided paracentesis. Operator: {other}. Consent was obtained from {patient}. Under sterile conditions a 5 French Yueh catheter was advanced into the left lower quadrant; 3.2 L of straw-coloured fluid were drained. Specimen {specimen} sent for cytology, albumin, and culture. Child-Pugh B cirrhosis, Caroli disease excluded. No complication.""",
    """Bone scan with 740 MBq Tc-99m MDP. {family}, {given} ({dob}), NHS No. {ssn}. Increased uptake in the right sixth rib, L4 vertebral body and left acetabulum, suspicious for osseous metastases. Photopenic defect in the right hip corresponds to the prosthesis. PSA rose from 4.2 to 18.6 ng/mL since {month_year}. Gleason score 4+3=7.""",
    """TRANSTHORACIC ECHO
Name: {given} {middle}. {family}   ID {mrn}   Exam date {date}
Left ventricular ejection fraction 35 % (biplane Simpson). Global hypokinesis. Mitral regurgitation, moderate, ERO 0.3 cm2. TAPSE 14 mm. Doppler shows E/e' of 16. Right atrial pressure 10 mmHg. No thrombus. Small pericardial effusion without tamponade.
Sonographer: {relative} {other_family}. Read by {referrer}.""",
    """Follow-up of abdominal aortic aneurysm. {Mr} {given} {family}'s aneurysm has grown from 42 mm ({date}) to 47 mm ({date2}). Iliac arteries are ectatic. Known horseshoe kidney. Gallstones without cholecystitis. {family} was advised by Professor {other_family} to stop smoking. His general practitioner, {referrer}, practises at {address}. Policy number {policy}.""",
    """ADDENDUM {date}: The prior report erroneously listed the name as {typo}. Correct: {given} {family}. On re-review, there is a subtle nondisplaced fracture of the scaphoid waist. {Mrs} {other_family}, RN, was notified at extension {ext}.""",
    """EMERGENCY CT HEAD. 94M found down. {FAMILY_FIRST_UPPER}. NO ACUTE INTRACRANIAL HEMORRHAGE, MASS EFFECT OR MIDLINE SHIFT. CHRONIC SMALL VESSEL ISCHEMIC CHANGES. MILD CEREBRAL VOLUME LOSS. ORBITS ARE UNREMARKABLE. MASTOID AIR CELLS ARE CLEAR. FINDINGS WERE CALLED TO DR. {other_family_upper} AT 03:15 ON {date}.""",
    """Befund CT Abdomen vom {date_de}

Patient: {patient}, geb. {dob_de}
Zuweiser: {referrer}

Fragestellung: Verlaufskontrolle bei bekanntem Nierenzellkarzinom.
Befund: Leber normal groß, keine fokale Läsion. Milz, Pankreas und Nebennieren unauffällig. Zyste im linken Nierenoberpol, 22 mm. Keine vergrößerten Lymphknoten. Degenerative Veränderungen der Lendenwirbelsäule.
Beurteilung: Kein Hinweis auf ein Rezidiv.

Mit freundlichen Grüßen
Dr. med. {other}""",
    """Compte rendu : scanner thoracique du {date_fr}.
Patiente : {patient}. Médecin traitant : {referrer}.
Indication : bilan d'une toux chronique.
Résultats : nodule du lobe supérieur droit mesurant 9 mm, sans calcification. Pas d'épanchement pleural. Petites adénopathies médiastinales. Foie et rate sans particularité.
Conclusion : nodule suspect, contrôle dans 3 mois.
Dr {other}""",
    """Informe de resonancia magnética de rodilla izquierda, {date_es}.
Paciente: {patient}. Médico solicitante: {referrer}.
Hallazgos: rotura del menisco interno, derrame articular moderado, ligamento cruzado anterior conservado. Edema óseo en la meseta tibial. Quiste de Baker pequeño.
Conclusión: rotura meniscal.
Firmado: {other}""",
    """Протокол исследования от {date_ru}
Пациент: {patient_ru}
Направивший врач: {referrer_ru}
В легких очаговых и инфильтративных изменений не выявлено. Корни структурны. Сердце не расширено. Синусы свободны.
Заключение: норма.""",
    """患者名：{patient_ja}様
検査日：{date_ja}
胸部CT：右肺上葉に15mmの結節を認める。胸水なし。縦隔リンパ節の腫大なし。
依頼医：{other_ja}先生""",
    """患者姓名：{patient_zh} 检查日期：{date_ja} 双肺纹理清晰，未见明显结节。心影不大。报告医生：{other_zh}""",
    """환자명: {patient_ko} 검사일: {date_ko}
우상엽에 결절이 있음. 흉수 없음. 판독의: {other_ko}""",
)

HEADER_TEXTS = (
    "CT Thorax Abdomen {family}",
    "{family} {given} knee left",
    "{lower_family} {lower_given} f/u nodule",
    "Chest PA per Dr {other_family}",
    "MR Brain w/wo, call {phone} when done",
    "{patient_id_form} prior {date}",
    "T2 TSE SAG for {Mrs} {family}",
    "{given}'s scan repeated, motion",
    "US Abdomen {upper_family}^{upper_given}",
    "hx of breast ca, ref {other}, {hospital}",
    "{initials_dotted} short axis cine",
    "DWI b1000 ADC, MRN {mrn}",
    "Research subject {joined}, arm A",
    "protocol changed by {other}, RT",
    "Patient unable to hold breath; mother {relative} present",
    "Import from CD {path}",
    "Accession {accession} merged",
    "{split_family} ankle 2 views",
    "moved from {city_address}",
    "Exam done {date} for {accentless}",
    "Parkinson tremor, DaTSCAN 185 MBq",
    "Ground glass nodule follow up 6 months",
    "Short TI inversion recovery coronal",
    "Young adult, stone protocol, low dose",
    "Hodgkin lymphoma, interim PET",
    "Wilson disease, liver elastography",
    "Field cancerization, narrow band",
    "Cook catheter exchange 10 Fr",
    "Rose Bengal stain, cornea",
    "Frank hematuria, CT urogram",
)
