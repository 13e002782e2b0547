"""A latent space of two dimensions: what is decoded everywhere in it, and where codes lie."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.errors import InputError
from rscvae_lab.losses import enc1


class Recoded(NamedTuple):
    """A point z of the plane on its way z -> x_hat -> second code -> x_re."""

    x_hat: np.ndarray  # G(z), (C, S, S) in [0, 1]
    mu_re: np.ndarray  # (2,)
    sigma_re: np.ndarray  # (2,)
    information: float  # of the second code, nats
    x_re: np.ndarray  # G(mu_re), (C, S, S) in [0, 1]


@dataclass(frozen=True)
class Plane:
    """The latent space of a run with `latent=2`, as a square around the origin."""

    survey: Survey
    reach: float  # half its side
    mosaic: np.ndarray  # (n S, n S), images decoded at the centres of n x n squares; z_2 upward
    codes: pd.DataFrame  # of the test images: mu_1, mu_2, sigma_1, sigma_2, label
    field: pd.DataFrame  # of a grid of points z: z_1, z_2, and mu_re_1, mu_re_2 of G(z)

    @classmethod
    def of(cls, survey: Survey, reach: float = 3.2, n: int = 9) -> Self:
        """Decodes n x n points, and recodes (2 n)^2. Raises InputError for a run of another latent
        dimension."""
        config, model = survey.run.config, survey.run.model
        if config.latent != 2:
            raise InputError("expected a run with latent=2 to draw its codes as a plane, found "
                             f"latent={config.latent}")
        points, starts = _grid(reach, n), _grid(reach, 2 * n)
        with torch.inference_mode():
            images, ends = model.decode(points).mean(1), model.encode(model.decode(starts))[0]
        side, coding = images.shape[-1], survey.test.coding
        mosaic = images.view(n, n, side, side).transpose(1, 2).reshape(n * side, n * side)
        codes = _columns(mu=coding.mu, sigma=(0.5 * coding.log_var).exp())
        codes["label"] = survey.test.frame.label.to_numpy()
        return cls(survey, reach, mosaic.numpy(), codes, _columns(z=starts, mu_re=ends))

    def recoded(self, z: tuple[float, float]) -> Recoded:
        """Decodes a point, and encodes and decodes what comes out once more."""
        model = self.survey.run.model
        with torch.inference_mode():
            x_hat = model.decode(torch.tensor([z], dtype=torch.float32))
            mu, log_var = model.encode(x_hat)
            x_re, information = model.decode(mu), enc1(mu, log_var).item()
        return Recoded(x_hat[0].numpy(), mu[0].numpy(), (0.5 * log_var[0]).exp().numpy(),
                       information, x_re[0].numpy())


def _grid(reach: float, n: int) -> Tensor:
    """The centres of n x n squares, (n^2, 2), rows from the top, each from the left."""
    centres = torch.linspace(-reach, reach, 2 * n + 1)[1::2]
    z_2, z_1 = torch.meshgrid(centres.flip(0), centres, indexing="ij")
    return torch.stack([z_1, z_2], -1).view(-1, 2)


def _columns(**values: Tensor) -> pd.DataFrame:
    """Two columns of each tensor (N, 2)."""
    return pd.DataFrame({f"{name}_{d + 1}": both[:, d].numpy()
                         for name, both in values.items() for d in (0, 1)})
