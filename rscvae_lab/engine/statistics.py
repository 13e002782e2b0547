"""Batch normalisation in scores: one pass over the training images, the same for every method."""

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from rscvae_lab.datasets.images import as_network_input
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import VAE

_CHUNK = 256  # images of 32x32 pixels in a batch; of larger ones as many fewer


def set_statistics(model: VAE, images: Tensor, recode: bool = True) -> None:
    """Sets the running statistics to those of normal images on the way that scores take.

    torch's running averages are those of the last training batches, and of what a mode happened
    to pass: plain VAE's never see a reconstruction, which its score encodes all the same. So that
    methods can be compared, the averages are replaced after training by one pass over the training
    images, normal and (N, C, S, S), with z = mu (our choice; the paper is silent). Chunks are of
    equal size and count alike; a last, smaller one is left out. `recode` includes reconstructions
    in the encoder's: the average of both passes' means and variances, each pass normalised by its
    own chunk meanwhile. Raises InputError for a single image where a layer has one value of it,
    and so no variance.
    """
    n = min(len(images), max(2, _CHUNK * 32**2 // model.image_size**2))
    device = next(model.parameters()).device
    chunks = (as_network_input(part.to(device), model.channels, model.image_size)
              for part in images[: len(images) // n * n].split(n))
    with model.register_forward_pre_hook(lambda _, inputs: (*inputs, None, recode)):
        try:
            update_bn((x.contiguous(memory_format=torch.channels_last) for x in chunks), model)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise  # an error of the user's own network
            raise InputError(f"expected more images to train on at {model.image_size} pixels, "
                             f"found {len(images)}: batch normalisation has one value of each "
                             "channel") from None
