"""From a name, a run directory or a checkpoint to an initialization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from fewstep.adapters.partition import matches
from fewstep.config.trust import check_stored
from fewstep.core.chance import untouched
from fewstep.core.net import Net
from fewstep.core.objectives import Classification
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.run.averaging import NETWORK, RULE, averaged
from fewstep.run.construction import parts
from fewstep.run.learned import Learned
from fewstep.run.stored import shipped
from fewstep.run.stored.starting import stored
from fewstep.run.stored.weights import digest
from fewstep.use.about import ABOUT
from fewstep.use.cards import card_text, run_card
from fewstep.use.initialization import Initialization, start_of
from fewstep.use.learning import Learner
from fewstep.use.network import as_precise
from fewstep.use.origin import Origin
from fewstep.use.settings import modules
from fewstep.use.surroundings import as_usual


if TYPE_CHECKING:
    from fewstep.use.backbone.backbone import Backbone

BACKBONE = "timm:"
"""How the names of pretrained networks begin."""


@as_usual()
def load(
    init: str | Path,
    trust: Sequence[str] = (),
    weights: str | Path | None = None,
    size: int | None = None,
) -> Initialization | Backbone:
    """An initialization to adapt.

    Args:
        init: the name of one that comes with the package (`omniglot`, `glyphs`); a run directory
            or a `.ckpt` file of `fewstep train`; `timm:NAME`, a pretrained network whose features
            are used as they are; or the folder of a saved classifier, for what it was adapted from.
        trust: modules that a stored configuration may name beside parts of fewstep.
        weights: the file of those of `timm:NAME`; None looks into timm's own cache.
        size: side of the squares that `timm:NAME` sees; None is its own. Others have theirs.

    Raises:
        ValueError: there is no such thing (with near names), or it cannot be used: what is wrong.
    """
    name = str(init)
    if not isinstance(init, str | Path) or not name:
        raise ConfigError(
            f"init={init!r}: must be a name or a path. For example init=omniglot, or the folder of "
            "a run"
        )
    trust = modules(trust)
    if name.startswith(BACKBONE):
        from fewstep.use.backbone.backbone import Backbone

        return Backbone.named(name.removeprefix(BACKBONE), weights, size)
    _check_own(name, weights, size)
    return trained(init, trust, (f"{BACKBONE}NAME",))


@as_usual()
def trained(
    init: str | Path, trust: Sequence[str] = (), others: tuple[str, ...] = ()
) -> Initialization | Backbone:
    """The same of what a training or a classifier has left, where no pretrained network is meant.

    Args:
        init: as `load` takes it, but for `timm:NAME`.
        trust: as there.
        others: what else may be given in its place, for whoever has given what is not there.

    Raises:
        ValueError: as there.
    """
    name, path = str(init), expanded(init, "init")
    if name not in shipped.names() and (path / ABOUT).is_file():
        from fewstep.use.about import read
        from fewstep.use.backbone.backbone import NODE, Backbone
        from fewstep.use.reopening import load_classifier

        about = read(path)
        if NODE in about["network"]["model"]:
            return Backbone.of(load_classifier(path))  # the whole of it is in there
        return _adapted_from(path, about["initialization"], trust)
    content, file = stored(name, others)
    if file is None:
        return from_content(content, name, card_text(shipped.about(name)))
    check_stored(content["fewstep"]["config"], f"init={file}", trust)
    return from_content(content, str(file.resolve()), run_card(content, name))


def _adapted_from(
    folder: Path, first: Mapping[str, str], trust: Sequence[str]
) -> Initialization | Backbone:
    """What a saved classifier was adapted from, if it is there as it was."""
    name, saved = first["name"], f"init={folder}: is a saved classifier"
    if name not in shipped.names() and (Path(name) / ABOUT).is_file():
        raise ConfigError(f"{saved} of a classifier, {printable(name)}. Adapt again")
    try:
        made = load(name, trust)
    except ConfigError as error:
        raise ConfigError(f"{saved}, and what it was adapted from cannot be had: {error}") from None
    if made.origin.sha256 != first["sha256"]:
        raise ConfigError(
            f"{saved} of {printable(name)}, which has other weights by now (sha256 "
            f"{made.origin.sha256[:8]}, not {printable(first['sha256'])[:8]}). Name it by itself "
            "if it is what you mean"
        )
    return made


def _check_own(name: str, weights: str | Path | None, size: int | None) -> None:
    """Refuse what only a pretrained network takes."""
    for key, value, why in (
        ("size", size, "sees pictures of the size that it was trained on"),
        ("weights", weights, "has weights of its own"),
    ):
        if value is not None:
            raise ConfigError(
                f"backbone.{key}={value}: init={name} {why}. Leave it out, or use "
                f"init={BACKBONE}NAME"
            )


def from_content(content: Mapping[str, Any], name: str, card: str) -> Initialization:
    """The initialization of a checkpoint's contents.

    Raises:
        ConfigError: it is of another kind of task, or its tensors are not those of its network.
    """
    config, tensors = content["fewstep"]["config"], averaged(content)
    dataset = parts.dataset_of(config)
    classes = isinstance(dataset.objective, Classification)
    if classes and not hasattr(dataset, "preparation"):
        raise ConfigError(
            f"init={name}: its dataset {config['dataset']['name']} does not say how a picture "
            "becomes an input. Give its class a property `preparation`, a fewstep.data.images."
            "preparation.Preparation, or None where inputs are rows of numbers"
        )
    with untouched():  # the weights that it is made with are drawn
        module = parts.build_model(config["model"])
    inner = parts.build_algorithm(config["algorithm"]).inner
    for path, parameter in module.named_parameters():
        parameter.requires_grad_(parameter.requires_grad and not matches(path, inner.frozen))
    learned = Learned(inner.rule, Net(module).params())
    for own, prefix in ((module, NETWORK), (learned, RULE)):
        named = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        _fill(own, named, name)
    entries = {n: p.detach() for n, p in learned.by_name().items()}
    setting = config["eval"]["settings"][0]
    return Initialization(
        Learner(
            module,
            start_of(module, inner, entries, content["fewstep"]["inner_state"]),
            inner,
            dataset.objective,
            config["shots"]["ways"],
            setting["steps"],
            setting["batch_size"],
        ),
        getattr(dataset, "preparation", None),
        Origin(name, digest(tensors), config["model"]),
        card,
        getattr(dataset, "row_preparation", None),
    )


def _fill(module: Any, tensors: Mapping[str, Tensor], name: str) -> None:
    try:
        as_precise(module, tensors).load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfigError(
            f"init={name}: its tensors are not those of its network ({str(error).splitlines()[-1]})"
        ) from None
