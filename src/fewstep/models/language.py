"""A published language model with a LoRA of each task's own, by transformers and peft."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.models.decoder import allowed_by


PROJECTIONS = ("gate_proj", "up_proj", "down_proj")


class LanguageModel(nn.Module):
    """What `Decoder` is, with published weights: everything but the LoRA is fine-tuned. Not run
    with a model of billions of parameters so far."""

    programs = False
    """Nobody traces what is not ours."""

    def __init__(
        self, name: str, rank: int = 32, alpha: float = 64.0, bidirectional: bool = True
    ) -> None:
        """
        Args:
            name: as transformers takes it, a folder or a name; nothing is downloaded.
            rank: of the LoRA beside the SwiGLU of the layers from int(0.65 layers).
            alpha: it counts `alpha / rank` times.
            bidirectional: a turn of context is read as a whole, both ways.

        Raises:
            ValueError: a library or the model that is not there.
        """
        super().__init__()
        try:
            peft, transformers = map(import_module, ("peft", "transformers"))
        except ImportError as error:
            raise ValueError(
                f"model.name={name}: needs {error.name}, which is not installed. "
                "pip install 'fewstep[llm]'"
            ) from None
        try:
            body: Any = transformers.AutoModelForCausalLM.from_pretrained(
                name, dtype=torch.bfloat16, local_files_only=True, attn_implementation="sdpa"
            )
        except OSError:
            raise ValueError(
                f"model.name={name}: is not on this machine. Fetch it with huggingface-cli "
                f"download {name}, or name its folder"
            ) from None
        layers = body.config.num_hidden_layers
        adapted = [*range(int(0.65 * layers), layers)]
        lora = peft.LoraConfig(
            r=rank, lora_alpha=alpha, target_modules=PROJECTIONS, layers_to_transform=adapted
        )
        self.body, self.bidirectional = peft.get_peft_model(body, lora), bidirectional
        self.body.requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, T, vocabulary] of x [B, 2, T] int64: tokens, and 1 where it is a response."""
        allowed = allowed_by(x[:, 1], self.bidirectional)[:, None]
        barred = torch.zeros(allowed.shape, dtype=torch.bfloat16, device=x.device)
        barred = barred.masked_fill(~allowed, torch.finfo(barred.dtype).min)
        return self.body(input_ids=x[:, 0], attention_mask=barred, use_cache=False).logits.float()
