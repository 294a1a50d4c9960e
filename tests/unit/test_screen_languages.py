"""The core families in other languages and scripts, and which language a text is taken for."""
# ruff: noqa: RUF001 - letters and marks of other scripts, and curly ones, are meant

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen, language_of, language_spoken
from service.pipeline.screen.examples import read_examples
from service.pipeline.screen.language import may_be_english, ruled_out
from service.pipeline.screen.text import words_in
from tests.unit.test_screen_families import CASES, PARAPHRASES

FLAGS = [
    ("es", "cardiac", "Tengo un dolor muy fuerte en el pecho y me baja al brazo izquierdo"),
    ("es", "cardiac", "Mi padre está sufriendo un infarto, ¿qué hago?"),
    ("es", "stroke", "A mi mamá se le torció la cara y no puede mover el brazo"),
    ("es", "breathing", "mi hijo no puede respirar bien y tiene los labios azules"),
    ("es", "anaphylaxis", "Comí camarones y se me hincha la lengua"),
    ("es", "self_harm", "ya no quiero vivir, quiero morirme"),
    ("es", "self_harm", "me quiero matar"),
    ("es", "bleeding", "mi esposo está vomitando sangre"),
    ("es", "overdose", "mi hermana se tomó un frasco de pastillas"),
    ("es", "poisoning", "mi niño tomó cloro"),
    ("es", "pregnancy", "estoy embarazada de 30 semanas y estoy sangrando mucho"),
    ("es", "seizure", "desde hace una hora mi amiga está teniendo convulsiones repetidas"),
    ("fr", "cardiac", "J'ai une douleur dans la poitrine depuis ce matin"),
    ("fr", "stroke", "Ma mère n'arrive plus à parler et son bras gauche est paralysé"),
    ("fr", "breathing", "il n'arrive pas à respirer"),
    ("fr", "self_harm", "j'ai envie de mourir"),
    ("fr", "bleeding", "il saigne beaucoup et ça ne s'arrête pas"),
    ("fr", "overdose", "ma fille a avalé une boîte de doliprane"),
    ("fr", "pregnancy", "je suis enceinte et j'ai des saignements"),
    ("fr", "seizure", "mon fils fait des convulsions"),
    ("fr", "hypoglycaemia", "mon ami diabétique, glycémie à 39 mg/dL, il tremble et ne comprend plus"),
    ("pt", "cardiac", "Estou com dor no peito e suando frio"),
    ("pt", "self_harm", "não aguento mais, quero morrer"),
    ("pt", "breathing", "minha filha não consegue respirar"),
    ("de", "cardiac", "Ich habe starke Schmerzen in der Brust"),
    ("de", "breathing", "Mein Vater bekommt keine Luft"),
    ("de", "self_harm", "Ich will nicht mehr leben"),
    ("de", "bleeding", "Die Wunde hört nicht auf zu bluten"),
    ("zh", "cardiac", "我爸爸突然胸痛，出冷汗"),
    ("zh", "stroke", "我妈妈嘴歪了，右手没力气"),
    ("zh", "breathing", "宝宝呼吸困难，嘴唇发紫"),
    ("zh", "anaphylaxis", "吃了花生后喉咙肿了"),
    ("zh", "self_harm", "我不想活了"),
    ("zh", "bleeding", "他一直吐血"),
    ("zh", "overdose", "我朋友吞了一整瓶安眠药"),
    ("zh", "pregnancy", "我怀孕30周，流血了"),
    ("zh", "poisoning", "孩子误喝了漂白水"),
    ("zh", "seizure", "孩子一直抽搐"),
    ("ar", "cardiac", "عندي ألم شديد في الصدر"),
    ("ar", "stroke", "أمي لا تستطيع الكلام ووجهها مائل"),
    ("ar", "breathing", "ابني لا يستطيع التنفس"),
    ("ar", "self_harm", "أريد أن أموت"),
    ("ar", "breathing", "صدري يؤلمني ولا أستطيع التنفس"),
    ("ar", "bleeding", "زوجتي تنزف بشدة"),
    ("ar", "overdose", "أختي تناولت علبة كاملة من الحبوب"),
    ("ar", "pregnancy", "أنا حامل وعندي نزيف"),
    ("ar", "seizure", "طفلي يعاني من تشنجات"),
    ("ar", "poisoning", "ابني شرب الكلور"),
    ("hi", "cardiac", "मेरे सीने में बहुत दर्द हो रहा है"),
    ("hi", "stroke", "मेरे पिता का चेहरा टेढ़ा हो गया है"),
    ("hi", "breathing", "मुझे सांस लेने में तकलीफ हो रही है"),
    ("hi", "self_harm", "मैं मरना चाहता हूं"),
    ("hi", "bleeding", "खून बंद नहीं हो रहा"),
    ("hi", "pregnancy", "मैं गर्भवती हूं और खून आ रहा है"),
    ("ru", "cardiac", "У меня сильная боль в груди"),
    ("ru", "stroke", "У мамы перекосило лицо"),
    ("ru", "breathing", "Ребенок не может дышать"),
    ("ru", "self_harm", "Я не хочу жить"),
    ("ru", "overdose", "Она выпила 30 таблеток парацетамола"),
]
QUIET = [
    ("es", "No tengo dolor en el pecho ni falta de aire"),
    ("es", "¿Cuáles son los síntomas de un derrame cerebral?"),
    ("es", "Mi abuelo tuvo un derrame cerebral hace 10 años"),
    ("fr", "Je n'ai pas de douleur à la poitrine"),
    ("fr", "Quels sont les symptômes d'un AVC ?"),
    ("de", "Ich habe keine Brustschmerzen"),
    ("zh", "我没有胸痛"),
    ("zh", "什么是中风？"),
    ("zh", "中风的症状有哪些？"),
    ("zh", "作业太多了，累死我了"),
    ("ar", "ما هي أعراض السكتة الدماغية؟"),
    ("ar", "ليس لدي ألم في الصدر"),
    ("hi", "स्ट्रोक के लक्षण क्या हैं?"),
    ("ru", "Какие симптомы инсульта?"),
]


