r"""Patch SVDD: nearby patches of normal pictures are embedded side by side; novel is what lies far from all of them.

Patches are 32 x 32 pixels. With h the encoder, p a patch, p' the same jittered by a pixel, and q the patch beside it in
one of eight directions d,

    loss = CE(C(h(q) - h(p)), d) + lambda ||h(p) - h(p')||,

where the first term, telling the direction, keeps the second from mapping all patches to one point. Afterwards every
patch is measured by the nearest m of a memory of normal patches, a pixel by the mean over the patches that cover it:

    a(p) = min_m ||h(p) - m||,   map(u) = mean of a(p) over p that hold pixel u,   score(x) = max_u map(u).

Source: Yi and Yoon 2020; lambda = 1e-3 is the least of theirs, Adam at 1e-4 as there (1e-3 collapsed on screw). Ours:
patches of 32 pixels only, none of 64; half the encoder's widths, a quarter of the work; one pair of each kind per
picture and epoch, where they draw a hundred patches, hence small batches; a fixed number of random patches as memory,
searched exactly; a neighbour always lies within the picture, where theirs is clipped; He's initialisation, without
which eight layers shrink a patch to nothing. So brief a training can score below its own random encoder.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, cross_entropy

from rscvae_lab.baselines.fitting import minimise, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.errors import InputError

PATCH = 32  # pixels a side
WIDTHS = (16, 32, 64, 64, 32, 32, 32, 64)  # of the encoder; the last is the embedding's
SLOPE = 0.1  # LeakyReLU
STRIDE = 4  # pixels from one scored patch to the next; the encoder's own is 2
MEMORY = 20_000  # normal patches that are remembered
NOISE = 0.02  # grey levels, of colour shifts and of pixels, where directions are told
COLLAPSED = 0.01  # the median standard deviation of embeddings, which lie in (-1, 1), that says too little
CHUNK = 16  # pictures embedded at once
DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))  # down, right


def encoder(channels: int) -> nn.Sequential:
    """Eight 3x3 convolutions without padding, the first of stride 2: a patch becomes one vector, and a picture
    (B, C, S, S) the vectors of all its patches at stride 2, (B, 64, (S - 32) / 2 + 1, same)."""
    layers: list[nn.Module] = []
    for i, (n_in, n_out) in enumerate(zip((channels, *WIDTHS), WIDTHS)):
        convolution = nn.Conv2d(n_in, n_out, kernel_size=3, stride=1 if i else 2)
        nn.init.kaiming_normal_(convolution.weight, a=SLOPE)
        nn.init.zeros_(convolution.bias)
        layers += [convolution, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1], nn.Tanh())


def classifier() -> nn.Sequential:
    """The difference of two embeddings, (B, 64), to logits of the eight directions."""
    return nn.Sequential(nn.Linear(WIDTHS[-1], 128), nn.LeakyReLU(SLOPE), nn.Linear(128, 128), nn.LeakyReLU(SLOPE),
                         nn.Linear(128, len(DIRECTIONS)))


def crops(x: Tensor, corners: Tensor) -> Tensor:
    """The patch of each picture x (B, C, S, S) whose top left pixel is `corners` (B, 2); (B, C, 32, 32)."""
    within = torch.arange(PATCH, device=x.device)
    rows, columns = (corners[:, i, None] + within for i in (0, 1))
    picture = torch.arange(len(x), device=x.device)[:, None, None]
    return x[picture, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def draw_pairs(offsets: Tensor, last: int) -> tuple[Tensor, Tensor]:
    """Corners (B, 2) of two patches `offsets` (B, 2) apart, uniform among those with both within 0 ... `last`."""
    low, high = (-offsets).clamp(min=0), last - offsets.clamp(min=0)
    first = low + (torch.rand(offsets.shape, device=offsets.device) * (high - low + 1)).long()
    return first, first + offsets


def spread(grid: Tensor, stride: int) -> Tensor:
    """Each pixel's mean over the patches that cover it; (N, G, G) at `stride` to (N, S, S), S = stride (G - 1) + 32."""
    kernel = grid.new_ones(1, 1, PATCH, PATCH)
    total, covers = (conv_transpose2d(part[:, None], kernel, stride=stride) for part in (grid, torch.ones_like(grid)))
    return (total / covers).squeeze(1)


def nearest(queries: Tensor, memory: Tensor) -> Tensor:
    """Distance of each query (Q, D) to the nearest of the memory (M, D), (Q,); exact, so that the same vector is at 0.

    The products that find the nearest fast round off too much to say how near it is.
    """
    parts = [memory[torch.cdist(part, memory).argmin(1)] for part in queries.split(1024)]
    return (queries - torch.cat(parts)).norm(dim=1)


