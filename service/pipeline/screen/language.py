"""Language: which language a text seems to be written in, from its script and its commonest words."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from service.domain.conversation import Conversation, Role
from service.pipeline.screen.commonest import COMMON, NEUTRAL, ROMANISED
from service.pipeline.screen.text import words_in

OTHER: Final = ROMANISED
_SCRIPTS: Final = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("ta", re.compile("[\u0b80-\u0bff]")),
    ("te", re.compile("[\u0c00-\u0c7f]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
)
_URDU: Final = re.compile("[\u0679\u0688\u0691\u06ba\u06d2\u06c1\u06be]")
_PERSIAN: Final = re.compile("[\u067e\u0686\u0698\u06af\u06cc\u06a9\u06f0-\u06f9]")
_ARABIC: Final = re.compile("[\u064a\u0643\u0629\u0649]|\b\u0627\u0644")
_UKRAINIAN: Final = re.compile(
    "[\u0404\u0406\u0407\u0454\u0456\u0457\u0490\u0491]"
    r"|\b(?:що|щоб|дуже|мене|померти|вбити|болить|дихати|треба|нема|зараз|тато|його|вона|самогубств\w*)\b"
)
_RUSSIAN: Final = re.compile("[\u042b\u042d\u042a\u0401\u044b\u044d\u044a\u0451\u040e\u045e]")
_LATIN: Final = re.compile("[A-Za-z\u00c0-\u024f]")
_WORDS: Final = {language: frozenset(words.split()) for language, words in COMMON.items()}
# Letters that hardly another language of these has, each as good as a common word.
_OWN_LETTERS: Final = {
    "pl": re.compile("[\u0105\u0119\u0142\u015b\u017a\u017c]"),
    "tr": re.compile("[\u011f\u015f\u0131\u0130]"),
    "vi": re.compile("[\u0103\u0111\u01a1\u01b0\u1ea0-\u1ef9]"),
}
LATIN: Final = frozenset(COMMON) - {OTHER}
# Languages that share a script, and most words of which are known only by a letter here and there.
KIN: Final = (frozenset({"ru", "uk"}), frozenset({"ar", "fa", "ur"}))
_LANGUAGES: Final = {
    word: tuple(language for language, words in _WORDS.items() if word in words)
    for word in sorted(frozenset[str]().union(*_WORDS.values()))
}
_SHORT_OF_WORDS: Final = frozenset({"es", "fr", "de", "pt", "it"})  # two words may say it all in them
_ENOUGH: Final = 600  # characters are plenty to tell
_CLEARLY: Final = 3  # common words more than another language has
_FEW: Final = 5  # words that may all be terms and abbreviations, whatever the language


def language_of(text: str) -> str:
    """ISO 639-1 code of the likeliest language of the text, or `other` where nothing tells it apart.

    English is said where an English word stands, or where there is no word at all (`12345 !!!`, `400 mg`).
    """
    text = text[:_ENOUGH]
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS}
    latin = len(_LATIN.findall(text))
    likeliest = max(counts, key=lambda language: counts[language])
    if counts["ja"] and counts["ja"] * 10 >= counts["zh"]:
        likeliest = "ja"
    likeliest = _by_letters(likeliest, text)
    # A character of a spaceless script carries as much as several Latin letters.
    heavier = 3 if likeliest in {"zh", "ja"} else 1
    if max(counts.values()) * heavier > latin:
        return likeliest
    return _latin_language(text) if latin else "en"


def _by_letters(script: str, text: str) -> str:
    """The language of a script that several share, by letters that only one of them has."""
    if script == "ar":
        if _URDU.search(text):
            return "ur"
        return "fa" if len(_PERSIAN.findall(text)) > len(_ARABIC.findall(text)) else "ar"
    if script == "ru":
        return "uk" if _UKRAINIAN.search(text) and not _RUSSIAN.search(text) else "ru"
    return script


def language_spoken(conversation: Conversation) -> str:
    """The language of the latest question; where that is a few words (`No`), of what the person said before it too."""
    said = ""
    for turn in reversed(conversation.turns):
        if turn.role is Role.USER:
            said = f"{said}\n{turn.content[:_ENOUGH]}"
            if len(words_in(said).texts) >= _FEW or language_of(said) not in LATIN | {OTHER}:
                break
    return language_of(said)


def ruled_out(texts: Sequence[str]) -> frozenset[str]:
    """The languages that these folded words are surely not in.

    Japanese without a kana, whose words are Chinese ones; and of those in Latin script, by the commonest words of each:
    English, where it is among the likeliest, rules out all that are less likely; another does where it has clearly
    more words.
    """
    no_kana = frozenset() if any("\u3041" <= text[0] <= "\u30ff" for text in texts) else frozenset({"ja"})
    scores = _scores(texts[:_ENOUGH])
    if scores["en"] and scores["en"] == max(scores.values()):
        return no_kana | {name for name in LATIN - {"en"} if scores[name] < scores["en"]}
    most = max(scores.values(), default=0)
    return no_kana | {name for name in LATIN - {"en"} if most - scores[name] >= _CLEARLY}


def read_as_english(texts: Sequence[str]) -> bool:
    """Whether the commonest of these folded words are English ones, and not all of them another language's too."""
    return _is_english(texts[:_ENOUGH], _scores(texts[:_ENOUGH]))


def is_plain_english(text: str) -> bool:
    """Whether words of English stand in the text, and no language has more of the commonest words there."""
    return read_as_english(words_in(text[:_ENOUGH]).texts)


def may_be_english(text: str) -> bool:
    """Whether an encoder of English may read the text: in Latin script, and not clearly in another language.

    A few words of English often hold one that is common elsewhere (`no`, `me`), so one alone tells nothing.
    """
    language = language_of(text)
    if language == "en":
        return True
    return language in LATIN | {OTHER} and _scores(words_in(text[:_ENOUGH]).texts)[language] <= 1


def _latin_language(text: str) -> str:
    words = words_in(text.replace("'", " ").replace("\u2019", " ")).texts
    texts = [word for word in words if not word[0].isdecimal() and word not in NEUTRAL]
    scores = _scores(texts) + Counter({name: len(letters.findall(text)) for name, letters in _OWN_LETTERS.items()})
    if _is_english(texts, scores) or _WORDS["en"].issuperset(texts):
        return "en"
    # Of several that are as likely the first: those that advice is written in come before the others.
    likeliest = max((name for name in COMMON if name != "en"), key=lambda name: scores[name])
    if scores[likeliest] > scores["en"]:
        return likeliest
    # All that tells is English and another's: `no x` and `me x` may be Spanish, `my x` and `of x` are hardly Polish.
    return "en" if scores["en"] and likeliest not in _SHORT_OF_WORDS else OTHER


def _is_english(texts: Sequence[str], scores: Counter[str]) -> bool:
    """Whether English has the most of the words; a tie it wins by a word that the other language lacks."""
    english = _WORDS["en"].intersection(texts)
    if not english or scores["en"] < max(scores.values()):
        return False
    tied = [name for name, score in scores.items() if name != "en" and score == scores["en"]]
    return all(english - _WORDS[name] for name in tied)


def _scores(texts: Sequence[str]) -> Counter[str]:
    """How many of the words are among each language's commonest."""
    return Counter(language for text in texts for language in _LANGUAGES.get(text, ()))
