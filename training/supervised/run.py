"""Supervised training of the small checkpoint: one TOML in, a resumable state, the best weights and a log out.

One process learns, on a GPU where there is one. Weights are in float32, layers in bfloat16 where the TOML says so: a
GPU and a CPU with instructions for it are faster by them, a CPU without is eight times slower. A run may first learn to
copy from short drills, then the stages from whole dialogues. Every so often it is checked on held-out words, and the
best weights are kept. A stopped run goes on from its state.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer

from training.dialogues.words import Split
from training.supervised import tokenizer as bpe
from training.supervised.check import check
from training.supervised.config import RunConfig
from training.supervised.feed import batches, source
from training.supervised.learner import Learner
from training.supervised.log import Log

TOKENIZER = "tokenizer.json"


def run(config: RunConfig, *, progress: bool = True) -> None:
    """Trains to the configured number of steps, from the last state where there is one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        _train(config, progress=progress)
    finally:
        torch.set_num_threads(threads)  # the next stage's are its own


def _train(config: RunConfig, *, progress: bool) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    path = _tokenizer(config)
    tokenizer = Tokenizer.from_file(str(path))
    learner = Learner(config, tokenizer, device)
    state = config.folder / "state.pt"
    start = learner.load(state) if state.exists() else 0
    with Log(config.folder, start=start, steps=config.steps, shows=progress) as log:
        for number, batch in enumerate(batches(config, path, device, start=start), start):
            log.train(number, learner.step(number, batch))
            if (number + 1) % config.check_every == 0 or number + 1 == config.steps:
                report = check(learner.model, config, tokenizer)
                log.check(number, report)
                learner.keep_if_best(report, number)
            if (number + 1) % config.save_every == 0 or number + 1 == config.steps:
                log.flush(number)
                learner.save(state, number + 1)


def _tokenizer(config: RunConfig) -> Path:
    """The run's own, trained where it is not there yet."""
    config.folder.mkdir(parents=True, exist_ok=True)
    path = config.folder / TOKENIZER
    if not path.exists() and config.start:
        path.write_bytes((Path(config.start) / path.name).read_bytes())
    elif not path.exists():
        dialogues = source(config, Split.TRAIN)
        bpe.train(dialogues, vocabulary=config.shape.vocabulary, dialogues=config.tokenizer_dialogues).save(str(path))
    return path
