"""Serve the gateway of `inside` on a loopback port: `python -m loadtests.robustness.serve_inside --port 8099`."""

import argparse

import uvicorn

from loadtests.robustness.inside import inside_web
from service.gateway.protocol import BoundedProtocol
from service.observability.logs import set_up


def main() -> None:
    """Until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    chosen = parser.parse_args()
    set_up("ERROR")
    uvicorn.run(
        inside_web(),
        port=chosen.port,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http=BoundedProtocol,
    )


if __name__ == "__main__":
    main()
