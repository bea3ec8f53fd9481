"""What an inner rule hands back, held against its contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.types import Params, State
from fewstep.messages.errors import ConfigError


def check_state(name: str, state: Any) -> None:
    """Refuse a state that is anything but tensors in dictionaries.

    Raises:
        ConfigError: naming the entry.
    """
    if not isinstance(state, Mapping):
        raise ConfigError(
            f"{name}: its state is a {type(state).__name__}, and must be a dictionary of tensors. "
            "For example {}"
        )
    for path, leaf in pytree.tree_flatten_with_path(state)[0]:
        if odd := [key for key in path if not isinstance(getattr(key, "key", None), str)]:
            raise ConfigError(
                f"{name}: its state{pytree.keystr(path)} is found by {odd[0]}, and its entries are "
                'called by texts. For example {"steps": torch.zeros(())}'
            )
        if not isinstance(leaf, Tensor):
            raise ConfigError(
                f"{name}: its state{pytree.keystr(path)} is a {type(leaf).__name__}, and must be a "
                "tensor, which threads and vmap carry along. For example torch.zeros(())"
            )


def check_kept(who: str, learned: State, state: State) -> None:
    """Refuse a change of what is the outer step's alone to learn.

    Raises:
        ConfigError: naming the entry.
    """
    for entry, value in learned.items():
        if entry not in state or not same(value, state[entry]):
            raise ConfigError(
                f"{who} must hand state[{entry!r}] back as it is, which the outer step learns "
                f"(inner/{entry}): a change would be lost. Keep a memory under another name"
            )


def check_params(who: str, found: Any, params: Params) -> None:
    """Refuse anything but a tensor for each parameter, of its shape and in its precision.

    Raises:
        ConfigError: naming what is missing, or otherwise.
    """
    if not isinstance(found, Mapping) or found.keys() != params.keys():
        what = f"a {type(found).__name__}"
        if isinstance(found, Mapping):
            what = ", ".join(map(str, found)) or "nothing"
        raise ConfigError(
            f"{who} must return every parameter that it is given ({', '.join(params)}), and "
            f"returns {what}. What it does not move it returns as it is"
        )
    for key, p in params.items():
        value = found[key]
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (p.shape, p.dtype):
            kind = type(value).__name__
            what = f"{list(value.shape)} in {value.dtype}" if isinstance(value, Tensor) else kind
            raise ConfigError(
                f"{who} must return {key} as it was, {list(p.shape)} in {p.dtype}, and returns "
                f"{what}"
            )


def copied(tree: Any) -> Any:
    """The same values in tensors of one's own."""
    return pytree.tree_map_only(Tensor, torch.clone, tree)


def same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same tensors, bit for bit."""
    if isinstance(one, Mapping):
        alike = isinstance(other, Mapping) and one.keys() == other.keys()
        return alike and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        alike = isinstance(other, (list, tuple)) and len(one) == len(other)
        return alike and all(map(same, one, other))
    if not isinstance(one, Tensor) or not isinstance(other, Tensor) or one.shape != other.shape:
        return False
    return torch.equal(one.nan_to_num(), other.nan_to_num())
