"""The words that fill slots, real and invented, combined at random: a model must copy them and cannot know them.

A tenth of them, chosen by a checksum of the word, is held out: only evaluation draws it.
"""

import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Split(StrEnum):
    """Which part of the words a dialogue may draw."""

    TRAIN = "train"
    HELD_OUT = "held_out"


def is_held_out(word: str) -> bool:
    """Whether training never draws it."""
    return zlib.crc32(word.lower().encode()) % 10 == 0


def _words(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(",") if word.strip())


QUALITIES = _words(
    """itchy, sore, stiff, burning, throbbing, dull, sharp, swollen, numb, tingling, red, painful, heavy, tender, weak,
    cramping, stabbing, aching, dry, peeling, bruised, blistered, pounding, nagging, crushing, constant, mild,
    severe, sudden, strange, hot, cold, twitching, puffy, scaly, raw, bleeding, cracked, tight, restless, terrible,
    bad, awful, warm, hard"""
)
PARTS = _words(
    """knee, elbow, ankle, wrist, shoulder, hip, thumb, left ear, right ear, throat, neck, lower back, upper back,
    heel, left foot, right foot, big toe, scalp, jaw, forehead, chest, stomach, belly, groin, calf, thigh, shin,
    left hand, right hand, index finger, eyelid, nose, tongue, lip, gum, armpit, rib, left eye, right eye, cheek,
    chin, spine, buttock, forearm, nail, kneecap, collarbone, palm, sole, temple, tonsil, hamstring, tailbone, arm,
    leg, skin, face, mouth"""
)
TROUBLES = _words(
    """pain, rash, lump, swelling, ache, itch, cramp, bruise, spot, blister, numbness, tingling, stiffness, burning,
    weakness, spasm, sore, pressure, tenderness, twitch, patch, wound, redness, soreness, discharge, cut, burn,
    bite, graze, boil"""
)
COMPLAINTS = _words(
    """a headache, a cough, a fever, a sore throat, a runny nose, dizziness, nausea, heartburn, bloating, constipation,
    diarrhoea, tiredness, night sweats, hiccups, palpitations, a nosebleed, ringing in the ears, blurred vision,
    hair loss, a stuffy nose, poor sleep, low mood, panic attacks, weight loss, weight gain, a hoarse voice, chills,
    vomiting, thirst, swollen glands, a metallic taste, shaky hands, trouble swallowing, trouble sleeping, shortness
    of breath, wheezing, hives, cold sores, mouth ulcers, bad breath, leg cramps, hot flushes, a missed period,
    heavy periods, painful periods, dark urine, frequent urination, burning when I pee, back pain, chest tightness,
    joint pain, muscle aches, brain fog, memory lapses, double vision, watery eyes, an earache, toothache, jaw
    clicking, sneezing, snoring, dry skin, brittle nails, a twitching eyelid, fainting, light-headedness, motion
    sickness, blood in the stool, itching all over, a stiff neck, cold hands, a rash"""
)
MEDICINES = _words(
    """paracetamol, ibuprofen, aspirin, naproxen, metformin, insulin glargine, gliclazide, sitagliptin, empagliflozin,
    ramipril, lisinopril, losartan, candesartan, amlodipine, bisoprolol, atenolol, propranolol, furosemide,
    spironolactone, digoxin, warfarin, apixaban, rivaroxaban, clopidogrel, simvastatin, atorvastatin, rosuvastatin,
    ezetimibe, omeprazole, lansoprazole, famotidine, sertraline, citalopram, fluoxetine, mirtazapine, venlafaxine,
    amitriptyline, diazepam, zopiclone, lithium, quetiapine, olanzapine, risperidone, haloperidol, levetiracetam,
    lamotrigine, carbamazepine, valproate, gabapentin, pregabalin, codeine, tramadol, morphine, oxycodone,
    prednisolone, dexamethasone, hydrocortisone, salbutamol, montelukast, tiotropium, beclometasone, cetirizine,
    loratadine, fexofenadine, amoxicillin, penicillin V, doxycycline, azithromycin, nitrofurantoin, trimethoprim,
    ciprofloxacin, metronidazole, flucloxacillin, aciclovir, fluconazole, terbinafine, methotrexate, sulfasalazine,
    hydroxychloroquine, azathioprine, ciclosporin, levothyroxine, carbimazole, allopurinol, colchicine, alendronic
    acid, tamsulosin, finasteride, sildenafil, sumatriptan, topiramate, ondansetron, cyclizine, loperamide, senna,
    lactulose, macrogol, iron tablets, folic acid, vitamin D, melatonin, tamoxifen, letrozole, semaglutide,
    donepezil, levodopa, baclofen, nicotine gum, co-codamol"""
)
CONDITIONS = _words(
    """asthma, COPD, diabetes, type 2 diabetes, high blood pressure, angina, atrial fibrillation, heart failure, gout,
    eczema, psoriasis, acne, rosacea, migraine, epilepsy, multiple sclerosis, Parkinson's disease, dementia,
    depression, anxiety, bipolar disorder, ADHD, autism, anaemia, coeliac disease, Crohn's disease, ulcerative
    colitis, irritable bowel syndrome, reflux, gallstones, kidney stones, chronic kidney disease, hepatitis B, fatty
    liver, osteoporosis, osteoarthritis, rheumatoid arthritis, lupus, fibromyalgia, sciatica, a slipped disc, an
    underactive thyroid, an overactive thyroid, endometriosis, polycystic ovaries, fibroids, the menopause, an
    enlarged prostate, a urine infection, thrush, shingles, chickenpox, measles, glandular fever, COVID, flu,
    pneumonia, bronchitis, sinusitis, hay fever, tonsillitis, conjunctivitis, glaucoma, cataracts, tinnitus,
    vertigo, sleep apnoea, insomnia, long COVID, HIV, malaria, Lyme disease, scabies, head lice, ringworm, a hernia,
    piles, varicose veins, a blood clot, breast cancer, bowel cancer, lymphoma, sickle cell disease, haemophilia,
    cystic fibrosis"""
)
TESTS = _words(
    """potassium, sodium, creatinine, haemoglobin, ferritin, TSH, HbA1c, glucose, cholesterol, LDL, troponin, CRP, ESR,
    white cell count, platelets, INR, ALT, bilirubin, albumin, calcium, vitamin B12, vitamin D level, urate, PSA,
    eGFR, urea, magnesium, phosphate, lactate, D-dimer, prolactin, cortisol, blood pressure, pulse, oxygen level,
    temperature, peak flow, urine protein, blood sugar, triglycerides, amylase, BNP, folate, transferrin,
    testosterone, oestradiol, FSH, lipase, LDH, ketones"""
)
KIN = _words(
    """mother, father, son, daughter, wife, husband, partner, sister, brother, grandmother, grandfather, aunt, uncle,
    cousin, niece, nephew, neighbour, friend, flatmate, boss, baby, toddler, stepson, twin, mum, dad, gran,
    colleague, boyfriend, girlfriend"""
)
NAMES = _words(
    """Anna, Bilal, Chidi, Dora, Elif, Farid, Greta, Hugo, Ines, Jonas, Kemal, Lena, Mira, Noor, Otto, Priya, Quentin,
    Rosa, Samir, Tilda, Umar, Vera, Wanda, Xenia, Yusuf, Zoe, Amara, Bruno, Carla, Dmitri, Esther, Femi, Gita, Hana,
    Ivan, Jana, Kofi, Luca"""
)
_UNITS = ("mg", "mg", "mg", "micrograms", "ml", "units", "g", "puffs", "tablets", "drops")
_NUMERALS = _words("one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, fourteen, twenty")
_TIMES = ("minutes", "hours", "days", "days", "weeks", "weeks", "months", "years", "nights")
_ONSETS = _words(
    """b, bl, br, c, ch, cl, d, dr, f, fl, g, gr, h, j, k, kl, l, m, n, p, pl, pr, qu, r, s, sh, sk, st, t, tr, v, w,
    y, z"""
)
_NUCLEI = _words("a, e, i, o, u, ai, ea, io, ou, oo, y")
_CODAS = ("", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "rk", "st", "p")
_DRUG_ENDINGS = _words(
    "ine, ol, pril, statin, mab, azole, idone, amide, icin, vir, oxin, al, ium, ax, ofen, ide, ate, zepam, ex"
)


