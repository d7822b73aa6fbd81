"""What a command ends with that has done a run (design: 0 passed, 1 failed ...)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.records import Outcome

EXIT_CODES: Mapping[Outcome, int] = MappingProxyType(
    {
        Outcome.PASSED: 0,
        Outcome.FAILED: 1,
        Outcome.BLOCKED: 3,
        Outcome.MISSED: 3,
        Outcome.INCONCLUSIVE: 5,
        Outcome.REVERT_FAILED: 7,
        Outcome.ABORTED: 8,
    }
)
