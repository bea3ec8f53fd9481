"""What is drawn of a finished run beside its curves: the thing itself that was learned.

A dataset's file names its pictures, and `pictures` of a run names others. Each is a class with a
method `draw(finished)` that writes PNG files into `finished.folder`.
"""

from fewstep.run.pictures.by_client import ByClient
from fewstep.run.pictures.constellations import Constellations
from fewstep.run.pictures.finished import Finished, draw_pictures, drawn
from fewstep.run.pictures.grounds import Grounds
from fewstep.run.pictures.needles import Needles
from fewstep.run.pictures.recall import Recall
from fewstep.run.pictures.retrieved import Retrieved
from fewstep.run.pictures.waves import Waves
from fewstep.run.pictures.written import Written


__all__ = [
    "ByClient",
    "Constellations",
    "Finished",
    "Grounds",
    "Needles",
    "Recall",
    "Retrieved",
    "Waves",
    "Written",
    "draw_pictures",
    "drawn",
]
