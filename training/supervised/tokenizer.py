"""A byte-level BPE tokenizer, trained on our own synthetic text: dialogues in, `tokenizer.json` out."""

from collections.abc import Iterator

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from training.chatml import SPECIAL, render
from training.dialogues.dialogue import Source


def train(source: Source, *, vocabulary: int, dialogues: int) -> Tokenizer:
    """A tokenizer of `vocabulary` tokens. Its pre-tokenizer is GPT-2's, which llama.cpp knows by that name."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in SPECIAL]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(source, dialogues), trainer=trainer)
    return tokenizer


def _texts(source: Source, dialogues: int) -> Iterator[str]:
    for principle in source.library.principles:
        yield from (principle.statement, *(e.criterion.text for e in principle.exemplars))
    for number in range(dialogues):
        dialogue = source.dialogue(number)
        yield render(dialogue.setting.prompt)
        for answer in dialogue.answers:
            yield answer.text
            for branch in answer.branches:
                yield branch.instruction.content
                yield branch.reply
