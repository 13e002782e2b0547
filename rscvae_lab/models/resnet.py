"""Encoder and decoder for industrial images: a ResNet-18 with 64 channels throughout (Sec. 4.1).

The encoder is He et al.'s (2016), built from torchvision's blocks: a 7x7 stem of stride 2,
max-pooling, and four stages of two basic blocks, the last three of stride 2. An image of 256
pixels becomes 64 feature maps of 8 x 8. The decoder mirrors it (our choice): a transposed
convolution where the encoder halves the resolution, followed by a basic block.
"""

from torch import nn

from rscvae_lab._torchvision import torchvision
from rscvae_lab.models.plain import ToPixels

WIDTH, HALVINGS = 64, 5  # image sides must be multiples of 2^5 = 32


def encoder(channels: int) -> nn.Sequential:
    """Images (B, channels, S, S) to features (B, 64 (S / 32)^2)."""
    stem = [nn.Conv2d(channels, WIDTH, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)]
    stages = [layer for stride in (1, 2, 2, 2) for layer in (_block(stride), _block(1))]
    return nn.Sequential(*stem, *stages, nn.Flatten())


def decoder(channels: int, latent: int, image_size: int) -> nn.Sequential:
    """Codes (B, latent) to images (B, channels, S, S) in [0, 1]."""
    side = image_size // 2**HALVINGS
    first = [nn.Linear(latent, WIDTH * side**2), nn.Unflatten(1, (WIDTH, side, side)), _block(1)]
    stages = [layer for _ in range(3) for layer in (*_upsample(), _block(1))]
    return nn.Sequential(*first, *stages, *_upsample(), ToPixels(WIDTH, channels, 4, 2, 1))


def _block(stride: int) -> nn.Module:
    shortcut = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 1, stride, bias=False),
                             nn.BatchNorm2d(WIDTH)) if stride > 1 else None
    return torchvision.models.resnet.BasicBlock(WIDTH, WIDTH, stride, shortcut)


def _upsample() -> list[nn.Module]:
    """Twice the side."""
    return [nn.ConvTranspose2d(WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True)]