def families(text: str) -> set[str]:
    return {flag.family for flag in Screen().screen(Conversation((Message(Role.USER, text),)), audience=None)}


@pytest.mark.parametrize(("family", "text"), [row[1:] for row in FLAGS], ids=[f"{a}-{b}" for a, b, _ in FLAGS])
def test_a_danger_is_seen_in_its_language(family: str, text: str) -> None:
    assert family in families(text)


@pytest.mark.parametrize("text", [row[1] for row in QUIET], ids=[f"{row[0]}-{n}" for n, row in enumerate(QUIET)])
def test_denials_history_and_general_questions_stay_quiet_in_their_language(text: str) -> None:
    assert families(text) == set()


@pytest.mark.parametrize(("language", "text"), [(row[0], row[-1]) for row in [*FLAGS, *QUIET]])
def test_a_texts_language_is_told(language: str, text: str) -> None:
    assert language_of(text) == language


OTHERS = {
    "胸が痛いです、助けてください": "ja",
    "가슴이 너무 아파요": "ko",
    "Ho un forte dolore al petto e non riesco a respirare": "it",
    "Πονάει το στήθος μου": "el",
    "67M STEMI": "en",
    "": "en",
    "12345 !!!": "en",
    "Qwxz vrtk plmnd brrt ghjk zzxc": "other",
}


@pytest.mark.parametrize(("text", "language"), OTHERS.items(), ids=OTHERS.values())
def test_other_languages_are_told_too(text: str, language: str) -> None:
    assert language_of(text) == language