class PatchSVDD(nn.Module):
    """Patches of industrial pictures, of 64 pixels a side and more.

    Args:
        pull: lambda, the weight of the distance between patches side by side. Too much of it collapses embeddings.
        n_memory: how many normal patches are remembered.

    Raises:
        InputError: pictures too small for two patches side by side.
    """

    def __init__(self, config: Config, pull: float = 1e-3, n_memory: int = MEMORY):
        super().__init__()
        if config.image_size < 2 * PATCH:
            raise InputError(f"patch_svdd compares patches of {PATCH} pixels: expected pictures of at least "
                             f"{2 * PATCH} pixels a side, found image_size {config.image_size}")
        self.config, self.pull, self.last = config, pull, config.image_size - PATCH
        self.side = self.last // STRIDE + 1  # scored patches along each axis
        with seeded(config.seed):
            self.encoder, self.classifier = encoder(config.channels), classifier()
        self.register_buffer("mean", torch.zeros(config.channels, config.image_size, config.image_size))
        self.register_buffer("memory", torch.zeros(n_memory, WIDTHS[-1]))

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings of the patches of x, centred pictures or patches; (B, P, 64), P patches at `STRIDE` by rows."""
        return self.encoder(x)[:, :, ::STRIDE // 2, ::STRIDE // 2].flatten(2).transpose(1, 2)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal pictures, uint8 (N, C, S, S), and remembers patches of them.

        Raises:
            InputError: training diverges, or all patches end at one point.
        """
        self.mean.copy_(images.float().mean(0) / 255)
        self.losses = minimise(self, images, self.config, lambda x: self.loss(x - self.mean))
        self.remember(images)
        return self

    def loss(self, centred: Tensor) -> Tensor:
        """The loss of newly drawn patches of centred pictures (B, C, S, S): nats, and `pull` times a distance."""
        logits, direction = self.tell_directions(centred)
        return cross_entropy(logits, direction) + self.pull * self.jitter_distance(centred).mean()

    def tell_directions(self, centred: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, 8) and truth (B,) of the direction from one drawn patch of each picture to its neighbour."""
        n, device = len(centred), centred.device
        direction = torch.randint(len(DIRECTIONS), (n,), device=device)
        gap = torch.randint(PATCH * 3 // 4, PATCH, (n, 2), device=device)
        pair = [crops(centred, corners) for corners in
                draw_pairs(torch.tensor(DIRECTIONS, device=device)[direction] * gap, self.last)]
        first, second = (self.embed(self._noisy(patch)).squeeze(1) for patch in pair)
        return self.classifier(second - first), direction

    def jitter_distance(self, centred: Tensor) -> Tensor:
        """||h(p) - h(p')|| of one drawn patch of each picture, (B,), p' at most one pixel away in each axis."""
        jitter = torch.randint(-1, 2, (len(centred), 2), device=centred.device)
        first, second = (self.embed(crops(centred, corners)) for corners in draw_pairs(jitter, self.last))
        return (second - first).squeeze(1).norm(dim=1)

    @torch.no_grad()
    def remember(self, images: Tensor) -> None:
        """Fills the memory with patches of normal pictures, drawn by the seed; where there are fewer, they repeat.

        Raises:
            InputError: the patches are all at one point.
        """
        each = self.side**2
        with seeded(self.config.seed):
            order = torch.randperm(len(images) * each)
        drawn, parts = order[torch.arange(len(self.memory)) % len(order)], []
        for i, chunk in enumerate(images.split(CHUNK)):
            found = self.embed(to_unit(chunk.to(self.mean.device)) - self.mean).flatten(0, 1)
            within = drawn - i * CHUNK * each
            parts.append(found[within[(within >= 0) & (within < len(found))].to(found.device)])
        self.memory.copy_(torch.cat(parts))
        if (found := self.memory.std(0).median().item()) < COLLAPSED:
            raise InputError(f"patch_svdd collapsed: expected embeddings with a median standard deviation above "
                             f"{COLLAPSED:g}, found {found:.2g}; try a learning_rate below "
                             f"{self.config.learning_rate:g}")

    def maps(self, images: Tensor) -> Tensor:
        """How far each pixel's patches are from normal ones, (N, S, S) on the CPU."""
        return score_chunks(self, images, self.config, self._maps, CHUNK)

    def score(self, images: Tensor) -> Tensor:
        """The maximum of each picture's map, (N,) on the CPU."""
        return score_chunks(self, images, self.config, lambda x: self._maps(x).amax((1, 2)), CHUNK)

    @torch.no_grad()
    def _maps(self, x: Tensor) -> Tensor:
        distances = nearest(self.embed(x - self.mean).flatten(0, 1), self.memory)
        return spread(distances.view(len(x), self.side, self.side), STRIDE)

    @staticmethod
    def _noisy(patches: Tensor) -> Tensor:
        """Another shade and grain, by which no direction can be told."""
        shift = torch.randn(*patches.shape[:2], 1, 1, device=patches.device)
        return patches + NOISE * (shift + torch.randn_like(patches))
