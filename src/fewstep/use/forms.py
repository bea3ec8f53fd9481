"""The forms in which a network leaves: written, and asked again."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def write_onnx(module: nn.Module, pixels: Tensor, file: Path, metadata: dict[str, str]) -> None:
    """Write a module as ONNX, for any number of pictures at once."""
    import onnx

    program = torch.onnx.export(
        module,
        (pixels[:2],),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("pictures", min=1)},),
        input_names=["pixels"],
        output_names=["probabilities"],
        external_data=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, metadata)
    file.write_bytes(model.SerializeToString())


def run_onnx(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What asks an ONNX file, given pixels."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda pixels: np.asarray(session.run(None, {"pixels": pixels})[0])


def write_pt2(module: nn.Module, pixels: Tensor, file: Path, metadata: dict[str, str]) -> None:
    """Write a module in torch.export's form."""
    shapes = ({0: torch.export.Dim("pictures", min=1)},)
    program = torch.export.export(module, (pixels[:2],), dynamic_shapes=shapes)
    whole = io.BytesIO()  # of a file, torch wants the name of its form
    torch.export.save(program, whole, extra_files=metadata)
    file.write_bytes(whole.getvalue())


def run_pt2(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """What asks such a file, given pixels."""
    with file.open("rb") as data:
        network = torch.export.load(data).module()
    return lambda pixels: network(torch.from_numpy(pixels)).detach().numpy()


FORMS = {".onnx": (write_onnx, run_onnx), ".pt2": (write_pt2, run_pt2)}
"""By the ending of the file."""
