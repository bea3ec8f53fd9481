"""timm's networks by name, with weights that are on this machine already."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from fewstep.data.images.decode import RESAMPLES
from fewstep.data.images.preparation import Preparation
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError, did_you_mean, first_line
from fewstep.messages.printable import printable


FILES = ("model.safetensors", "pytorch_model.bin")
"""What timm's weights are called in a repository of the hub, the first that is there."""


def check_name(name: str) -> None:
    """Refuse a name that timm does not know; nothing is fetched to find out.

    Raises:
        ConfigError: with near names, or the pretrained weights that there are of the network.
    """
    timm = _timm(name)
    network, _, tag = name.partition(".")
    if not timm.is_model(network):
        hint = did_you_mean(network, timm.list_models())
        raise ConfigError(
            f"init=timm:{printable(name)}: timm {timm.__version__} has no such network.{hint} "
            "timm.list_models(pretrained=True) lists those that it has"
        )
    known = [found.partition(".")[2] for found in timm.list_pretrained(f"{network}.*")]
    if tag and tag not in known:
        raise ConfigError(
            f"init=timm:{printable(name)}: timm {timm.__version__} has no such weights of {network}"
            f".{did_you_mean(tag, known)} It has {', '.join(known) or 'none'}"
        )


def preparation_of(name: str, size: int | None = None) -> Preparation:
    """How pictures become inputs: as in the network's training, squeezed to a square.

    Raises:
        ConfigError: as `check_name`, or a size that no picture has.
    """
    about = _about(name)
    channels, *sides = about["input_size"]
    if size is not None and not 1 <= size <= 4096:
        raise ConfigError(f"backbone.size={size}: must be from 1 to 4096 pixels")
    resample = about["interpolation"] if about["interpolation"] in RESAMPLES else "bicubic"
    mean, std = (tuple(map(float, about[key])) for key in ("mean", "std"))
    return Preparation(size or sides[0], channels, resample, mean=mean, std=std)


def untrained(name: str, size: int) -> nn.Module:
    """The network as a function to features [B, D], without its weights.

    Raises:
        ConfigError: as `check_name`, or a size that the network does not take.
    """
    return _features(_made(name, size))


def pretrained(name: str, size: int, weights: str | Path | None) -> nn.Module:
    """The network as a function to features [B, D], in evaluation mode.

    Args:
        name: as timm calls it, with or without a tag: `tf_efficientnet_lite0.in1k`.
        size: side of its inputs.
        weights: a file of the whole network's; None looks into timm's own cache.

    Raises:
        ConfigError: as `untrained`; weights that are not there, cannot be read, or do not fit.
    """
    about, file = _about(name), expanded(weights, "backbone.weights") if weights else _cached(name)
    if file is None:
        raise ConfigError(
            f"init=timm:{name}: its weights ({about['hf_hub_id'] or about['url'] or 'none known'}) "
            "are not in timm's cache, and nothing is fetched here. Give backbone.weights=FILE, or "
            "fetch them once where there is a network: "
            f"python -c \"import timm; timm.create_model('{name}', pretrained=True)\""
        )
    tensors = _read(file)
    try:
        network = _made(name, size, pretrained=True, pretrained_cfg_overlay={"state_dict": tensors})
    except (RuntimeError, KeyError, AttributeError) as error:
        reason = printable(str(error).splitlines()[-1].strip())
        raise ConfigError(
            f"backbone.weights={file}: do not fit timm's {name} ({reason[:200]}). Give the file of "
            "this network, head included"
        ) from None
    network.pretrained_cfg.pop("state_dict", None)  # or they are in memory twice
    return _features(network)


def at_hand() -> list[str]:
    """The networks whose weights are in the hub's cache, the smallest file first."""
    try:
        import timm
    except ImportError:
        return []
    from huggingface_hub.constants import HF_HUB_CACHE

    found = {}
    for folder in Path(HF_HUB_CACHE).glob("models--timm--*"):
        name = folder.name.removeprefix("models--timm--")
        if timm.is_model(name.partition(".")[0]) and name in timm.list_pretrained(name):
            file = _cached(name)
            if file is not None:
                found[name] = file.stat().st_size
    return sorted(found, key=lambda name: (found[name], name))


def _made(name: str, size: int, **how: Any) -> Any:
    about = _about(name)
    if about["fixed_input_size"] and size != about["input_size"][1]:
        how["img_size"] = size
    try:
        return _timm(name).create_model(name, **how)
    except (TypeError, AssertionError, ValueError) as error:
        raise ConfigError(
            f"backbone.size={size}: {name} does not take it ({printable(error)}). Leave it out "
            f"for {about['input_size'][1]}"
        ) from None


def _features(network: Any) -> nn.Module:
    """Of one of timm's networks, what comes before its classifier."""
    network.reset_classifier(0)
    return network.eval().requires_grad_(False)


def _about(name: str) -> dict[str, Any]:
    """What timm says of pretrained weights."""
    check_name(name)
    about = _timm(name).get_pretrained_cfg(name)
    if about is None:
        raise ConfigError(f"init=timm:{name}: timm has no pretrained weights of it")
    return vars(about)


def _timm(name: str) -> ModuleType:
    try:
        import timm
    except ImportError:
        raise ConfigError(
            f"init=timm:{printable(name)}: needs timm, not installed here: pip install "
            "'fewstep[vision]'"
        ) from None
    return timm


def _cached(name: str) -> Path | None:
    """The file that timm has fetched before, in the hub's cache or torch's."""
    from huggingface_hub import try_to_load_from_cache

    about = _about(name)
    repository, _, revision = (about["hf_hub_id"] or "").partition("@")
    own = about["hf_hub_filename"]
    for file in ((own,) if own else FILES) if repository else ():
        found = try_to_load_from_cache(repository, file, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    fetched = Path(torch.hub.get_dir(), "checkpoints", (about["url"] or "").rpartition("/")[2])
    return fetched if fetched.is_file() else None


def _read(file: Path) -> Mapping[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a `.pth` one that holds nothing else."""
    try:
        if not file.is_file():
            raise FileNotFoundError("there is no such file")
        if file.suffix == ".safetensors":
            return load_file(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's age; it is read or it is not
            found = torch.load(file, map_location="cpu", weights_only=True)
        for inside in ("state_dict", "model"):
            found = found.get(inside, found)
        if not all(isinstance(value, Tensor) for value in found.values()):
            raise ValueError("it holds more than tensors")
        return found
    except (OSError, SafetensorError, ValueError, RuntimeError, AttributeError, EOFError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
    except pickle.UnpicklingError:
        reason = "it is no file of tensors alone"
    raise ConfigError(
        f"backbone.weights={file}: cannot be read ({printable(reason)}). Give "
        "a .safetensors file, or a .pth one with nothing but tensors"
    )
