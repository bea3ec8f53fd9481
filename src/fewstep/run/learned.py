"""What the inner rule learns, as parameters that a checkpoint holds."""

from __future__ import annotations

import torch
from torch import nn

from fewstep.core.types import Params


class Learned(nn.ParameterDict):
    """Hyper-parameters of the inner rule that the outer step learns, by names without dots, which
    a module's must not have; empty for most rules."""

    def __init__(self, initial: Params) -> None:
        values = {n.replace(".", ":"): nn.Parameter(p.clone()) for n, p in initial.items()}
        super().__init__(values)

    def by_name(self) -> dict[str, nn.Parameter]:
        """By the names that they have for the rule."""
        return {name.replace(":", "."): parameter for name, parameter in self.items()}

    def summary(self) -> dict[str, float]:
        """The range of each entry: `inner_lr_min`, `inner_lr_mean` and `inner_lr_max`, say."""
        entries: dict[str, list[torch.Tensor]] = {}
        for name, parameter in self.items():
            entries.setdefault(name.split("/")[1], []).append(parameter.detach().reshape(-1))
        found = {}
        for entry, parts in entries.items():
            values = torch.cat(parts)
            for kind, value in (("min", values.min()), ("mean", values.mean())):
                found[f"inner_{entry}_{kind}"] = float(value)
            found[f"inner_{entry}_max"] = float(values.max())
        return found
