"""Command lines whose words are options, as `--baseline NAME`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from fewstep.messages.errors import ConfigError


class Options(argparse.ArgumentParser):
    """A parser that tells a mistake as all others are told.

    Raises:
        ConfigError: from `parse_args`; it names the command whose `--help` says more.
    """

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the words."""
        raise ConfigError(f"{message}. See {self.prog} --help")
