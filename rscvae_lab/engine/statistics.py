"""Batch normalisation in scores: one pass over the training images, the same for every method."""

import torch
from torch import Tensor, nn

from rscvae_lab.datasets.images import as_network_input
from rscvae_lab.models.vae import VAE

_CHUNK = 256  # images of 32x32 pixels in a batch; of larger ones as many fewer


@torch.no_grad()
def set_statistics(model: VAE, images: Tensor, recode: bool = True) -> None:
    """Sets the running statistics to those of normal images on the way that scores take.

    torch's running averages are those of the last training batches, and of what a mode happened
    to pass: plain VAE's never see a reconstruction, which its score encodes all the same. So that
    methods can be compared, the averages are replaced after training by one pass over the training
    images with z = mu (our choice; the paper is silent). Chunks are of equal size and count alike.

    Args:
        images: normal training images, uint8 (N, C, S, S).
        recode: whether the encoder's statistics include reconstructions.
    """
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta, was_training = [layer.momentum for layer in norms], model.training
    for layer in norms:
        layer.reset_running_stats()
        layer.momentum = None  # torch's cumulative average
    chunk = min(len(images), max(2, _CHUNK * 32**2 // model.image_size**2))
    device = next(model.parameters()).device
    model.train()
    for part in images[: len(images) // chunk * chunk].split(chunk):
        x = as_network_input(part.to(device), model.channels, model.image_size)
        model(x.contiguous(memory_format=torch.channels_last), recode=recode)
    for layer, momentum in zip(norms, momenta):
        layer.momentum = momentum
    model.train(was_training)
