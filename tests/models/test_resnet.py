"""The ResNet-18 of 64 channels against torchvision's own, and the decoder that mirrors it."""

import pytest
import torch
from torch import nn

from rscvae_lab import losses
from rscvae_lab._torchvision import torchvision
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.models.resnet import decoder, encoder
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import measure


def plate(**settings) -> Config:
    return Config(**{"dataset": "synthetic", "category": "plate", "image_size": 64} | settings)


def torchvisions(channels: int) -> nn.Sequential:
    """torchvision's ResNet-18 without its head, its stages made anew with 64 channels."""
    whole = torchvision.models.resnet18()
    whole.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    whole.inplanes = 64
    for name in ("layer2", "layer3", "layer4"):
        setattr(
            whole, name, whole._make_layer(torchvision.models.resnet.BasicBlock, 64, 2, stride=2)
        )
    return nn.Sequential(*list(whole.children())[:-2], nn.Flatten())


def size_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_encoder_computes_what_torchvisions_does(channels, generator):
    """With the same weights: an order, a stride, a shortcut or a rectifier that differs fails
    here."""
    ours, theirs = encoder(channels), torchvisions(channels)
    pairs = zip(theirs.state_dict().values(), ours.state_dict().values(), strict=True)
    for expected, found in pairs:
        found.copy_(expected)
    x = torch.rand(2, channels, 64, 64, generator=generator)
    for mode in (True, False):  # statistics of the batch, then the running ones
        torch.testing.assert_close(ours.train(mode)(x), theirs.train(mode)(x))


def test_all_widths_are_64():
    for half in (encoder(3), decoder(3, 128, 64)):
        convolutions = [
            layer for layer in half.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        ]
        widths = [(layer.in_channels, layer.out_channels) for layer in convolutions]
        assert {width for pair in widths for width in pair} == {3, 64}
        assert sum(3 in pair for pair in widths) == 1


def test_parameters_counted_by_hand():
    """A basic block has two 3x3 convolutions, each with a scale and a shift a channel."""
    norm, block, shortcut = 2 * 64, 2 * (64 * 64 * 9 + 2 * 64), 64 * 64 + 2 * 64
    assert size_of(encoder(3)) == 3 * 64 * 49 + norm + 8 * block + 3 * shortcut == 614_080
    doubled = 64 * 64 * 16 + norm
    first, last = (128 + 1) * 64 * 8 * 8, 64 * 3 * 16 + 3
    assert size_of(decoder(3, 128, 256)) == first + 4 * block + 4 * doubled + last
    heads = 2 * (64 * 8 * 8 + 1) * 128
    whole = VAE.from_config(plate(image_size=256))
    assert size_of(whole) == 614_080 + heads + size_of(decoder(3, 128, 256))


@pytest.mark.parametrize(
    ("size", "channels", "latent"), [(32, 3, 8), (64, 1, 16), (128, 3, 128), (256, 3, 128)]
)
def test_shapes_and_ranges(size, channels, latent, generator):
    model = VAE.from_config(plate(image_size=size, channels=channels, latent=latent)).eval()
    with torch.no_grad():
        coding = model(torch.rand(2, channels, size, size, generator=generator))
        features = model.encoder(torch.zeros(1, channels, size, size))
    assert features.shape == (1, 64 * (size // 32) ** 2)
    assert coding.x_hat.shape == (2, channels, size, size)
    assert coding.mu_re.shape == coding.log_var.shape == (2, latent)
    assert 0 <= coding.x_hat.min() <= coding.x_hat.max() <= 1


def test_large_pictures_are_evaluated_few_at_a_time():
    """256 pictures of 32 x 32 a pass, or as many pixels: at once they would take gigabytes at 256
    x 256."""
    model, sizes = VAE.from_config(plate(image_size=128, latent=8)), []
    model.to_mu.register_forward_hook(lambda layer, given, made: sizes.append(len(made)))
    assert len(measure(model, torch.zeros(20, 3, 128, 128, dtype=torch.uint8))) == 20
    assert sizes == [16, 16, 4, 4], "each chunk is coded and coded again"


def test_the_paper_setting_is_the_default():
    config = Config(dataset="mvtec_ad", category="bottle")
    assert (config.network, config.image_size, config.latent, config.batch_size) == (
        "resnet18",
        256,
        128,
        8,
    )
    assert [
        Config(dataset="mvtec_ad", category=name).channels for name in ("bottle", "screw")
    ] == [3, 1]


@pytest.mark.parametrize("size", [48, 16, 0])
def test_sides_it_cannot_halve_five_times_are_refused(size):
    with pytest.raises(InputError, match=f"multiple of 32 from 32 up, found {size}"):
        plate(image_size=size)


def test_the_loss_reaches_every_parameter(generator):
    model = VAE.from_config(plate(latent=16))
    coding = model(
        torch.rand(4, 3, 64, 64, generator=generator), torch.randn(4, 16, generator=generator)
    )
    x, batch = (
        torch.rand(1, 4, 3, 64, 64, generator=generator),
        [part.unsqueeze(0) for part in coding],
    )
    terms = losses.terms(x, type(coding)(*batch))
    losses.objective(terms, torch.zeros(1, 4), losses.Weights(0.1, 0.1, 1.0)).sum().backward()
    silent = [
        name for name, parameter in model.named_parameters() if not parameter.grad.abs().max() > 0
    ]
    assert not silent


def test_the_seed_alone_decides_the_weights():
    """torchvision's blocks are built too, and would draw from the process's own generator."""
    before = torch.random.get_rng_state()
    one, same, other = (VAE.from_config(plate(seed=seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["encoder.4.conv1.weight"], other["encoder.4.conv1.weight"])
    assert all(tensor.isfinite().all() for tensor in one.values())
