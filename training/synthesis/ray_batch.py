"""A batch file's requests in, its replies out, spread by Ray Data over however many machines a cluster has.

    python -m training.synthesis.ray_batch requests.jsonl replies.jsonl --url http://vllm:8000/v1 --at-once 256

Needs Ray (`pip install "ray[data]"`), and started within a cluster uses all of it. `--url` is a server, or what stands
before many. What fails is written as failed, and `train synthesize --read-replies` asks for it again.
"""

import argparse
import json
import os
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_TIMEOUT_S = 600.0


def asked(row: dict[str, str], *, url: str) -> dict[str, str]:
    """One line of the output file for one of the input file, as OpenAI's batch service writes them."""
    request = json.loads(row["text"])
    said = {"custom_id": request["custom_id"], "response": None, "error": None}
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("CLINALIGN_MODEL_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    body = json.dumps(request["body"]).encode()
    try:
        with urlopen(Request(f"{url}/chat/completions", body, headers), timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the server that was named
            said["response"] = {"status_code": answer.status, "body": json.load(answer)}
    except HTTPError as error:
        said["error"] = {"code": str(error.code)}
    except (OSError, ValueError) as error:
        said["error"] = {"code": type(error).__name__}
    return {"line": json.dumps(said)}


def run(source: Path, out: Path, *, url: str, at_once: int) -> int:
    """Writes a reply for each request; how many."""
    import ray  # noqa: PLC0415 - nothing else here needs it

    replies = ray.data.read_text(str(source)).map(partial(asked, url=url.rstrip("/")), concurrency=at_once)
    partial_file = out.with_suffix(f"{out.suffix}.partial")
    with partial_file.open("w", encoding="utf-8") as file:
        count = sum(bool(file.write(row["line"] + "\n")) for row in replies.iter_rows())
    partial_file.replace(out)
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A batch file's requests, spread by Ray Data.")
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--at-once", type=int, default=64)
    given = parser.parse_args()
    print(run(given.source, given.out, url=given.url, at_once=given.at_once), "replies")
