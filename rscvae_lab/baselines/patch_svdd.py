"""Patch SVDD: patches of normal images are embedded, neighbouring ones close together; a patch far
from all of them is novel.

Patches are 32 x 32 pixels. With the encoder h, a patch p, the same patch p' jittered by a pixel,
and a neighbour q of p in one of eight directions d,

    loss = CE(C(h(q) - h(p)), d) + lambda ||h(p) - h(p')||,

where the first term, classifying the direction, keeps the second from mapping all patches to one
point. With a memory of embeddings m of normal patches,

    a(p) = min_m ||h(p) - m||,   map(u) = mean of a(p) over p that cover u,   score = max_u map(u).

Source: Yi and Yoon 2020; lambda = 1e-3 is the smallest of theirs, Adam at 1e-4 as there (1e-3
collapsed on screw). Our deviations: only patches of 32 pixels, none of 64; half the encoder's
widths, a quarter of the work; one pair of each kind per image and epoch, where they draw a hundred
patches, hence small batches; a memory of random patches, searched exactly; neighbours inside the
image, where theirs are clipped; He's initialisation, without which embeddings are nearly 0. After
so little training the score can be worse than with random weights.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, cross_entropy

from rscvae_lab.baselines.fitting import MEMORY, minimise, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.errors import InputError

PATCH = 32  # pixels a side
WIDTHS = (16, 32, 64, 64, 32, 32, 32, 64)  # of the encoder; the last is the embedding's
SLOPE = 0.1  # LeakyReLU
STRIDE = 4  # pixels from one scored patch to the next; the encoder's own is 2
N_MEMORY = 20_000  # normal patches in the memory
NOISE = 0.02  # standard deviation in grey levels, of colour shifts and of pixels
COLLAPSED = 0.01  # median standard deviation of embeddings in (-1, 1) that is too small to score
CHUNK = 16  # images embedded at once
DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # down, right


def encoder(channels: int) -> nn.Sequential:
    """Eight 3x3 convolutions without padding, the first of stride 2: a patch becomes a vector, an
    image (B, C, S, S) those of its patches at stride 2, (B, 64, G, G), G = (S - 32) / 2 + 1."""
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(zip((channels, *WIDTHS), WIDTHS)):
        convolution = nn.Conv2d(n_in, n_out, kernel_size=3, stride=1 if i else 2)
        nn.init.kaiming_normal_(convolution.weight, a=SLOPE)
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1], nn.Tanh())


def classifier() -> nn.Sequential:
    """The difference of two embeddings, (B, 64), to logits of the eight directions."""
    return nn.Sequential(nn.Linear(WIDTHS[-1], 128), nn.LeakyReLU(SLOPE), nn.Linear(128, 128),
                         nn.LeakyReLU(SLOPE), nn.Linear(128, len(DIRECTIONS)))


def crops(x: Tensor, corners: Tensor) -> Tensor:
    """The patch (B, C, 32, 32) of each image x (B, C, S, S) whose corner is `corners` (B, 2)."""
    offsets = torch.arange(PATCH, device=x.device)
    rows, columns = (corners[:, i, None] + offsets for i in (0, 1))
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return x[image, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def draw_pairs(offsets: Tensor, last: int) -> tuple[Tensor, Tensor]:
    """Corners (B, 2) of two patches `offsets` (B, 2) apart, uniform with both in 0 ... `last`."""
    low, high = (-offsets).clamp(min=0), last - offsets.clamp(min=0)
    first = low + (torch.rand(low.shape, device=low.device) * (high - low + 1)).long()
    return first, first + offsets


def pixel_means(grid: Tensor, stride: int) -> Tensor:
    """Mean over the patches covering a pixel; (N, G, G) to (N, S, S), S = stride (G - 1) + 32."""
    kernel = grid.new_ones(1, 1, PATCH, PATCH)
    total, count = (conv_transpose2d(values[:, None], kernel, stride=stride)
                    for values in (grid, torch.ones_like(grid)))
    return (total / count).squeeze(1)


def nearest(queries: Tensor, memory: Tensor) -> Tensor:
    """Distance (Q,) of each query (Q, D) to the nearest in the memory (M, D). `cdist` is fast, but
    its rounding is too large for the distance itself."""
    parts = [memory[torch.cdist(part, memory).argmin(1)] for part in queries.split(1024)]
    return (queries - torch.cat(parts)).norm(dim=1)


class PatchSVDD(nn.Module):
    """Embeds patches of industrial images of at least 64 pixels a side. `pull` is lambda, the
    weight of the jitter distance: embeddings collapse if it is too large. The memory has
    `n_memory` normal patches. Raises InputError for images too small for two neighbouring patches.
    """

    def __init__(self, config: Config, pull: float = 1e-3, n_memory: int = N_MEMORY):
        super().__init__()
        if config.image_size < 2 * PATCH:
            raise InputError(f"patch_svdd expects images of at least {2 * PATCH} pixels a side, "
                             f"found image_size {config.image_size}")
        self.config, self.pull, self.last = config, pull, config.image_size - PATCH
        self.side = self.last // STRIDE + 1  # scored patches along each axis
        with seeded(config.seed):
            self.encoder, self.classifier = encoder(config.channels), classifier()
        shape = config.channels, config.image_size, config.image_size
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("memory", torch.zeros(n_memory, WIDTHS[-1]))

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings (B, P, 64) of the P patches at `STRIDE` of centred images or patches x."""
        step = STRIDE // 2
        return self.encoder(x)[:, :, ::step, ::step].flatten(2).transpose(1, 2)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S), and fills the memory with their patches.
        Raises InputError where it diverges or all embeddings are nearly equal."""
        self.mean.copy_(images.float().mean(0) / 255)
        self.losses = minimise(self, images, self.config, lambda x: self.loss(x - self.mean))
        self.fill_memory(images)
        return self

    def loss(self, centred: Tensor) -> Tensor:
        """The loss, a scalar, of random patches of centred images (B, C, S, S)."""
        logits, direction = self.predict_directions(centred)
        return cross_entropy(logits, direction) + self.pull * self.jitter_distance(centred).mean()

    def predict_directions(self, centred: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, 8) and truth (B,) of the direction from a random patch to its neighbour."""
        n, device = len(centred), centred.device
        direction = torch.randint(len(DIRECTIONS), (n,), device=device)
        gap = torch.randint(PATCH * 3 // 4, PATCH, (n, 2), device=device)
        offsets = torch.tensor(DIRECTIONS, device=device)[direction] * gap
        pair = [crops(centred, corners) for corners in draw_pairs(offsets, self.last)]
        first, second = (self.embed(_perturbed(patch)).squeeze(1) for patch in pair)
        return self.classifier(second - first), direction

    def jitter_distance(self, centred: Tensor) -> Tensor:
        """||h(p) - h(p')|| of a random patch of each image, (B,), p' at most a pixel away."""
        jitter = torch.randint(-1, 2, (len(centred), 2), device=centred.device)
        first, second = (self.embed(crops(centred, corners))
                         for corners in draw_pairs(jitter, self.last))
        return (second - first).squeeze(1).norm(dim=1)

    @torch.no_grad()
    def fill_memory(self, images: Tensor) -> None:
        """Fills the memory with random patches of normal images; where these are too few, they
        repeat. Raises InputError where all embeddings are nearly equal."""
        each = self.side**2
        with seeded(self.config.seed, MEMORY):
            order = torch.randperm(len(images) * each)
        chosen, parts = order[torch.arange(len(self.memory)) % len(order)], []
        for i, chunk in enumerate(images.split(CHUNK)):
            embeddings = self.embed(to_unit(chunk.to(self.mean.device)) - self.mean).flatten(0, 1)
            index = chosen - i * CHUNK * each
            index = index[(index >= 0) & (index < len(embeddings))]
            parts.append(embeddings[index.to(embeddings.device)])
        self.memory.copy_(torch.cat(parts))
        deviation = self.memory.std(0).median().item()
        if deviation < COLLAPSED:
            raise InputError("patch_svdd collapsed: expected embeddings with a median standard "
                             f"deviation above {COLLAPSED:g}, found {deviation:.2g}; try a "
                             f"learning_rate below {self.config.learning_rate:g}")

    def maps(self, images: Tensor) -> Tensor:
        """Each pixel's mean distance from normal patches, (N, S, S) on the CPU."""
        return score_chunks(self, images, self.config, self._maps, CHUNK)

    def score(self, images: Tensor) -> Tensor:
        """The maximum of each image's map, (N,) on the CPU."""
        return score_chunks(self, images, self.config, lambda x: self._maps(x).amax((1, 2)), CHUNK)

    @torch.no_grad()
    def _maps(self, x: Tensor) -> Tensor:
        distances = nearest(self.embed(x - self.mean).flatten(0, 1), self.memory)
        return pixel_means(distances.view(len(x), self.side, self.side), STRIDE)


def _perturbed(patches: Tensor) -> Tensor:
    """Patches with random colour shifts and noise, which then cannot reveal the direction."""
    shift = torch.randn(*patches.shape[:2], 1, 1, device=patches.device)
    return patches + NOISE * (shift + torch.randn_like(patches))
