"""Patch SVDD: patches cut where they should be, maps that average, distances that are exact, a
task that is learnt."""

import pytest
import torch
from torch import nn

from rscvae_lab.baselines import patch_svdd
from rscvae_lab.baselines.fitting import seeded
from rscvae_lab.baselines.patch_svdd import (
    DIRECTIONS,
    PatchSVDD,
    crops,
    draw_pairs,
    nearest,
    pixel_means,
)
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow

PLATES = {"dataset": "synthetic", "category": "plate", "image_size": 64, "threads": 1}


def textured(n: int) -> torch.Tensor:
    """Grey pictures of 64 pixels, brighter downwards, striped on the right, of a contrast and
    noise of their own: where a patch lies can be seen, even when the pictures' mean is taken
    away."""
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    layout = rows + 100 * (columns > 32) * (rows % 8 < 4)
    contrast = torch.randint(0, 2, (n, 1, 1, 1), generator=generator)
    return (40 + contrast * layout + torch.randint(0, 40, (n, 1, 64, 64), generator=generator)).to(
        torch.uint8
    )


def test_digits_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="at least 64 pixels a side, found image_size 32"):
        train(Config(mode="patch_svdd"), tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_patches_are_cut_where_their_corners_say():
    x = torch.rand(3, 2, 64, 64)
    found = crops(x, torch.tensor([[0, 0], [5, 32], [32, 7]]))
    assert torch.equal(
        found, torch.stack([x[0, :, :32, :32], x[1, :, 5:37, 32:], x[2, :, 32:, 7:39]])
    )


def test_pairs_are_as_far_apart_as_asked_and_within_the_picture():
    """Every place that leaves room for both is drawn, the outermost included."""
    with seeded(0):
        offsets = torch.tensor(DIRECTIONS)[torch.arange(4000) % 8] * 30
        first, second = draw_pairs(offsets, last=32)
    assert torch.equal(second - first, offsets)
    assert (torch.stack([first, second]).amin(), torch.stack([first, second]).amax()) == (0, 32)
    assert first[offsets == 0].unique().tolist() == list(range(33))


@pytest.mark.parametrize("stride", [4, 8])
def test_a_map_is_the_mean_over_the_patches_that_cover_a_pixel(stride):
    side = 32 // stride + 1
    assert torch.allclose(pixel_means(torch.ones(2, side, side), stride), torch.ones(2, 64, 64))
    grid = torch.rand(1, side, side)
    for row, column in ((0, 0), (63, 63), (20, 33)):
        covering = [
            grid[0, i, j]
            for i in range(side)
            for j in range(side)
            if 0 <= row - stride * i < 32 and 0 <= column - stride * j < 32
        ]
        torch.testing.assert_close(
            pixel_means(grid, stride)[0, row, column], torch.stack(covering).mean()
        )


def test_distances_to_the_nearest_are_exact(generator):
    """Far from the origin, where fast products round off: as scipy counts them, and 0 for what is
    remembered."""
    memory = 100 + torch.randn(3000, 64, generator=generator)
    queries = 100 + torch.randn(40, 64, generator=generator)
    expected = (queries[:, None].double() - memory.double()).norm(dim=2).amin(1)
    torch.testing.assert_close(nearest(queries, memory), expected.float(), rtol=1e-4, atol=0)
    assert nearest(memory[::50], memory).max() == 0


def test_one_pass_over_a_picture_embeds_each_of_its_patches(generator):
    model = PatchSVDD(Config(mode="patch_svdd", **PLATES)).eval()
    x = torch.rand(2, 3, 64, 64, generator=generator)
    found = model.embed(x).view(2, 9, 9, 64)
    for i, j in ((0, 0), (2, 5), (8, 8)):
        patch = crops(x, torch.tensor([[4 * i, 4 * j]] * 2))
        torch.testing.assert_close(
            found[:, i, j], model.embed(patch).squeeze(1), rtol=1e-4, atol=1e-6
        )


def test_a_remembered_picture_scores_nothing_and_a_changed_one_something():
    """Two pictures have 162 patches, all of which the memory holds; a random encoder is enough to
    see the change, and where it is."""
    pictures = textured(2)
    model = PatchSVDD(Config(mode="patch_svdd", channels=1, **PLATES), n_memory=200)
    model.fill_memory(pictures)
    assert model.score(pictures).max() < 1e-5
    changed = pictures.clone()
    changed[:, :, 40:48, 8:16] = 255
    maps = model.maps(changed)
    torch.testing.assert_close(model.score(changed), maps.amax((1, 2)))
    assert model.score(changed).min() > 1e-3 and maps[:, 44, 12].min() > 2 * maps[:, 8, 50].max()


@pytest.fixture(scope="module")
def fitted():
    config = Config(
        mode="patch_svdd", channels=1, epochs=12, learning_rate=1e-3, batch_size=16, **PLATES
    )
    return PatchSVDD(config, n_memory=1000).fit(textured(96))


def test_directions_are_learnt_and_embeddings_stay_apart(fitted):
    """Chance is one in eight. Gradients that do not reach the encoder, or a direction that is not
    the pair's, fail."""
    with seeded(1), torch.no_grad():
        logits, direction = fitted.predict_directions(textured(256) / 255 - fitted.mean)
    assert (logits.argmax(1) == direction).float().mean() > 0.35
    assert fitted.memory.std(0).min() > 0.01
    assert fitted.losses[-1] < fitted.losses[0]


def test_the_pull_counts_the_distance_of_patches_side_by_side(fitted):
    """The loss of lambda 3 is that of lambda 1 and two distances more; pictures without texture
    have none, nor NaN."""
    x, losses = textured(16) / 255, []
    for pull in (1.0, 3.0):
        model = PatchSVDD(fitted.config, pull, n_memory=1)
        with seeded(2):
            losses.append(model.loss(x).item())
        with seeded(2):
            model.predict_directions(x)
            distance = model.jitter_distance(x).mean().item()
    assert distance > 0 and losses[1] - losses[0] == pytest.approx(2 * distance, rel=1e-3)
    flat = model.jitter_distance(torch.full_like(x, 0.3)).mean()
    flat.backward()
    assert flat < 1e-5 and all(
        weight.grad.isfinite().all() for weight in model.encoder.parameters()
    )


def test_collapsed_embeddings_are_refused():
    """All patches at one point would score every picture alike, without a word."""
    model = PatchSVDD(Config(mode="patch_svdd", channels=1, **PLATES), n_memory=50)
    nn.init.zeros_(model.encoder[-2].weight)
    with pytest.raises(InputError, match=r"median standard deviation above 0\.01, found 0"):
        model.fill_memory(textured(2))


def test_the_memory_is_of_one_size_and_holds_every_patch_at_most_once_more(monkeypatch):
    """Its shape must not depend on how many pictures there were, or weights could not be read
    back."""
    monkeypatch.setattr(patch_svdd, "CHUNK", 2)
    model = PatchSVDD(Config(mode="patch_svdd", channels=1, **PLATES), n_memory=300)
    model.fill_memory(textured(3))  # 3 x 81 patches, in two chunks
    assert model.memory.shape == (300, 64)
    counts = model.memory.unique(dim=0, return_counts=True)[1]
    assert len(counts) == 243 and counts.max() == 2


def test_plates(tmp_path):
    assert (
        train(Config(mode="patch_svdd", epochs=5, **PLATES), tmp_path, progress=False).metrics[
            "auroc"
        ]
        > 0.95
    )
