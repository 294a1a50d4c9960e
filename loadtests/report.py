"""The measured figures as one page, docs/performance.md, with the command beside them."""

from collections.abc import Mapping
from typing import Any

from loadtests.limits import PASSING, READY, RESIDENT, REVISED, Limit


def page(latency: Mapping[str, Any], embedded: Mapping[str, Any], *, machine: str) -> str:
    """The whole page in Markdown."""
    return "\n".join(
        [
            "# Performance",
            "",
            f"Written by `make bench` (`clinalign load run --report docs/performance.md`) on: {machine}.",
            "",
            "## A guarded answer over a plain one",
            "",
            "Upstream: the simulated vLLM (`loadtests/simulated_vllm.py`), 200 ms to the first token, 20 ms a token,",
            f"300-token answers, 100 tokens of edits; {latency['criteria']} criteria; {latency['rounds']} rounds, each",
            "asking plain, passing and revised one after the other. Ratios are taken within a round. Beyond a limit",
            "(`at most`, of the median) the command exits 1.",
            "",
            "| | median s | over plain (median) | over plain (worst) | at most |",
            "|---|---|---|---|---|",
            f"| plain call | {latency['plain_s']:.2f} | 1 | | |",
            _row("guarded, the draft passes", latency, "passing", PASSING),
            _row("guarded, 2 criteria fail and are mended by edits", latency, "revised", REVISED),
            "",
            f"Revisions accepted: {latency['revisions_accepted']} of {latency['rounds']}.",
            "",
            "## Where the tokens go",
            "",
            "Cached tokens are those of the simulated prefix cache (blocks of 16 tokens); against vLLM itself",
            "`tests/contract/test_vllm.py` asserts at most one block + 64 uncached tokens a verdict. Behind a red",
            "flag's duty the first verdict of each version reads more: `docs/decisions/append-only-prompts.md`.",
            "",
            "| answer | stage | prompt | cached | share cached | completion |",
            "|---|---|---|---|---|---|",
            *_tokens(latency["tokens_by_stage"]),
            "",
            "## Where the time goes",
            "",
            "| answer | " + " | ".join(latency["timings_ms"]["passing"]) + " |",
            "|---|" + "---|" * len(latency["timings_ms"]["passing"]),
            *(
                f"| {name} | " + " | ".join(f"{ms:.0f} ms" for ms in stages.values()) + " |"
                for name, stages in latency["timings_ms"].items()
            ),
            "",
            "## Everything embedded",
            "",
            "The gateway with the demonstration checkpoint in the process, as `make run` starts it.",
            "",
            "| | | at most |",
            "|---|---|---|",
            f"| process start to serving | {embedded['ready_s']:.1f} s | {READY.at_most:g} s |",
            f"| MB resident, {embedded['answers']} answers on | {embedded['resident_mb']:.0f} | {RESIDENT.at_most:g} |",
            f"| a guarded answer, median | {embedded['answer_s']:.2f} s | |",
            f"| judge calls: cached of prompt tokens | {embedded['judge_cached_share']:.0%} | |",
            "",
        ]
    )


def _row(name: str, latency: Mapping[str, Any], kind: str, limit: Limit) -> str:
    seconds, ratio, worst = latency[f"{kind}_s"], latency[f"{kind}_ratio"], latency[f"{kind}_ratio_max"]
    return f"| {name} | {seconds:.2f} | {ratio:.3f} | {worst:.3f} | {limit.at_most:g} |"


def _tokens(by_answer: Mapping[str, Any]) -> list[str]:
    return [
        f"| {answer} | {stage} | {u['prompt_tokens']} | {u['cached_tokens']} "
        f"| {u['cached_tokens'] / max(1, u['prompt_tokens']):.0%} | {u['completion_tokens']} |"
        for answer, stages in by_answer.items()
        for stage, u in stages.items()
    ]
