"""The two halves of the network for pictures of 32x32 pixels and other multiples of 16."""

from torch import nn

SLOPE = 0.2  # LeakyReLU, Sec. 4.1


def encoder(channels: int, widths: tuple[int, ...]) -> nn.Sequential:
    """Four 3x3 convolutions, each followed by batch normalisation and LeakyReLU(0.2) (Sec. 4.1), then flattened.

    Our choice where the paper is silent: stride 2 in all four, so that (B, C, S, S) becomes (B, widths[3] (S/16)^2).
    """
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((channels, *widths), widths):
        convolution = nn.Conv2d(n_in, n_out, kernel_size=3, stride=2, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*blocks, nn.Flatten())


def decoder(channels: int, widths: tuple[int, ...], latent: int, image_size: int) -> nn.Sequential:
    """The mirrored decoder, our choice: a linear layer, four 4x4 stride-2 transposed convolutions, a sigmoid."""
    side = image_size // 16
    ups = widths[::-1]
    blocks: list[nn.Module] = [nn.Linear(latent, ups[0] * side * side), nn.Unflatten(1, (ups[0], side, side))]
    for n_in, n_out in zip(ups, ups[1:]):
        convolution = nn.ConvTranspose2d(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False)
        blocks += [convolution, nn.BatchNorm2d(n_out), nn.LeakyReLU(SLOPE)]
    last = nn.ConvTranspose2d(ups[-1], channels, kernel_size=4, stride=2, padding=1)
    return nn.Sequential(*blocks, last, nn.Sigmoid())
