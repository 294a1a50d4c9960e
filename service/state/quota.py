"""What a quota means wherever it is counted: so many requests in a window of a minute."""

import math
from typing import NoReturn

from service.domain.errors import QuotaExceeded

WINDOW_S = 60.0


def refuse(limit: int, *, retry_after_s: float) -> NoReturn:
    """Say that the quota is used up, and when to come again (whole seconds, at least one).

    Raises:
        QuotaExceeded: always.

    """
    wait = max(1, math.ceil(retry_after_s))
    raise QuotaExceeded(
        f"the quota of {limit} requests a minute is used up: try again in {wait} s", retry_after_s=float(wait)
    )
