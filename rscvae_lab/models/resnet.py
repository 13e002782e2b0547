"""The two halves of the network for industrial pictures: a ResNet-18 whose layers all have 64 channels (Sec. 4.1).

The encoder is He et al.'s (2016) with torchvision's own blocks: a 7x7 stem of stride 2, max-pooling, and four stages of
two basic blocks, the last three of stride 2. A picture of 256 pixels ends as 64 maps of 8 x 8. The decoder mirrors it,
our choice: a transposed convolution where the encoder halves, a basic block after each.
"""

from torch import nn

from rscvae_lab._torchvision import torchvision
from rscvae_lab.models.plain import ToPixels

WIDTH, HALVINGS = 64, 5  # sides must be multiples of 2^5 = 32


def encoder(channels: int) -> nn.Sequential:
    """Pictures (B, channels, S, S) to features (B, 64 (S / 32)^2)."""
    stem = [nn.Conv2d(channels, WIDTH, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)]
    stages = [layer for stride in (1, 2, 2, 2) for layer in (_block(stride), _block(1))]
    return nn.Sequential(*stem, *stages, nn.Flatten())


def decoder(channels: int, latent: int, image_size: int) -> nn.Sequential:
    """Codes (B, latent) to pictures (B, channels, S, S) in [0, 1]."""
    side = image_size // 2**HALVINGS
    first = [nn.Linear(latent, WIDTH * side * side), nn.Unflatten(1, (WIDTH, side, side)), _block(1)]
    stages = [layer for _ in range(3) for layer in (*_doubled(), _block(1))]
    return nn.Sequential(*first, *stages, *_doubled(), ToPixels(WIDTH, channels, 4, 2, 1))


def _block(stride: int) -> nn.Module:
    shortcut = None
    if stride > 1:
        shortcut = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1, stride, bias=False), nn.BatchNorm2d(WIDTH))
    return torchvision.models.resnet.BasicBlock(WIDTH, WIDTH, stride, shortcut)


def _doubled() -> list[nn.Module]:
    """Twice the side."""
    return [nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)]
