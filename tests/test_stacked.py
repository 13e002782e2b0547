"""A stack of M models is M models: each ends where it would have ended alone."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.engine import Engine
from rscvae_lab.epochs import draw_epochs, steps_per_epoch
from rscvae_lab.errors import InputError
from rscvae_lab.models.kernels import Lone
from rscvae_lab.models.stacked import StackedVAE
from rscvae_lab.models.vae import VAE
from rscvae_lab.optimizers import RowwiseAdam
from rscvae_lab.trainers import train, train_stack

CONFIGS = [Config(mode=mode, category=category, seed=seed, p=p, stack=4, batch_size=27)  # 4 or 5 steps an epoch
           for mode, category, seed, p in (("vae", "8", 0, 0.01), ("o", "1", 1, 0.01), ("d", "3", 2, 0.3),
                                           ("e", "0", 3, 0.1))]


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def test_models_go_in_and_come_out_unchanged():
    models = [VAE.from_config(config) for config in CONFIGS]
    for model, copy in zip(models, StackedVAE(models).unstack(), strict=True):
        assert not copy.training
        expected = model.state_dict()
        assert copy.state_dict().keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in copy.state_dict().items())


@pytest.mark.parametrize("batched", [False, True])
def test_the_forward_pass_is_the_plain_models(batched, generator):
    models = [VAE.from_config(config).double() for config in CONFIGS]
    x = torch.rand(4, 5, 1, 32, 32, generator=generator, dtype=torch.float64)
    noise = torch.randn(4, 5, 64, generator=generator, dtype=torch.float64)
    stack = StackedVAE(models, dtype=torch.float64, batched=batched)
    found = stack.forward(x, noise, True, torch.ones(4, dtype=torch.bool))
    for i, model in enumerate(models):
        for part, expected in zip(found, model(x[i], noise[i]), strict=True):
            torch.testing.assert_close(part[i], expected)
        for (name, expected), tensor in zip(model.named_buffers(), stack.unstack()[i].buffers(), strict=True):
            if "num_batches" not in name:
                torch.testing.assert_close(tensor, expected)


@pytest.mark.parametrize("batched", [False, True])
def test_settings_of_the_recoding(batched, generator):
    """A recoding that moves no statistics leaves those of a lone encoding; one of a fixed picture, a decoder whose
    gradient is that of the reconstruction alone."""
    models = [VAE.from_config(config).double() for config in CONFIGS[:2]]
    x = torch.rand(2, 5, 1, 32, 32, generator=generator, dtype=torch.float64)
    noise, everyone = torch.randn(2, 5, 64, generator=generator, dtype=torch.float64), torch.ones(2, dtype=torch.bool)
    gradients, stats = [], []
    for recode in (False, ~everyone):
        stack = StackedVAE(models, dtype=torch.float64, batched=batched, fixed_picture=True)
        terms = losses.terms(x, stack.forward(x, noise, recode, everyone))
        loss = terms.recon if terms.mut is None else terms.recon + terms.mut
        gradients.append(stack.gradient(loss).clone())
        stats.append(stack.stats)
    torch.testing.assert_close(*stats)
    sizes = [parameter.numel() for parameter in models[0].parameters() if parameter.dim() > 1]
    encoder, decoder = slice(sizes[0]), slice(sum(sizes) - sizes[-1], sum(sizes))  # the first kernel and the last
    assert not torch.allclose(gradients[0][:, encoder], gradients[1][:, encoder])
    torch.testing.assert_close(gradients[0][:, decoder], gradients[1][:, decoder])


def test_a_lone_recoding_need_not_move_statistics(generator):
    x, noise = torch.rand(1, 5, 1, 32, 32, generator=generator), torch.randn(1, 5, 64, generator=generator)
    stats = []
    for recode in (False, torch.tensor([False]), torch.tensor([True])):
        stack = StackedVAE([VAE.from_config(CONFIGS[1])])
        stack.forward(x, noise, recode, torch.tensor([True]))
        stats.append(stack.stats)
    assert torch.equal(stats[0], stats[1])
    assert not torch.allclose(stats[0], stats[2])


@pytest.mark.parametrize("channels", [1, 3])
def test_hand_made_gradients_are_the_derivatives(channels, generator):
    """Against finite differences; one channel goes another way than several."""
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    assert torch.autograd.gradcheck(Lone.convolution, (draw(2, channels, 8, 8), draw(5, 3, 3, channels)))
    bias = draw(channels)
    assert torch.autograd.gradcheck(Lone.transposed, (draw(2, 5, 4, 4), draw(5, 4, 4, channels), bias))


def test_layers_stay_on_the_device_of_their_images():
    """On the device of no data at all, for want of a GPU: a lone model trains there too."""
    x, kernel = (torch.empty(shape, device="meta", requires_grad=True) for shape in ((2, 8, 8, 8), (4, 3, 3, 8)))
    torch.autograd.grad(Lone.convolution(x, kernel).sum(), (x, kernel))
    kernel = torch.empty(8, 4, 4, 4, device="meta", requires_grad=True)
    torch.autograd.grad(Lone.transposed(x, kernel, None).sum(), (x, kernel))


def test_trainings_in_threads_do_not_meet():
    """Both unfold their images into room that is kept; each must have its own."""
    configs = [replace(CONFIGS[1], stack=1, seed=seed) for seed in range(2)]

    def trained(config: Config) -> torch.Tensor:
        engine = Engine([config], [load_split(config)])
        for epoch in range(1, 6):
            engine.run_epoch(epoch)
        return engine.stack.flat

    expected = [trained(config) for config in configs]
    with ThreadPoolExecutor(2) as threads:
        for found, alone in zip(threads.map(trained, configs), expected, strict=True):
            assert torch.equal(found, alone)


def test_twenty_steps_of_a_stack_are_twenty_steps_alone():
    """float32 on a CPU; data sets of different sizes, so that some models rest while others still step."""
    splits = [load_split(config) for config in CONFIGS]
    stack, alone = Engine(CONFIGS, splits), [Engine([c], [s]) for c, s in zip(CONFIGS, splits)]
    assert {steps_per_epoch(n, 27) for n in stack.sizes} == {4, 5}
    for epoch in range(1, 8):
        sums = stack.run_epoch(epoch)
        for i, engine in enumerate(alone):
            expected = engine.run_epoch(epoch)[0]
            seen = 4 if CONFIGS[i].mode == "vae" else 6  # its terms; the stack recodes for the others
            for found, wanted in zip(sums[i], expected, strict=True):
                assert found[:seen] == pytest.approx(wanted[:seen], rel=1e-5)
    assert stack.optimizer.steps.min() > 20
    for i, engine in enumerate(alone):
        for name, tensor in engine.state.items():
            assert relative(stack.state[name][i], tensor[0]) < 1e-5, name


def test_batched_products_train_as_the_librarys_kernels_do():
    """What a GPU runs, on a CPU, in float64: batch norm of a nearly constant x_hat magnifies float32 rounding a
    thousandfold in the first steps, whichever kernels are used."""
    splits = [load_split(config) for config in CONFIGS]
    sizes = [len(split.train) + len(split.anomalies) for split in splits]
    images = [torch.cat([split.train, split.anomalies]) for split in splits]
    models = [VAE.from_config(config).double() for config in CONFIGS]
    stacks = [StackedVAE(models, dtype=torch.float64, batched=batched) for batched in (False, True)]
    for stack in stacks:
        optimizer = RowwiseAdam(stack.flat)
        for epoch in range(1, 8):
            drawn = draw_epochs([replace(config, mode="e") for config in CONFIGS], epoch, sizes)
            for order, noise, _, _, rate, active in zip(*drawn):
                x = to_unit(torch.cat(images)[order]).double()
                recode = torch.tensor([False, True, True, True])
                coding = stack.forward(x, noise.double(), recode, active.squeeze(1))
                weights = losses.Weights(0.1 * recode.double().unsqueeze(1), 0.1, 1.0)
                loss = losses.objective(losses.terms(x, coding), torch.zeros(order.shape), weights)
                optimizer.step(stack.gradient(loss, 1 / loss.shape[1]), rate, active)
    assert relative(stacks[1].flat, stacks[0].flat) < 1e-5
    assert relative(stacks[1].stats, stacks[0].stats) < 1e-5


def test_adam_is_torchs_adam(generator):
    """Each row with its own rate; the second rests every other step and is left as it is."""
    rates, start = torch.tensor([[0.1], [0.003]]), torch.randn(2, 50, generator=generator)
    flat, rows = start.clone(), [start[i].clone().requires_grad_() for i in range(2)]
    ours = RowwiseAdam(flat)
    theirs = [torch.optim.Adam([row], lr=rate[0], fused=True) for row, rate in zip(rows, rates)]
    for step in range(30):
        gradient = torch.randn(2, 50, generator=generator) * 10.0 ** -(step % 7)
        active = torch.tensor([[True], [step % 2 == 0]])
        for row, optimizer, part, goes in zip(rows, theirs, gradient, active):
            row.grad = part.clone()
            if goes:
                optimizer.step()
        ours.step(gradient, rates, active)
    assert torch.equal(flat, torch.stack(rows).detach())
    assert ours.steps.flatten().tolist() == [30, 15]


def test_fresh_anomalies_in_a_stack_are_those_of_a_lone_model():
    """The first of two, so that the second's images lie behind places that change."""
    configs = [Config(mode="e", category=category, p=0.3, stack=2, anomaly_draw=draw)
               for category, draw in (("3", "fresh"), ("5", "stratified"))]
    splits = [load_split(config) for config in configs]
    stack, alone = Engine(configs, splits), [Engine([c], [s]) for c, s in zip(configs, splits)]
    for epoch in (1, 2):
        sums = stack.run_epoch(epoch)
        for found, engine in zip(sums, alone):
            torch.testing.assert_close(torch.tensor(found), torch.tensor(engine.run_epoch(epoch)[0]))


