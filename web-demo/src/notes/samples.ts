/** Sample notes, invented for this page. They describe nobody. */
export interface Sample {
  id: string;
  specialty: string;
  /** One line on the card. */
  about: string;
  text: string;
}

/** One a specialty, offered while there is no note. */
export const SAMPLES: readonly Sample[] = [
  {
    id: "medicine",
    specialty: "Internal medicine",
    about: "Pneumonia in a patient with diabetes",
    text: `Discharge summary

Reason for admission: Cough with green sputum and fever for four days.

History: 71-year-old man with type 2 diabetes mellitus, on metformin, essential hypertension and hyperlipidemia. Former smoker, 30 pack-years, quit in 2009. He denies chest pain and has no history of asthma.

Examination: Temperature 38.7, saturation 90% on room air. Crackles over the right base.

Course: Chest film showed consolidation of the right lower lobe. He was treated for community-acquired pneumonia with ceftriaxone and azithromycin and needed two liters of oxygen for two days for acute hypoxic respiratory failure. Creatinine rose to 1.9 on day two; acute kidney injury was put down to dehydration and resolved with fluids. Glucose ran high, up to 290, on a sliding scale of insulin. 

Discharge: Home on amoxicillin-clavulanate for five days. Continue metformin, lisinopril and atorvastatin. Chest film again in six weeks.`,
  },
  {
    id: "cardiology",
    specialty: "Cardiology",
    about: "Heart failure and atrial fibrillation",
    text: `Cardiology clinic, follow-up

68-year-old woman with chronic systolic heart failure (ejection fraction 32%), persistent atrial fibrillation on apixaban, and coronary artery disease with a stent to the LAD in 2019.

Over the last three weeks she gained 5 kg and is short of breath on one flight of stairs. She sleeps on three pillows. No angina, no syncope, no bleeding.

On examination blood pressure 148/86, pulse 96 and irregular. Jugular veins full to the jaw, bilateral pitting edema to the knees, fine crackles at both bases.

NT-proBNP 5,400. ECG: atrial fibrillation, no new ischemia. Potassium 3.2.

Assessment: Acute on chronic systolic heart failure, most likely from missed torasemide during travel. Hypokalemia. Hypertension not at goal.

Plan: Furosemide 80 mg twice daily, potassium chloride, restart sacubitril-valsartan at the low dose. Long-term anticoagulation continues. Review in one week.`,
  },
  {
    id: "emergency",
    specialty: "Emergency medicine",
    about: "Fall with a broken wrist",
    text: `Emergency department note

Time seen 21:40. 82-year-old woman, tripped over a rug at home and fell on her outstretched left hand. Did not hit her head, no loss of consciousness. Takes alendronate for postmenopausal osteoporosis.

Left wrist swollen with a dinner-fork deformity, skin closed. Sensation and capillary refill intact. No tenderness of elbow or hip. A superficial abrasion over the left forearm was cleaned.

X-ray: displaced fracture of the distal left radius with dorsal angulation (Colles' fracture). No fracture of the scaphoid.

Hematoma block with lidocaine, closed reduction, plaster splint. Check film shows good alignment. Pain controlled with acetaminophen.

Tetanus is up to date. Home with her daughter, fracture clinic in five days. Told to come back with numb fingers or a tight splint. Fall risk discussed, rugs to be removed.`,
  },
  {
    id: "psychiatry",
    specialty: "Psychiatry",
    about: "Depression with insomnia and alcohol use",
    text: `Outpatient psychiatry, first visit

34-year-old teacher referred for low mood of eight months. He feels empty, has lost interest in music and friends, wakes at 3 a.m. most nights, eats little and has lost 6 kg. Guilt about "letting the class down". He had passive thoughts that life is not worth it, without plan or intent. One earlier episode of depression at 26, treated with sertraline.

Worries all day about money and health, tense, cannot switch off. No panic attacks. No mania or psychosis in his history.

Alcohol: half a bottle of wine on most evenings to fall asleep, more at weekends; has tried to cut down twice. Does not smoke, no other drugs.

Mental state: neat, slowed, tearful. Speech low. No delusions, oriented.

Impression: Major depressive disorder, recurrent, moderate. Generalized anxiety disorder. Insomnia. Alcohol use, harmful pattern, dependence to be assessed.

Plan: Restart sertraline 50 mg, CBT referral, safety plan agreed, alcohol counseling. See in two weeks.`,
  },
  {
    id: "obstetrics",
    specialty: "Obstetrics",
    about: "Delivery with gestational diabetes",
    text: `Labor and delivery summary

29-year-old G2P1 at 38 weeks and 5 days. Pregnancy with gestational diabetes controlled by diet and anemia of pregnancy treated with oral iron. Group B streptococcus carrier.

Admitted in spontaneous labor, 5 cm. Penicillin given for GBS. Epidural at her wish. Progressed to full dilation in six hours.

Spontaneous vaginal delivery of a live singleton girl, 3,620 g, Apgar 8 and 9. Second-degree perineal laceration repaired with absorbable suture. Placenta complete. Estimated blood loss 700 mL with a boggy uterus: postpartum hemorrhage due to atony, which settled with massage, oxytocin and misoprostol. Hemoglobin next morning 8.9 g/dL.

Mother and baby well. Breastfeeding. Glucose test at six weeks. Iron continued. Contraception discussed, she will decide at the postpartum visit.`,
  },
  {
    id: "pediatrics",
    specialty: "Pediatrics",
    about: "Asthma attack and ear infection",
    text: `Pediatric acute visit

6-year-old boy with moderate persistent asthma and eczema. Two days of runny nose, since last night wheeze and cough, cannot finish a sentence. Salbutamol every three hours with short relief. Left ear hurts. Allergic to peanuts (hives). Vaccines complete. Nobody smokes at home.

Weight 21 kg, temperature 38.1, respiratory rate 38, saturation 92%. Intercostal retractions, wheeze over both lungs. Left eardrum red and bulging. Flexures dry and scratched.

Salbutamol and ipratropium by spacer three times, prednisolone 1 mg/kg. After an hour saturation 96%, rate 26, talks in sentences.

Assessment: Acute exacerbation of moderate persistent asthma after a viral upper respiratory infection. Acute suppurative otitis media, left. Atopic dermatitis.

Plan: Prednisolone three days, amoxicillin seven days, step up to a daily inhaled steroid, asthma action plan given and shown. Emollient twice daily. Recheck in 48 hours.`,
  },
  {
    id: "surgery",
    specialty: "General surgery",
    about: "Gallbladder removed",
    text: `Operative and discharge note

Diagnosis: Acute cholecystitis with gallstones.

54-year-old woman with obesity (BMI 37) and gastroesophageal reflux. Admitted with 24 hours of right upper quadrant pain, nausea and vomiting after a rich meal. Murphy's sign positive. White cells 15.8, bilirubin normal, lipase normal. Ultrasound: several stones, wall 6 mm, fluid around the gallbladder, common duct 4 mm.

Operation: Laparoscopic cholecystectomy. Dense adhesions from an earlier appendectomy were divided. Critical view obtained. A drain was not needed. Blood loss 50 mL.

After the operation she had an ileus for a day and urinary retention that needed a catheter for one night. Both resolved. Wound clean. 

Discharged on day three on a soft diet, omeprazole 20 mg, acetaminophen as needed. Pathology pending. Stitches out in ten days.`,
  },
  {
    id: "neurology",
    specialty: "Neurology",
    about: "Stroke with weakness and aphasia",
    text: `Stroke unit, summary

76-year-old right-handed man, found at 07:10 with a weak right arm and no words; last seen well at 23:00. Known hypertension and atrial fibrillation, anticoagulation stopped in spring after a nosebleed. Current smoker.

NIHSS 14: right hemiparesis, facial droop on the right, expressive aphasia, dysarthria. CT without hemorrhage. CT angiography: occlusion of the left middle cerebral artery, M1. Mechanical thrombectomy with full reperfusion at 09:02.

MRI: acute ischemic infarction in the territory of the left middle cerebral artery, cardioembolic. Swallow test failed on the first day: dysphagia, thickened fluids, no aspiration pneumonia.

At discharge NIHSS 5, walks with a stick, speech in short phrases. Apixaban from day six. Statin. Nicotine replacement. To inpatient rehabilitation.`,
  },
  {
    id: "nephrology",
    specialty: "Nephrology",
    about: "Chronic kidney disease with anemia",
    text: `Nephrology clinic

63-year-old man with chronic kidney disease stage 4 (eGFR 22) from diabetic nephropathy, type 2 diabetes for 19 years with retinopathy and peripheral neuropathy, long-term insulin. Hypertensive. Gout, last flare in March.

Feels tired, itches at night. Appetite fair. No chest pain, no swelling since the last change of diuretic.

Blood pressure 152/80. No edema. Feet: reduced feeling to the ankles, no ulcer.

Hemoglobin 9.4, ferritin 80: anemia in chronic kidney disease with iron deficiency. Phosphate 5.6, PTH 310: secondary hyperparathyroidism. Potassium 5.7: hyperkalemia. Bicarbonate 18: metabolic acidosis. Uric acid 8.9. 

Plan: Intravenous iron, then epoetin. Sevelamer with meals, sodium bicarbonate, potassium-poor diet and patiromer. Vein mapping and talk about dialysis and transplant. Allopurinol 100 mg.`,
  },
  {
    id: "oncology",
    specialty: "Oncology",
    about: "Breast cancer under chemotherapy",
    text: `Oncology day clinic

49-year-old woman with invasive ductal carcinoma of the left breast, upper outer quadrant, hormone receptor positive, HER2 negative, with metastasis to the left axillary lymph nodes. Third of six cycles of chemotherapy today. Mother had breast cancer at 51.

Since the second cycle nausea for three days despite ondansetron, mouth sores, and numb fingertips. Fever of 38.6 last week; neutrophils were 0.4, febrile neutropenia was treated in hospital for four days. Today no fever.

Port site clean. Oral mucosa healed. Weight 61 kg (-3). Neutrophils 2.1, hemoglobin 10.2, platelets 190.

Assessment: Encounter for chemotherapy. Breast cancer, responding by palpation. Neuropathy from chemotherapy, mild. Anemia from chemotherapy. Nausea from chemotherapy.

Plan: Cycle three at 80% with pegfilgrastim. Olanzapine at night against nausea. Dietitian. Genetic counseling booked.`,
  },
  {
    id: "orthopedics",
    specialty: "Orthopedics",
    about: "Knee replacement",
    text: `Orthopedic ward, discharge letter

70-year-old woman, primary osteoarthritis of the right knee with walking distance under 200 m, failed physiotherapy and injections. Hypothyroidism on levothyroxine. Rheumatic fever as a child without valve disease. Penicillin allergy (rash).

Total knee arthroplasty on the right, cemented, spinal anesthesia. Clindamycin for prophylaxis because of her allergy. 

Day two: hemoglobin from 13.1 to 8.7, acute blood loss anemia, one unit of red cells. Day three: calf pain, ultrasound showed a deep vein thrombosis of the right calf; rivaroxaban 15 mg twice daily for three weeks. Constipation from opioids, settled with macrogol.

At discharge flexion 90 degrees, walks with two crutches, wound dry. Outpatient physiotherapy, film in six weeks.`,
  },
  {
    id: "gastro",
    specialty: "Gastroenterology",
    about: "Cirrhosis with bleeding varices",
    text: `Gastroenterology, transfer note

57-year-old man with alcoholic cirrhosis of the liver and ascites, alcohol dependence, last drink five days ago. Vomited bright red blood twice this morning, black stools since yesterday. Confused since noon.

Pulse 118, blood pressure 92/54. Jaundice, spider nevi, shifting dullness, asterixis.

Hemoglobin 6.9, platelets 61, INR 1.9, bilirubin 4.8, ammonia 110, sodium 128.

Endoscopy: grade III esophageal varices with stigmata of bleeding, six bands placed. Portal hypertensive gastropathy. Three units of red cells, octreotide, ceftriaxone. 

Problems: Bleeding esophageal varices in alcoholic cirrhosis. Hepatic encephalopathy, on lactulose. Thrombocytopenia. Coagulopathy of liver disease. Hyponatremia. Alcohol withdrawal watched with a scale, no seizures. Nutrition poor, malnutrition likely, albumin 2.3.

Transfer to intensive care. Full code.`,
  },
];
