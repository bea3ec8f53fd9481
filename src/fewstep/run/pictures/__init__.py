"""What is drawn of a finished run beside its curves: the thing itself that was learned.

A dataset's file names its pictures, and `pictures` of a run names others. Each is a class with a
method `draw(finished)` that writes PNG files into `finished.folder`.
"""

from fewstep.run.pictures.finished import Finished, draw_pictures
from fewstep.run.pictures.waves import Waves


__all__ = ["Finished", "Waves", "draw_pictures"]