@dataclass(frozen=True, slots=True)
class Words:
    """Draws words of one split."""

    rng: random.Random
    split: Split

    def pick(self, words: Sequence[str]) -> str:
        """One of the words that this split may draw."""
        wanted = self.split is Split.HELD_OUT
        for _ in range(200):
            word = self.rng.choice(words)
            if is_held_out(word) is wanted:
                return word
        # A list may hold one such word in a hundred.
        mine = [word for word in words if is_held_out(word) is wanted]
        if not mine:
            raise ValueError(f"no {self.split} word among {len(words)}: add words to the list")
        return self.rng.choice(mine)

    def invented(self, *, syllables: int | None = None) -> str:
        """A word that nobody has read before."""
        for _ in range(200):
            count = syllables or self.rng.choice((2, 2, 3))
            word = "".join(self._syllable() for _ in range(count))
            if is_held_out(word) is (self.split is Split.HELD_OUT):
                return word
        raise ValueError(f"no {self.split} word could be invented")

    def _syllable(self) -> str:
        choose = self.rng.choice
        return choose(_ONSETS) + choose(_NUCLEI) + choose(_CODAS)

    def name(self) -> str:
        """A part, medicine, condition, test or complaint."""
        return self.pick(self.rng.choice((PARTS, MEDICINES, CONDITIONS, TESTS, COMPLAINTS, QUALITIES)))

    def number(self) -> str:
        """A number, alone or with its unit."""
        return self.rng.choice((self._dose, self._reading, self._duration))()

    def value(self, slot: str) -> str:
        """Words for one slot, such as "three days" for `duration`."""
        draw = {
            "symptom": self._symptom,
            "duration": self._duration,
            "medicine": self._medicine,
            "dose": self._dose,
            "reading": self._reading,
            "test": self._test,
            "age": self._age,
            "person": self._person,
            "condition": self._condition,
        }
        return draw[slot]()

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _symptom(self) -> str:
        kind = self.rng.random()
        quality, part = self.pick(QUALITIES), self.pick(PARTS)
        if self._chance(0.2):
            quality = f"{self.pick(QUALITIES)} {quality}"
        article = "an" if quality[0] in "aeiou" else "a"
        if kind < 0.3:
            return f"{article} {quality} {part}"
        if kind < 0.5:
            return f"{article} {quality} {self.pick(TROUBLES)} on the {part}"
        if kind < 0.6:
            return f"{self.pick(TROUBLES)} in my {part}" if self._chance(0.5) else f"{part} {self.pick(TROUBLES)}"
        if kind < 0.72:
            return f"{article} {quality} {self.invented()}"
        if kind < 0.82:
            return f"{self.invented()} {self.pick(TROUBLES)}"
        return self.pick(COMPLAINTS)

    def _medicine(self) -> str:
        if self._chance(0.5):
            return self.pick(MEDICINES)
        name = self.invented(syllables=2) + self.rng.choice(_DRUG_ENDINGS)
        return name.capitalize() if self._chance(0.3) else name

    def _condition(self) -> str:
        if self._chance(0.6):
            return self.pick(CONDITIONS)
        name = self.invented()
        return self.rng.choice((name, f"{name} disease", f"{name.capitalize()} syndrome", f"{name} fever"))

    def _test(self) -> str:
        return (
            self.pick(TESTS) if self._chance(0.65) else f"{self.invented()}{self.rng.choice(('', ' level', ' count'))}"
        )

    def _duration(self) -> str:
        number = str(self.rng.randint(2, 45)) if self._chance(0.5) else self.rng.choice(_NUMERALS[1:])
        return f"{number} {self.rng.choice(_TIMES)}"

    def _dose(self) -> str:
        whole = str(self.rng.randint(1, 999))
        round_ = str(5 * self.rng.randint(1, 200))
        fraction = f"{self.rng.randint(0, 9)}.{self.rng.randint(1, 9)}"
        number = self.rng.choice((whole, round_, fraction))
        return f"{number} {self.rng.choice(_UNITS)}"

    def _reading(self) -> str:
        kind = self.rng.random()
        if kind < 0.4:
            return str(self.rng.randint(2, 990))
        if kind < 0.8:
            return f"{self.rng.randint(0, 60)}.{self.rng.randint(0, 99)}"
        return f"{self.rng.randint(80, 230)}/{self.rng.randint(40, 130)}"

    def _age(self) -> str:
        return f"{self.rng.randint(2, 98)} {self.rng.choice(('years', 'years', 'years', 'months', 'weeks'))}"

    def _person(self) -> str:
        kin = self.pick(KIN)
        return f"my {kin} {self.pick(NAMES)}" if self._chance(0.25) else f"my {kin}"
