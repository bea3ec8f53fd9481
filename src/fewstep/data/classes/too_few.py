"""What is said of a split that has fewer classes than a task is of."""

from __future__ import annotations


def ways_out(classes: int, of: int) -> str:
    """What a split has, of as many classes as the dataset has, and what there is to do about it.

    Of one class nothing can be told: what there is to change is how the classes were divided.
    """
    if classes > 1:
        return f"{classes} classes; use at most {classes}"
    return (
        f"{classes} of {of} classes, and a task is of two or more. Divide them otherwise, with "
        "dataset.val and dataset.test or lists of your own, or add classes. To tell apart the "
        f"{of} that there are: fewstep adapt pictures=..."
    )
