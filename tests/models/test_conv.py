"""The fast convolutions give torch's numbers and torch's gradients, whichever way they compute."""

import pytest
import torch
from torch import nn

from rscvae_lab.models.conv import Conv2d, ConvTranspose2d

NARROW, WIDE = (3, 5), (64, 128)  # channels: the library's kernels; our products


def pair(kind: str, channels: tuple[int, int], bias: bool) -> tuple[nn.Module, nn.Module]:
    """Our layer and torch's with the same weights, in float64."""
    ours, theirs, kernel = {
        "halve": (Conv2d, nn.Conv2d, 3),
        "double": (ConvTranspose2d, nn.ConvTranspose2d, 4),
    }[kind]
    settings = {"kernel_size": kernel, "stride": 2, "padding": 1, "bias": bias}
    one, two = ours(*channels, **settings).double(), theirs(*channels, **settings).double()
    two.load_state_dict(one.state_dict())
    return one, two


@pytest.mark.parametrize("as_products", [False, True])
@pytest.mark.parametrize("channels", [NARROW, WIDE, WIDE[::-1]])
@pytest.mark.parametrize(("kind", "bias"), [("halve", False), ("double", False), ("double", True)])
def test_layers_and_their_gradients_are_torchs(kind, bias, channels, as_products, generator):
    ours, theirs = pair(kind, channels, bias)
    ours.as_products = as_products
    x = torch.randn(2, channels[0], 6, 4, generator=generator, dtype=torch.float64)
    gradients = []
    for layer in (ours, theirs):
        image = x.clone().requires_grad_()
        y = layer(image)
        weight = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
        gradients.append(
            [y, *torch.autograd.grad((y.square() * weight).sum(), (image, *layer.parameters()))]
        )
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", ["halve", "double"])
def test_the_first_layer_needs_no_gradient_of_its_images(kind, generator):
    ours, theirs = pair(kind, WIDE, False)
    x = torch.randn(2, 64, 4, 4, generator=generator, dtype=torch.float64)
    found, expected = (
        torch.autograd.grad(layer(x).square().sum(), layer.weight) for layer in (ours, theirs)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 5},
        {"kernel_size": 3, "stride": 2, "padding": 1},
    ],
)
@pytest.mark.parametrize("layer", [Conv2d, ConvTranspose2d])
def test_another_geometry_or_odd_sides_are_left_to_torch(layer, settings, generator):
    ours = layer(64, 128, **settings)
    x = torch.randn(1, 64, 7, 7, generator=generator)
    theirs = nn.Conv2d.forward if layer is Conv2d else nn.ConvTranspose2d.forward
    assert torch.equal(ours(x), theirs(ours, x))


def test_autocast_casts_as_torchs_layers_do(generator):
    ours, theirs = (layer.float() for layer in pair("halve", WIDE, False))
    x = torch.randn(4, 64, 4, 4, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = ours(x), theirs(x)
    assert found.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)
