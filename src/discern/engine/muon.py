"""timm's Muon for processors that are slow in bfloat16.

timm always orthogonalizes in bfloat16, which takes a CPU without bfloat16 instructions twenty times as long as float32.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from timm.optim import muon

_ORTHOGONALIZE = muon.zeropower_via_newtonschulz


class Float32Muon(muon.Muon):
    """timm's Muon, orthogonalizing in float32."""

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update all parameters that have a gradient."""
        # timm's optimizer has no option for the data type, but its function has.
        muon.zeropower_via_newtonschulz = partial(_ORTHOGONALIZE, dtype=torch.float32)
        try:
            return super().step(closure)  # type: ignore[no-untyped-call]
        finally:
            muon.zeropower_via_newtonschulz = _ORTHOGONALIZE
