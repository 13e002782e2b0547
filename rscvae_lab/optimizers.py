"""Adam for M models side by side."""

import torch
from torch import Tensor


class RowwiseAdam:
    """Adam (Kingma and Ba 2015, Alg. 1; `torch.optim.Adam` with its defaults) on the rows of a matrix.

    What torch's own lacks is a rate and a step count for each row, and rows that rest: with fewer images than others
    a model of a stack has fewer steps in an epoch.
    """

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

    def __init__(self, flat: Tensor):
        self.flat = flat  # (M, P)
        self.mean, self.square = torch.zeros_like(flat), torch.zeros_like(flat)
        # in float64, for 1 - 0.999^t cancels
        self.steps = torch.zeros(len(flat), 1, dtype=torch.float64, device=flat.device)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: Tensor, active: Tensor) -> None:
        """flat -= rate m_hat / (sqrt(v_hat) + eps) in rows where `active` (M, 1); the others stay as they are.

        Args:
            gradient: (M, P); used up as working memory.
            rate: (M, 1).
        """
        self.steps += active
        taken = self.steps.clamp(min=1)
        moved, dtype = active.to(self.flat.dtype), self.flat.dtype
        self.mean.lerp_(gradient, (1 - self.BETA1) * moved)
        self.square.lerp_(gradient.square_(), (1 - self.BETA2) * moved)
        # m_hat / (sqrt(v_hat) + eps) with both corrections taken out of the long vectors
        root = (1 - self.BETA2**taken).sqrt()
        denominator = torch.sqrt(self.square, out=gradient).add_((self.EPS * root).to(dtype))
        direction = torch.div(self.mean, denominator, out=gradient)
        self.flat.addcmul_(direction, (-rate * moved * root / (1 - self.BETA1**taken)).to(dtype))

    @property
    def state(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "square": self.square, "steps": self.steps}
