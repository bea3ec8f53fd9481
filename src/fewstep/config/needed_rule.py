"""The inner rule without which an algorithm is another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.messages.errors import ConfigError


def check_needed(config: Mapping[str, Any]) -> None:
    """Refuse another inner rule than an algorithm's file needs, before its options and rates are
    held against that one. A class of a user's own may be one of the kind.

    Raises:
        ConfigError: naming both.
    """
    algorithm = config["algorithm"]
    needed, rule = algorithm.get("needs_rule"), algorithm["inner"].get("rule")
    if needed is None or rule is None or rule == needed or "." in str(rule):
        return
    raise ConfigError(
        f"algorithm.inner.rule={rule}: algorithm={algorithm['name']} needs rule {needed}. Use "
        f"algorithm.inner.rule={needed}, or another algorithm, for example algorithm=maml"
    )
