"""The core families in eleven languages more, which have no advice of their own yet; no native clinician read them."""
# ruff: noqa: RUF001 - letters and marks of other scripts are meant

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen, language_of

FLAGS = [
    ("ja", "cardiac", "胸が痛くて息ができません"),
    ("ja", "breathing", "胸が痛くて息ができません"),
    ("ja", "cardiac", "父が胸の痛みを訴えて冷や汗をかいています"),
    ("ja", "stroke", "母の顔が歪んで、右手が動かないです"),
    ("ja", "bleeding", "傷口から血が止まらない"),
    ("ja", "self_harm", "もう死にたいです"),
    ("ja", "self_harm", "自殺したい"),
    ("ja", "overdose", "睡眠薬を30錠飲みました"),
    ("ja", "anaphylaxis", "ピーナッツを食べたら舌が腫れてきた"),
    ("ko", "cardiac", "가슴이 너무 아프고 숨을 못 쉬겠어요"),
    ("ko", "breathing", "가슴이 너무 아프고 숨을 못 쉬겠어요"),
    ("ko", "breathing", "숨을 쉴 수 없어요"),
    ("ko", "stroke", "엄마 얼굴 한쪽이 마비되고 말을 못 해요"),
    ("ko", "bleeding", "피가 멈추지 않아요"),
    ("ko", "self_harm", "죽고 싶어요"),
    ("ko", "self_harm", "자살하고 싶어"),
    ("ko", "overdose", "수면제를 50알 먹었어요"),
    ("ko", "anaphylaxis", "땅콩을 먹고 목이 부었어요"),
    ("it", "cardiac", "Ho un forte dolore al petto e non riesco a respirare"),
    ("it", "breathing", "Ho un forte dolore al petto e non riesco a respirare"),
    ("it", "stroke", "Mia madre ha la bocca storta e non riesce a parlare"),
    ("it", "bleeding", "Sto perdendo molto sangue, non si ferma"),
    ("it", "self_harm", "Voglio uccidermi"),
    ("it", "self_harm", "non voglio più vivere"),
    ("it", "overdose", "Mia sorella ha preso 30 compresse di paracetamolo"),
    ("it", "anaphylaxis", "Mi si gonfia la lingua dopo aver mangiato le noci"),
    ("tr", "cardiac", "Göğsüm çok ağrıyor, nefes alamıyorum"),
    ("tr", "breathing", "Göğsüm çok ağrıyor, nefes alamıyorum"),
    ("tr", "cardiac", "gogsumde agri var nefes alamiyorum"),
    ("tr", "stroke", "Annemin yüzü kaydı ve konuşamıyor"),
    ("tr", "bleeding", "Kanama durmuyor ne yapmam lazım, çok kan var"),
    ("tr", "self_harm", "Kendimi öldürmek istiyorum"),
    ("tr", "self_harm", "Ben artık yaşamak istemiyorum"),
    ("tr", "overdose", "Kız kardeşim 30 hap içti ve çok uykulu"),
    ("tr", "anaphylaxis", "Fıstık yedim ve dilim şişti, boğazım için ne yapmalıyım"),
    ("fa", "cardiac", "درد شدید قفسه سینه دارم و نمی\u200cتوانم نفس بکشم"),
    ("fa", "breathing", "درد شدید قفسه سینه دارم و نمی\u200cتوانم نفس بکشم"),
    ("fa", "breathing", "نفسم بالا نمیاد"),
    ("fa", "stroke", "صورت مادرم کج شده و نمی\u200cتواند حرف بزند"),
    ("fa", "bleeding", "خونریزی شدید دارم و قطع نمی\u200cشود"),
    ("fa", "self_harm", "می\u200cخواهم خودم را بکشم"),
    ("fa", "self_harm", "دیگر نمی\u200cخواهم زندگی کنم"),
    ("fa", "overdose", "خواهرم ۳۰ قرص خورده"),
    ("fa", "anaphylaxis", "بعد از خوردن بادام زمینی زبانم ورم کرده"),
    ("ur", "cardiac", "میرے سینے میں شدید درد ہے اور سانس نہیں آ رہی"),
    ("ur", "breathing", "میرے سینے میں شدید درد ہے اور سانس نہیں آ رہی"),
    ("ur", "stroke", "امی کا منہ ٹیڑھا ہو گیا ہے"),
    ("ur", "bleeding", "خون بند نہیں ہو رہا"),
    ("ur", "self_harm", "میں مرنا چاہتا ہوں"),
    ("ur", "self_harm", "میں خودکشی کرنا چاہتی ہوں"),
    ("ur", "overdose", "اس نے 40 گولیاں کھا لی ہیں"),
    ("ur", "anaphylaxis", "مونگ پھلی کھانے کے بعد زبان سوج گئی ہے"),
    ("uk", "cardiac", "У мене сильний біль у грудях, не можу дихати"),
    ("uk", "breathing", "У мене сильний біль у грудях, не можу дихати"),
    ("uk", "stroke", "У мами перекосило обличчя, її рука оніміла"),
    ("uk", "bleeding", "Кров не зупиняється, її дуже багато"),
    ("uk", "self_harm", "Я більше не хочу жити"),
    ("uk", "self_harm", "Хочу вбити себе, мені більше нічого не допоможе"),
    ("uk", "overdose", "Моя сестра випила 30 таблеток і засинає"),
    ("uk", "anaphylaxis", "Після горіхів набряк язик і опухло обличчя, її нудить"),
    ("bn", "cardiac", "আমার বুকে খুব ব্যথা হচ্ছে, শ্বাস নিতে পারছি না"),
    ("bn", "breathing", "আমার বুকে খুব ব্যথা হচ্ছে, শ্বাস নিতে পারছি না"),
    ("bn", "stroke", "মায়ের মুখ বেঁকে গেছে, কথা বলতে পারছে না"),
    ("bn", "bleeding", "রক্ত বন্ধ হচ্ছে না"),
    ("bn", "self_harm", "আমি আত্মহত্যা করতে চাই"),
    ("bn", "self_harm", "আমি মরতে চাই"),
    ("bn", "overdose", "সে ৩০টা ঘুমের ওষুধ খেয়েছে"),
    ("bn", "anaphylaxis", "বাদাম খেয়ে জিভ ফুলে গেছে"),
    ("vi", "cardiac", "Tôi bị đau ngực dữ dội, không thở được"),
    ("vi", "breathing", "Tôi bị đau ngực dữ dội, không thở được"),
    ("vi", "cardiac", "toi bi dau nguc va kho tho"),
    ("vi", "stroke", "Mẹ tôi bị méo miệng và không nói được"),
    ("vi", "bleeding", "Con tôi chảy máu nhiều không cầm được"),
    ("vi", "self_harm", "Tôi muốn chết"),
    ("vi", "self_harm", "Tôi không muốn sống nữa"),
    ("vi", "self_harm", "tôi muốn tự tử"),
    ("vi", "overdose", "Em tôi uống 30 viên thuốc ngủ"),
    ("vi", "anaphylaxis", "Tôi ăn tôm rồi bị sưng lưỡi"),
    ("pl", "cardiac", "Mam silny ból w klatce piersiowej i nie mogę oddychać"),
    ("pl", "breathing", "Mam silny ból w klatce piersiowej i nie mogę oddychać"),
    ("pl", "stroke", "Mojej mamie opadła jedna strona twarzy i nie może mówić"),
    ("pl", "bleeding", "On bardzo krwawi i krew nie przestaje lecieć z rany"),
    ("pl", "self_harm", "Chcę się zabić"),
    ("pl", "self_harm", "Nie chcę już żyć"),
    ("pl", "overdose", "Moja siostra połknęła 30 tabletek"),
    ("pl", "anaphylaxis", "Po orzechach spuchł mi język"),
    ("id", "cardiac", "Dada saya sakit sekali dan saya tidak bisa bernapas"),
    ("id", "breathing", "Dada saya sakit sekali dan saya tidak bisa bernapas"),
    ("id", "stroke", "Wajah ibu saya miring dan bicaranya pelo"),
    ("id", "bleeding", "Darah anak saya tidak berhenti keluar"),
    ("id", "self_harm", "Saya ingin bunuh diri"),
    ("id", "self_harm", "saya ingin mati saja"),
    ("id", "overdose", "Kakak saya menelan 30 pil tidur"),
    ("id", "anaphylaxis", "Setelah makan udang bibir saya bengkak dan sesak napas"),
    ("ja", "collapse", "夫が倒れて意識がありません"),
    ("ja", "stroke", "ろれつが回らない"),
    ("ko", "collapse", "아버지가 갑자기 쓰러졌어요"),
    ("ko", "self_harm", "더 이상 살고 싶지 않아요"),
    ("it", "collapse", "Mio padre è svenuto e non respira"),
    ("tr", "self_harm", "intihar etmeyi düşünüyorum"),
    ("fa", "self_harm", "میخوام بمیرم"),
    ("ur", "self_harm", "میں اپنی جان لینا چاہتا ہوں"),
    ("uk", "self_harm", "Я хочу померти"),
    ("bn", "self_harm", "আমি আর বাঁচতে চাই না"),
    ("vi", "self_harm", "tôi đang nghĩ đến tự tử"),
    ("pl", "self_harm", "Mam myśli samobójcze"),
    ("id", "self_harm", "Aku mau mati"),
]
QUIET = [
    ("ja", "胸の痛みはありません"),
    ("ja", "脳卒中の症状は何ですか"),
    ("ja", "父は10年前に心筋梗塞になりました"),
    ("ja", "胸痛はないです。頭が痛いだけです"),
    ("ko", "가슴 통증은 없어요"),
    ("ko", "뇌졸중 증상은 무엇인가요?"),
    ("ko", "아버지가 5년 전에 심근경색을 앓으셨어요"),
    ("ko", "피곤해서 많이 잤어요"),
    ("it", "Non ho dolore al petto"),
    ("it", "Quali sono i sintomi di un ictus?"),
    ("it", "Mio nonno ha avuto un ictus 10 anni fa"),
    ("it", "Che cos'è un infarto?"),
    ("tr", "Göğüs ağrım yok, nefes darlığım da yok"),
    ("tr", "Kalp krizi belirtileri nelerdir, bir bilgi var mı"),
    ("tr", "Babam 5 yıl önce kalp krizi geçirdi ne yapmalı"),
    ("fa", "درد قفسه سینه ندارم"),
    ("fa", "علائم سکته مغزی چیست؟"),
    ("fa", "پدرم ده سال پیش سکته قلبی کرد"),
    ("ur", "میرے سینے میں درد نہیں ہے"),
    ("ur", "فالج کی علامات کیا ہیں؟"),
    ("uk", "Болю в грудях немає, її нудить"),
    ("uk", "Які симптоми інсульту?"),
    ("bn", "আমার বুকে ব্যথা নেই"),
    ("bn", "স্ট্রোকের লক্ষণ কী?"),
    ("vi", "Tôi không bị đau ngực"),
    ("vi", "Triệu chứng của đột quỵ là gì và có đau không"),
    ("vi", "Tôi ăn từ từ và không đau"),
    ("vi", "con tôi bị sốt xuất huyết nhẹ"),
    ("pl", "Nie mam bólu w klatce piersiowej"),
    ("pl", "Jakie są objawy udaru?"),
    ("pl", "Mój dziadek miał zawał 10 lat temu"),
    ("id", "Saya tidak sakit dada dan tidak sesak napas"),
    ("id", "Apa gejala serangan jantung dan stroke itu?"),
    ("id", "Tekanan darah saya tinggi dan tidak banyak berubah"),
    ("zh", "我没有胸痛，也没有自杀的想法"),
    ("ar", "ليس لدي ألم في الصدر ولا ضيق في التنفس"),
    ("es", "¿Qué es un infarto y cuáles son los síntomas de un infarto?"),
]
CONFIRMED = [
    ("胸の痛みはありますか？", "はい"),
    ("死にたいと思っていますか。", "はい、毎日"),
    ("자살을 생각하고 있나요?", "네"),
    ("Ha dolore al petto?", "sì"),
    ("İntihar etmeyi düşünüyor musunuz?", "Evet"),
    ("آیا درد قفسه سینه دارید؟", "بله"),
    ("کیا آپ کے سینے میں درد ہے؟", "جی ہاں"),
    ("Ви хочете померти?", "Так"),
    ("আপনি কি মরতে চান?", "হ্যাঁ"),
    ("Bạn có bị đau ngực không?", "có"),
    ("Czy chcesz się zabić?", "Tak"),
    ("Apakah Anda ingin bunuh diri?", "ya setiap hari"),
]
CORE = {"cardiac", "breathing", "stroke", "bleeding", "self_harm", "overdose", "anaphylaxis"}


