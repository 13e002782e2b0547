"""The loops that one would write without this package, as yardsticks for `rscvae bench`; nothing trains with them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rscvae_lab import losses
from rscvae_lab._torchvision import torchvision
from rscvae_lab.config import Config
from rscvae_lab.datasets.augmentation import DEGREES
from rscvae_lab.models.vae import VAE


class PictureDataset(Dataset):
    """`torchvision.datasets.MNIST` line by line, on pictures in memory: to a picture, resized, to a tensor; a label."""

    def __init__(self, images: Tensor, size: int):
        transforms = torchvision.transforms
        self.data, self.targets = images.squeeze(1), torch.zeros(len(images), dtype=torch.long)
        self.transform = transforms.Compose([transforms.Resize(size), transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, target = self.data[index], int(self.targets[index])
        return self.transform(Image.fromarray(image.numpy())), target


def from_loader(images: Tensor, config: Config) -> Iterator[Tensor]:
    """Batches without end through Dataset and DataLoader."""
    dataset = PictureDataset(images, config.image_size)
    loader = DataLoader(dataset, config.batch_size, shuffle=True, drop_last=True)
    while True:
        for batch, _ in loader:
            yield batch.to(config.device)


def from_folder(root: Path, config: Config) -> Iterator[Tensor]:
    """Batches without end through torchvision's ImageFolder and transforms, as one would load and augment MVTec AD."""
    transforms = torchvision.transforms
    steps = [transforms.Resize(config.image_size), transforms.RandomHorizontalFlip(), transforms.RandomVerticalFlip(),
             transforms.RandomRotation(DEGREES, transforms.InterpolationMode.BILINEAR), transforms.ToTensor()]
    dataset = torchvision.datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = DataLoader(dataset, config.batch_size, shuffle=True, drop_last=True)
    while True:
        for batch, _ in loader:
            yield batch.to(config.device)


def from_memory(images: Tensor, config: Config) -> Iterator[Tensor]:
    """Batches without end from one float tensor in memory."""
    whole = (images.float() / 255).to(config.device)
    while True:
        for batch in torch.randperm(len(whole)).split(config.batch_size):
            if len(batch) == config.batch_size:
                yield whole[batch.to(config.device)]


def training(batches: Iterator[Tensor], config: Config) -> Callable[[], float]:
    """A step of the plain loop of mode o: the same network and loss, torch's Adam, float32, the loss read each step."""
    model = VAE.from_config(config).to(config.device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    weights, y = losses.Weights.of(config), torch.zeros(config.batch_size, dtype=torch.bool, device=config.device)

    def step() -> float:
        x = next(batches)
        noise = torch.randn(len(x), config.latent, device=config.device)
        loss = losses.objective(losses.terms(x, model(x, noise), config.js), y, weights).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def synthetic(n: int, size: int, seed: int = 0) -> Tensor:
    """Pictures to time with where no data set is at hand: uint8 (N, 1, size, size)."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, 1, size, size), dtype=np.uint8))
