"""`python -m training.judge train|publish ...`: the small judge, from texts to the folder that the gateway loads."""

import argparse
from pathlib import Path

from training.judge import config as runs

_RUN = Path("training/runs/judge.toml")


def main(arguments: list[str] | None = None) -> int:
    """Do one step."""
    options = _options(arguments)
    config = runs.read(options.run)
    if options.step == "publish":
        from training.judge.publish import publish  # noqa: PLC0415 - the exporter takes seconds to import

        if options.data is None:
            raise SystemExit("publish needs --data: heads and threshold are fitted on physicians' labels")
        publish(config, options.data, options.encoder, options.out)
        return 0
    if options.step == "card":  # reads as the gateway does, in its environment
        from training.judge.card import write_card  # noqa: PLC0415 - FAISS and the engines

        if options.data is None:
            raise SystemExit("card needs --data: its figures are of physicians' labels")
        write_card(config, options.data, options.encoder, options.out)
        return 0
    from training.judge.pools import Packed, Packer, Sources, swayed  # noqa: PLC0415 - the encoder
    from training.judge.train import run, tokenizer  # noqa: PLC0415 - torch

    sources = Sources(config, options.data, options.encoder, config.folder / "vectors.npz")
    packer = Packer(tokenizer(), config)
    training = Packed.of(packer.windows(swayed([*sources.folded(), *sources.shared()], seed=config.seed)))
    sources.save()
    run(config, training, Packed.of(packer.rows(sources.judged())))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["train", "publish", "card"])
    parser.add_argument("--run", type=Path, default=_RUN, help="the run's TOML")
    parser.add_argument("--data", type=Path, help="folder of texts; without it only those written here are used")
    parser.add_argument("--encoder", type=Path, default=Path("build/encoder"), help="the exported encoder")
    parser.add_argument("--out", type=Path, default=Path("training/checkpoints/clinalign-judge"), help="for `publish`")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
