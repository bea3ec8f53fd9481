"""Where Hydra looks for launchers: it takes them from packages of this name alone."""

from __future__ import annotations

from fewstep.launch.supervisor import Supervised as _Supervised


class Supervised(_Supervised):
    """The launcher that a sweep asks for, supervised."""
