"""`fewstep bench`: how fast is a configuration here, in which execution, and where does it go?

Takes the overrides of `fewstep train` and writes nothing. What cannot fit into memory is refused
before it is run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from fewstep.messages.errors import ConfigError


EXAMPLES = """\
  fewstep bench                                          the default configuration
  fewstep bench algorithm=maml shots=20w1s               any training that you have in mind
"""


def help_text() -> str:
    """What `fewstep bench --help` prints."""
    from fewstep.config.help import guide

    return guide("bench", EXAMPLES, "train")


def main(words: Sequence[str] | None = None) -> int:
    """Time the configuration that the overrides make; the exit status."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler greets, before torch loads
    from fewstep.commands.following import of_training
    from fewstep.commands.train import settle
    from fewstep.config.arguments import read
    from fewstep.config.compose import compose_config, plain
    from fewstep.disk.reading import reading
    from fewstep.messages.complaint import complain

    try:
        given = sys.argv[1:] if words is None else words
        arguments = read("bench", given)
        if arguments.sweep or arguments.shows:
            raise ConfigError("fewstep bench times one configuration: give it key=value alone")
        config = plain(compose_config("train", arguments.overrides))
        with reading(given):
            config |= of_training(config, arguments.overrides)
        if (devices := config["trainer"]["devices"]) != 1:
            raise ConfigError(
                f"trainer.devices={devices}: must be 1, as fewstep bench times one. Use "
                "trainer.devices=1"
            )
        settle(config)
        from fewstep.bench.measure import measure
        from fewstep.bench.table import table
        from fewstep.run import handover

        print(table(measure(handover.taken(config))))
    except ConfigError as error:
        return complain(error)
    return 0
