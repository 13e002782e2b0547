"""The two halves of the plain network, for images of 32x32 pixels and other multiples of 16."""

import torch
from torch import Tensor, nn

from rscvae_lab.models.conv import Conv2d, ConvTranspose2d

SLOPE = 0.2  # of LeakyReLU, Sec. 4.1


def encoder(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Four 3x3 convolutions, each with batch normalisation and LeakyReLU(0.2) (Sec. 4.1). Our
    choice where the paper is silent: stride 2 in all four, so that images (B, C, S, S) become
    features (B, widths[3] (S/16)^2)."""
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((channels, *widths), widths):
        convolution = Conv2d(n_in, n_out, kernel_size=3, stride=2, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE, inplace=True)]
    return nn.Sequential(*blocks, nn.Flatten())


def decoder(channels: int, widths: tuple[int, ...], latent: int, image_size: int) -> nn.Sequential:
    """The mirrored decoder, our choice: a linear layer, four 4x4 stride-2 transposed convolutions.
    Codes (B, D) become images (B, C, S, S) in [0, 1]."""
    side, ups = image_size // 16, widths[::-1]
    blocks: list[nn.Module] = [nn.Linear(latent, ups[0] * side * side),
                               nn.Unflatten(1, (ups[0], side, side))]
    for n_in, n_out in zip(ups, ups[1:]):
        convolution = ConvTranspose2d(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE, inplace=True)]
    return nn.Sequential(*blocks, ToPixels(ups[-1], channels, kernel_size=4, stride=2, padding=1))


class ToPixels(ConvTranspose2d):
    """The last layer and its sigmoid, always in the precision of the weights: under bfloat16
    autocast an image would have some 700 different grey levels."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype)).sigmoid()
