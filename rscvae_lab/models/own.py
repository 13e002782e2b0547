"""A user's own encoder and decoder in the VAE's place for them."""

import inspect
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.config.code import code_name, fingerprint, structure
from rscvae_lab.errors import InputError

Network = Callable[[Tensor], Tensor]  # a torch.nn.Module, or a function
Networks = tuple[Network | None, Network | None]  # encoder and decoder; None: the config's


class Own(nn.Module):
    """A network that knows nothing of memory formats, and may work in place; a function has no
    weights."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.clone(memory_format=torch.contiguous_format))


def identity(network: Network | None) -> str:
    """The module:class of a network, the fingerprint of its code, structure and weights, and that
    without the weights; or of a function; empty for None. Raises InputError for anything else."""
    if network is None:
        return ""
    if not (inspect.isfunction(network) or isinstance(network, nn.Module)):
        raise InputError("expected an encoder or decoder as a torch.nn.Module or a function, "
                         f"found {network!r}")
    return f"{code_name(network)} {fingerprint(network)} {_without_weights(network)}"


def _without_weights(network: Network) -> str:
    is_module = isinstance(network, nn.Module)
    return fingerprint(*(structure(network) if is_module else [network]))


def copies(config: Config, networks: Networks) -> tuple[Own | None, Own | None]:
    """Copies of a user's networks. Raises InputError for networks of another class or other code
    than those that the config names, or for none where it has some."""
    for half, network in zip(("encoder", "decoder"), networks):
        name, *prints = getattr(config, half).split(" ")
        given = "" if network is None else code_name(network)
        if name != given:
            raise InputError(f"expected {half} {name or 'None'}, found {given or 'none'}: a run "
                             "does not keep the code of networks, Detector.load(folder, "
                             f"{half}=...) takes them")
        if len(prints) == 2 and _without_weights(network) != prints[1]:  # older runs have one
            raise InputError(f"expected {half} {name} with the code that it was trained with, "
                             "found other code or another structure")
    encoder, decoder = deepcopy(networks)  # together: they may share weights
    return tuple(None if network is None else Own(network).to("cpu")
                 for network in (encoder, decoder))


def output(network: Own, x: Tensor) -> Tensor:
    """What a network makes of x, in eval mode. Raises InputError where it cannot take x."""
    was_training = network.training
    try:
        with torch.no_grad():
            return network.eval()(x)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise InputError(f"expected {code_name(network.network)} to take a batch of shape "
                         f"{tuple(x.shape)}, found {' '.join(str(error).split())}") from None
    finally:
        network.train(was_training)