def test_a_stack_leaves_runs_that_equal_lone_ones(tmp_path):
    configs = [replace(config, epochs=2, stack=2) for config in CONFIGS[1:3]]
    stacked = train_stack(configs, [tmp_path / "a", tmp_path / "b"], progress=False)
    for run, config in zip(stacked, configs, strict=True):
        alone = train(replace(config, stack=1), tmp_path / config.mode, progress=False)
        assert (run.folder / "weights.safetensors").read_bytes() == (alone.folder / "weights.safetensors").read_bytes()
        assert run.metrics["auroc"] == alone.metrics["auroc"]
        assert run.config == config
    assert not list(tmp_path.glob("*/state*"))


def test_a_stack_touches_no_other_run(tmp_path):
    other = train(Config(mode="pca"), tmp_path / "b", progress=False)
    configs = [replace(config, epochs=1, stack=2) for config in CONFIGS[1:3]]
    with pytest.raises(InputError, match="holds the run of another config"):
        train_stack(configs, [tmp_path / "a", tmp_path / "b"], progress=False)
    assert other.config == type(other).load(tmp_path / "b").config
    assert not (tmp_path / "a").exists()


def test_what_cannot_share_a_stack_is_refused(tmp_path):
    for other, message in ((replace(CONFIGS[1], latent=8), "must agree in latent: expected 64, found 8"),
                           (replace(CONFIGS[1], epochs=3), "must agree in"),
                           (CONFIGS[1], "expected a stack of 4 models, found 2")):
        with pytest.raises(InputError, match=message):
            train_stack([CONFIGS[0], other], [tmp_path / "a", tmp_path / "b"], progress=False)
    assert not list(tmp_path.iterdir())
