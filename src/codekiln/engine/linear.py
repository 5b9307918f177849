"""One weight matrix, held in the layout in which this machine multiplies it fastest.

On a CPU in bfloat16 that is oneDNN's blocked layout, made once: with the plain one oneDNN works
through a strided matrix at every step, which doubles the time of a step at small batches. The
product is the same to the bit. Elsewhere the matrix stays as it is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Linear:
    """x -> x @ weight.T + bias, for weight [out, in] and bias [out]."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self._bias = bias
        self._is_packed = can_pack(weight)
        # Behind PyTorch's own `freezing` of compiled models; there is no public name for it.
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight, None) if self._is_packed else weight
        )

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        """Map x [rows, in] to [rows, out]."""
        if self._is_packed:
            product: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, "none", [], ""
            )
            return product
        return F.linear(x, self._weight, self._bias)


def can_pack(weight: Tensor) -> bool:
    """Whether a packed copy is worth making: bfloat16, on a CPU, with oneDNN at hand.

    Not in float32: there PyTorch uses another library, which gains nothing from it.
    """
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.bfloat16
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )
