"""fewstep: learn an initialization from which a few gradient steps learn a new task."""

__version__ = "0.1.0"