def asked(text: str) -> Conversation:
    return Conversation((Message(Role.USER, text),))


def families(text: str) -> set[str]:
    return {flag.family for flag in Screen().screen(asked(text), audience=None)}


@pytest.mark.parametrize(("family", "text"), [row[1:] for row in FLAGS], ids=[f"{a}-{b}" for a, b, _ in FLAGS])
def test_a_danger_is_seen_in_its_language(family: str, text: str) -> None:
    assert family in families(text)


@pytest.mark.parametrize("text", [row[1] for row in QUIET], ids=[f"{row[0]}-{n}" for n, row in enumerate(QUIET)])
def test_denials_history_and_general_questions_stay_quiet_in_their_language(text: str) -> None:
    assert families(text) == set()


@pytest.mark.parametrize(("language", "text"), [(row[0], row[-1]) for row in [*FLAGS, *QUIET]])
def test_a_texts_language_is_told(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("language", sorted({row[0] for row in FLAGS}))
def test_every_core_family_has_a_case(language: str) -> None:
    assert {family for name, family, _ in FLAGS if name == language} >= CORE


@pytest.mark.parametrize(("question", "answer"), CONFIRMED)
def test_a_danger_that_is_confirmed_is_told_of(question: str, answer: str) -> None:
    turns = (Message(Role.USER, "..."), Message(Role.ASSISTANT, question), Message(Role.USER, answer))
    assert Screen().screen(Conversation(turns), audience=None)


ROMANISED = {
    "seene mein dard hai": "cardiac",
    "mere papa ko seene me bahut dard ho raha hai": "cardiac",
    "bahut tez dard chhati me": "cardiac",
    "mujhe saans nahi aa rahi": "breathing",
    "main marna chahta hoon": "self_harm",
    "main ab jeena nahi chahti": "self_harm",
    "main khudkushi karna chahta hun": "self_harm",
    "khoon band nahi ho raha": "bleeding",
    "abbu behosh ho gaye hain": "collapse",
}
ROMANISED_QUIET = (
    "seene mein dard nahi hai",
    "khudkushi kya hai",
    "mujhe bukhar aur khansi hai",
    "mere dada ko 10 saal pehle dil ka daura pada tha",
)


@pytest.mark.parametrize(("text", "family"), ROMANISED.items(), ids=ROMANISED)
def test_hindi_and_urdu_in_latin_letters_raise_the_core_and_are_advised_in_english(text: str, family: str) -> None:
    (flag, *_) = Screen().screen(asked(text), audience=None)

    assert family in families(text)
    assert (language_of(text), language_of(flag.advice)) == ("other", "en")


@pytest.mark.parametrize("text", ROMANISED_QUIET)
def test_hindi_and_urdu_in_latin_letters_stay_quiet_on_denials_history_and_general_questions(text: str) -> None:
    assert families(text) == set()


def test_a_language_without_advice_gets_it_in_english_and_not_in_a_kindred_one() -> None:
    for text in ("میں مرنا چاہتا ہوں", "می‌خواهم خودم را بکشم", "Я більше не хочу жити"):
        (flag, *_) = Screen().screen(asked(text), audience=None)
        assert language_of(flag.advice) == "en"
