"""Official archives, fetched once into the user's cache."""

from __future__ import annotations

from pathlib import Path

from fewstep.disk.cache.cache import cache_dir


FOLDERS = ("omniglot-py", "cifar-100")
"""Those of the cache that archives are fetched into."""


def fetched(folder: str, file: str, url: str, md5: str, what: str) -> Path:
    """The file in a folder of the cache, fetched with torchvision if it is not there.

    Raises FileNotFoundError, naming the place and the fix, where that fails.
    """
    place = cache_dir() / folder
    path = place / file
    if not path.exists():
        from torchvision.datasets.utils import download_url

        try:
            download_url(url, str(place), file, md5)
        except (OSError, RuntimeError) as error:
            raise FileNotFoundError(
                f"dataset.root=null: {what} is not in {place} and could not be fetched from "
                f"{url} ({error}); fetch it by hand and set dataset.root to its folder"
            ) from error
    return path