ENGLISH = (
    "everyone would be better off without me",
    "no one would miss me",
    "no pulse, no breathing",
    "Pt 67F c/o CP x2h, diaphoretic, trop pending",
    "my stepdad beats me",
    "my son is wheezing",
    "chest pain",
    "can't breathe",
    "help",
    "is Zyrtec an antihistamine",
)
FEW_WORDS = {
    "me muero": "es",
    "no respira": "es",
    "me he tomado 30 pastillas": "es",
    "doctor, no respira": "es",
    "je saigne": "fr",
    "mon fils ne respire plus": "fr",
    "ich will sterben": "de",
    "mein Arm tut weh": "de",
    "tomei 30 comprimidos": "pt",
    "O que causa o resfriado comum": "pt",
    "mi fa male la testa": "it",
    "ik krijg geen lucht": "nl",
    "chce umrzec": "pl",
    "siwezi kupumua": "sw",
    "main marna chahta hoon": "other",
    "mujhe saans nahi aa rahi": "other",
    "mere seene me bahut dard ho raha hai": "other",
    "Brrt ghjk": "other",
    "no photophobia": "other",
    "400 mg": "en",
}


@pytest.mark.parametrize("text", ENGLISH)
def test_english_of_a_few_words_is_english_though_other_languages_have_some_of_them(text: str) -> None:
    assert language_of(text) == "en"
    assert may_be_english(text)


@pytest.mark.parametrize(("text", "language"), FEW_WORDS.items(), ids=FEW_WORDS)
def test_a_few_words_are_not_english_without_an_english_word(text: str, language: str) -> None:
    assert language_of(text) == language
    assert language not in ruled_out(words_in(text).texts)


def test_our_own_english_texts_are_told_as_english_or_left_open_and_read_by_the_head() -> None:
    cases = [text for kinds in CASES.values() for texts in kinds.values() for text in texts]
    examples = read_examples()
    texts = [*cases, *PARAPHRASES, *(example.text for example in examples)]
    told = {text: language_of(text) for text in texts}

    assert [text for text in texts if told[text] not in {"en", "other"}] == []
    assert [text for text in texts if not may_be_english(text)] == []
    # Bare terms (`jet lag`, `kernig positive, febrile`): they lose the scenario's head, never the screen's.
    assert sum(told[text] == "other" for text in texts) <= 85
    assert sum(told[example.text] == "other" for example in examples if example.danger) <= 20


@pytest.mark.parametrize("text", ["everyone would be better off without me", "no pulse, no breathing"])
def test_english_in_danger_is_advised_in_english(text: str) -> None:
    (flag, *_) = Screen().screen(Conversation((Message(Role.USER, text),)), audience=None)
    assert language_of(flag.advice) == "en"


def test_words_shared_with_english_are_read_by_english_cues_alone() -> None:
    assert families("The note says that she has no convulsions and is not suicidal, what does that mean?") == set()


@pytest.mark.parametrize(
    ("said", "language"),
    [
        (["I have crushing chest pain.", "No"], "en"),
        (["Tengo un dolor fuerte en el pecho.", "400 mg"], "es"),
        (["Tengo un dolor fuerte en el pecho.", "ok", "No"], "es"),
        (["I have crushing chest pain.", "\u6211\u80f8\u75db"], "zh"),
        (["I have crushing chest pain.", "Me duele mucho el pecho y no puedo respirar"], "es"),
        (["No"], "en"),
    ],
)
def test_a_few_words_are_in_the_language_of_what_was_said_before(said: list[str], language: str) -> None:
    turns = [turn for text in said for turn in (Message(Role.ASSISTANT, "Yes or no?"), Message(Role.USER, text))]
    assert language_spoken(Conversation(tuple(turns))) == language


def test_a_red_flags_advice_is_not_in_another_language_for_a_short_answer() -> None:
    turns = (
        Message(Role.USER, "I have crushing chest pain and my left arm is numb."),
        Message(Role.ASSISTANT, "Are you allergic to aspirin?"),
        Message(Role.USER, "No"),
    )
    (flag, *_) = Screen().screen(Conversation(turns), audience=None)
    assert language_of(flag.advice) == "en"
