"""The loops one would write without this package, for `rscvae bench` to compare with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from rscvae_lab import losses
from rscvae_lab._torchvision import torchvision
from rscvae_lab.config import Config
from rscvae_lab.datasets.augmentation import DEGREES
from rscvae_lab.models import conv
from rscvae_lab.models.vae import VAE

transforms = torchvision.transforms
_PLAIN = {conv.Conv2d: nn.Conv2d, conv.ConvTranspose2d: nn.ConvTranspose2d}


class ImageDataset(Dataset):
    """Images in memory, served as torchvision.datasets.MNIST does: PIL image, resized, tensor."""

    def __init__(self, images: Tensor, size: int):
        self.images = images.squeeze(1)
        self.transform = transforms.Compose([transforms.Resize(size), transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), 0


def from_loader(dataset: Dataset, config: Config) -> Iterator[Tensor]:
    """Endless batches from a DataLoader."""
    loader = DataLoader(dataset, config.batch_size, shuffle=True, drop_last=True)
    while True:
        for batch, _ in loader:
            yield batch.to(config.device)


def from_memory(images: Tensor, config: Config) -> Iterator[Tensor]:
    """Endless batches from one float tensor in memory."""
    data = (images.float() / 255).to(config.device)
    while True:
        for batch in torch.randperm(len(data)).split(config.batch_size):
            if len(batch) == config.batch_size:
                yield data[batch.to(config.device)]


def image_folder(root: Path, config: Config) -> Dataset:
    """torchvision's ImageFolder with its transforms, as one would load and augment MVTec AD."""
    return torchvision.datasets.ImageFolder(str(root), transforms.Compose([
        transforms.Resize(config.image_size), transforms.RandomHorizontalFlip(),
        transforms.RandomVerticalFlip(),
        transforms.RandomRotation(DEGREES, transforms.InterpolationMode.BILINEAR),
        transforms.ToTensor()]))


def training(batches: Iterator[Tensor], config: Config) -> Callable[[], float]:
    """One step of mode o: torch's own layers and Adam, the loss read in every step, and autocast
    where the config's precision is bfloat16."""
    model = VAE.from_config(config).to(config.device)
    for layer in model.modules():
        layer.__class__ = _PLAIN.get(type(layer), type(layer))
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)

    def step() -> float:
        x = next(batches)
        noise = torch.randn(len(x), config.latent, device=config.device)
        with torch.autocast(config.device, torch.bfloat16, config.precision == "bfloat16"):
            coding = model(x, noise)
        recon, enc1, enc2, mut = losses.terms(x, coding, config.js)
        loss = (recon + enc1 + config.lambda_consist * (enc2 + mut)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def random_images(n: int, size: int) -> Tensor:
    """Noise to time with, so that no data set is needed: uint8 (n, 1, size, size)."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (n, 1, size, size), generator=generator, dtype=torch.uint8)
