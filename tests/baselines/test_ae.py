"""The autoencoder against PCA, which a linear one equals."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as SklearnPCA
from torch import nn

from rscvae_lab.baselines.ae import AE
from rscvae_lab.baselines.fitting import seeded
from rscvae_lab.config import Config
from rscvae_lab.trainers import train


def linear(pixels: int, k: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of a linear autoencoder around 0.5, begun as a random orthogonal
    projection."""
    into, out = nn.Linear(pixels, k), nn.Linear(k, pixels)
    with torch.no_grad(), seeded(0):
        nn.init.orthogonal_(into.weight)
        out.weight.copy_(into.weight.T)
        into.bias.copy_(-into.weight.sum(1) / 2)
        out.bias.fill_(0.5)
    return nn.Sequential(nn.Flatten(), into), nn.Sequential(out, nn.Unflatten(1, (1, 32, 32)))


def test_linear_autoencoder_reaches_the_error_of_pca(generator):
    """On Gaussian data a linear autoencoder with k units can do no better than PCA-k, and does as
    well within 2 %."""
    k, pixels = 3, 32 * 32
    factors = torch.randn(256, 8, generator=generator) * torch.tensor([8.0, 6, 5, 1, 1, 1, 1, 1])
    basis = torch.linalg.qr(torch.randn(pixels, 8, generator=generator)).Q
    images = (
        ((0.5 + 0.2 * factors @ basis.T).clamp(0, 1).view(-1, 1, 32, 32) * 255)
        .round()
        .to(torch.uint8)
    )
    config = Config(mode="ae", epochs=300, learning_rate=1e-3, batch_size=256)
    found = AE(config, *linear(pixels, k)).fit(images).score(images).mean().item()
    flat = images.flatten(1).numpy() / 255
    pca = SklearnPCA(k).fit(flat)
    best = np.mean((flat - pca.inverse_transform(pca.transform(flat))) ** 2)
    assert best * 0.999 < found < best * 1.02


@pytest.mark.real_data
@pytest.mark.slow
def test_digit_8(tmp_path):
    assert (
        train(Config(dataset="mnist", mode="ae", epochs=5), tmp_path, progress=False).metrics[
            "auroc"
        ]
        > 0.78
    )
