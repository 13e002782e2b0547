"""How industrial pictures are shown: what is drawn, and what a pose does to a picture, against
scipy and torch.flip."""

import pytest
import torch
from scipy.ndimage import rotate

from rscvae_lab.config import CATEGORIES, Config
from rscvae_lab.datasets.augmentation import (
    SQUARE_SIDE,
    augmented,
    draw_augmentation,
    flips,
    pasted,
)
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.batches import Batches
from rscvae_lab.engine.draws import draw_epoch

N = 20_000
ACROSS, DOWN, DEGREES, TOP, LEFT, SIDE, RIGHT, BELOW, FACTOR = range(9)


def plate(**settings) -> Config:
    return Config(**{"dataset": "synthetic", "category": "plate", "image_size": 64} | settings)


def drawn_for(config: Config, n: int = N) -> torch.Tensor:
    return draw_augmentation(config, n, torch.Generator().manual_seed(1))


def pose(**values: float) -> torch.Tensor:
    """One pose of one picture, (1, 1, 6), or (1, 1, 9) where it is shifted or relit: zeros, and no
    change of light, but for what is named."""
    names = ["across", "down", "degrees", "top", "left", "side"]
    if values.keys() - set(names):
        names += ["right", "below", "factor"]
    return torch.tensor([[[float(values.get(name, name == "factor")) for name in names]]])


@pytest.fixture
def x(generator):
    return torch.rand(1, 1, 3, 32, 32, generator=generator)


def test_labelled_sets_have_no_pose():
    assert drawn_for(Config(mode="d"), 5).shape == (5, 0)
    assert draw_epoch(Config(mode="d"), 1, 40).augmentation.shape == (2, 32, 0)


def test_which_objects_may_be_flipped():
    """Of MVTec AD: nothing where colours have their order, print can be read, or the side that
    lies up is judged."""
    found = {
        name: flips(Config(dataset="mvtec_ad", category=name)) for name in CATEGORIES["mvtec_ad"]
    }
    assert {name for name, (across, _) in found.items() if not across} == {
        "cable",
        "capsule",
        "metal_nut",
        "pill",
    }
    assert {name for name, (_, down) in found.items() if down} == {
        "carpet",
        "grid",
        "hazelnut",
        "leather",
        "screw",
        "tile",
        "wood",
    }
    assert flips(plate()) == (True, True)


@pytest.mark.parametrize("category", ["bolts", "screw", "plate"])
def test_the_users_own_pictures_are_never_flipped(category):
    """Nor where a folder has the name of an object that may be."""
    assert not drawn_for(Config(dataset="folder", root="anywhere", category=category))[
        :, :DEGREES
    ].any()


@pytest.mark.parametrize(
    ("category", "across", "down"), [("tile", 0.5, 0.5), ("bottle", 0.5, 0), ("cable", 0, 0)]
)
def test_flips_are_tossed_apart(category, across, down):
    tossed = drawn_for(Config(dataset="mvtec_ad", category=category))[:, :DEGREES]
    assert set(tossed.unique().tolist()) <= {0, 1}
    torch.testing.assert_close(
        tossed.mean(0), torch.tensor([float(across), down]), atol=0.02, rtol=0
    )
    assert tossed.prod(1).mean().item() == pytest.approx(across * down, abs=0.02)


def test_turns_are_uniform_up_to_five_degrees():
    degrees = drawn_for(plate())[:, DEGREES]
    assert -5 <= degrees.min() < -4.99
    assert 4.99 < degrees.max() <= 5
    assert degrees.mean().item() == pytest.approx(0, abs=0.1)
    assert degrees.std().item() == pytest.approx(10 / 12**0.5, abs=0.05)


@pytest.mark.parametrize("size", [32, 64, 96, 256])
def test_cut_squares_lie_within_the_picture_and_reach_its_edges(size):
    """Sides of 32 to 96 pixels of 256, whole pixels of any other size."""
    drawn = drawn_for(plate(mode="d", p=0.5, image_size=size))
    top, left, side = drawn[:, TOP : SIDE + 1].unbind(1)
    cut = side > 0
    assert (side[cut].min(), side.max()) == (round(32 * size / 256), round(96 * size / 256))
    for start in (top, left):
        assert torch.equal(start, start.floor())
        assert start[cut].min() == 0
        assert (start + side)[cut].max() == size


@pytest.mark.parametrize(
    ("mode", "p", "share"),
    [
        ("d", None, 0.05),
        ("d", 0.5, 0.5),
        ("d", 0.02, 0.02),
        ("vae", 0.5, 0),
        ("o", 0.5, 0),
        ("e", 0.5, 0),
    ],
)
def test_mode_d_alone_cuts_and_a_share_p(mode, p, share):
    assert (drawn_for(plate(mode=mode, p=p))[:, SIDE] > 0).float().mean().item() == pytest.approx(
        share, abs=0.01
    )


def test_modes_differ_in_nothing_but_the_cut():
    assert torch.equal(drawn_for(plate(mode="d"))[:, :TOP], drawn_for(plate(mode="o"))[:, :TOP])


def test_without_augmentation_mode_d_still_cuts():
    still, moved = (drawn_for(plate(mode="d", augment=augment)) for augment in (False, True))
    assert not still[:, :TOP].any() and not still[:, RIGHT:FACTOR].any()
    assert torch.equal(still[:, TOP : SIDE + 1], moved[:, TOP : SIDE + 1])


def test_epochs_draw_poses_anew_and_repeatably():
    one, again, other = (draw_epoch(plate(mode="d"), epoch, 20) for epoch in (1, 1, 2))
    assert one.augmentation.shape == (3, 8, 9)
    assert torch.equal(one.augmentation, again.augmentation)
    assert not torch.equal(one.augmentation, other.augmentation)
    assert not one.shifts.any(), "symmetries of the square are for labelled sets"


def test_former_configs_draw_what_they_drew_and_today_s_go_on_from_there():
    """The first six numbers, and what the generator gives next to a former one."""
    former, now = (drawn_for(plate(mode="d", p=0.3, rigid=rigid), 50) for rigid in (False, True))
    assert former.shape == (50, 6) and torch.equal(now[:, : SIDE + 1], former)


def test_a_screw_is_turned_round_and_never_mirrored():
    """Its thread would be left-handed; of former configs it was."""
    def flipped(**settings) -> torch.Tensor:
        return drawn_for(Config(dataset="mvtec_ad", category="screw", **settings))[:, :DEGREES]

    assert torch.equal(flipped()[:, ACROSS], flipped()[:, DOWN])
    assert flipped().mean().item() == pytest.approx(0.5, abs=0.02)
    assert (flipped(rigid=False).sum(1) == 1).float().mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("size", [64, 256])
def test_shifts_are_uniform_up_to_a_fiftieth_of_the_side(size):
    shift = drawn_for(plate(image_size=size))[:, RIGHT:FACTOR] / size
    assert -0.02 <= shift.min() < -0.0199 and 0.0199 < shift.max() <= 0.02
    assert shift.mean(0).tolist() == pytest.approx([0, 0], abs=5e-4)
    assert shift.T.corrcoef()[0, 1].item() == pytest.approx(0, abs=0.03)


def test_the_light_changes_where_it_is_asked_for_alone():
    assert (drawn_for(plate())[:, FACTOR] == 1).all()
    factor = drawn_for(plate(jitter=0.2, rigid=False))[:, FACTOR]
    assert 0.8 <= factor.min() < 0.801 and 1.199 < factor.max() <= 1.2
    assert factor.mean().item() == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("right, below", [(3, 0), (0, 2), (-4, -1)])
def test_whole_shifts_move_pixels_and_repeat_the_edge(right, below, x):
    expected = x.roll((below, right), (-2, -1))
    inner = (..., slice(abs(below), 32 - abs(below)), slice(abs(right), 32 - abs(right)))
    for bicubic in (False, True):
        moved = augmented(x, pose(right=right, below=below), bicubic)
        torch.testing.assert_close(moved[inner], expected[inner], rtol=0, atol=1e-4)
    if right > 0:
        torch.testing.assert_close(moved[..., 0], x[..., 0], rtol=0, atol=1e-4)


def test_a_turned_and_flipped_picture_is_shifted_last(x):
    turned = augmented(x, pose(across=1, degrees=4))
    both = augmented(x, pose(across=1, degrees=4, right=2, below=-3))
    torch.testing.assert_close(both[..., 4:24, 6:26], turned[..., 7:27, 4:24], rtol=0, atol=1e-4)


def test_light_is_a_factor_clipped_at_white_that_leaves_the_square_black(x):
    lit = augmented(x, pose(factor=1.5, top=4, left=4, side=8))
    expected = (1.5 * x).clamp(max=1)
    expected[..., 4:12, 4:12] = 0
    torch.testing.assert_close(lit, expected, rtol=0, atol=1e-4)


def test_bicubic_interpolation_keeps_detail_that_bilinear_blurs():
    """A wave of four pixels, shifted by a half: bilinear leaves cos(pi / 4) of it, bicubic (its
    kernel at 0.5 and 1.5 with a = -3/4) 2 (0.59375 cos(pi / 4) - 0.09375 cos(3 pi / 4))."""
    wave = 0.5 + 0.4 * torch.sin(torch.arange(64) * torch.pi / 2 + 0.3).expand(1, 1, 1, 64, 64)
    for bicubic, kept in ((False, 0.7071), (True, 0.9723)):
        moved = augmented(wave, pose(right=0.5), bicubic)[..., 8:56, 8:56]
        assert (moved.std() / wave[..., 8:56, 8:56].std()).item() == pytest.approx(kept, abs=2e-3)


@pytest.mark.parametrize("bicubic", [False, True])
@pytest.mark.parametrize("size", [32, 96, 256])
def test_no_pose_changes_nothing(size, bicubic, generator):
    """Up to a fortieth of a grey level, the rounding of places in float32."""
    x = torch.rand(1, 2, 3, size, size, generator=generator)
    torch.testing.assert_close(augmented(x, torch.zeros(1, 2, 6), bicubic), x, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("named", "axes"),
    [({"across": 1}, [-1]), ({"down": 1}, [-2]), ({"across": 1, "down": 1}, [-1, -2])],
)
def test_flips_are_torchs(named, axes, x):
    torch.testing.assert_close(augmented(x, pose(**named)), x.flip(axes), rtol=0, atol=1e-5)
    turned = augmented(x, pose(degrees=4))
    torch.testing.assert_close(
        augmented(x, pose(degrees=4, **named)), turned.flip(axes), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("degrees", [-5, 3, 90])
def test_turns_are_scipys(degrees, x):
    """Bilinear about the centre, anticlockwise, the nearest edge pixel where there is none; also
    in the corners."""
    expected = rotate(x.numpy(), degrees, axes=(-1, -2), reshape=False, order=1, mode="nearest")
    torch.testing.assert_close(
        augmented(x, pose(degrees=degrees)), torch.from_numpy(expected), rtol=0, atol=1e-4
    )


def test_a_turned_ramp_is_the_ramp_of_the_turned_places():
    """Grey = x along a row: after a turn by a it is x cos a - y sin a, x and y from the centre, y
    down."""
    place = torch.arange(64) - 31.5
    ramp, angle = place.expand(1, 1, 1, 64, 64), torch.tensor(0.05)
    expected = place * angle.cos() - place[:, None] * angle.sin()
    middle = slice(8, 56)
    found = augmented(ramp, pose(degrees=angle.rad2deg()))[0, 0, 0]
    torch.testing.assert_close(found[middle, middle], expected[middle, middle], rtol=0, atol=1e-3)


def test_turns_bring_in_no_new_grey_levels(x):
    flat = torch.full((1, 1, 1, 32, 32), 0.7)
    torch.testing.assert_close(augmented(flat, pose(degrees=5)), flat, rtol=0, atol=1e-6)
    turned = augmented(x, pose(degrees=-5))
    assert x.min() <= turned.min() <= turned.max() <= x.max() + 1e-6


def test_a_cut_square_is_black_and_the_rest_untouched(x):
    cut = augmented(x + 0.1, pose(top=5, left=20, side=12))
    expected = (x + 0.1).clone()
    expected[..., 5:17, 20:32] = 0
    assert torch.equal(cut == 0, expected == 0)
    torch.testing.assert_close(cut, expected, rtol=0, atol=1e-5)


def test_a_square_is_cut_where_it_was_drawn_whatever_the_turn(x):
    cut = augmented(x + 0.1, pose(across=1, degrees=5, top=2, left=3, side=4))
    assert (cut == 0).sum() == 3 * 4 * 4
    assert not cut[..., 2:6, 3:7].any()


def test_poses_of_many_are_those_of_each(generator):
    """(M, B) pictures at once against one by one: a mixed-up axis or a shared pose fails here."""
    x = torch.rand(2, 5, 3, 32, 32, generator=generator)
    poses = drawn_for(plate(mode="d", p=0.5, image_size=32), 10).view(2, 5, 9)
    assert poses[..., SIDE].any()
    together = augmented(x, poses)
    assert together.shape == x.shape
    for m in range(2):
        for b in range(5):
            alone = augmented(x[m : m + 1, b : b + 1], poses[m : m + 1, b : b + 1])
            torch.testing.assert_close(together[m, b], alone[0, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [64, 256])
def test_a_pasted_square_comes_from_the_same_picture(size):
    """Each pixel has a number of its own, so what was pasted says where it comes from."""
    numbers = torch.arange(size**2)
    number = torch.stack([numbers % 256, numbers // 256, 0 * numbers]).view(1, 3, size, size)
    images = torch.cat([number, number]).to(torch.uint8)
    images[1, 2] = 1
    changed = pasted(images, 60, seed=3)
    assert torch.equal(changed, pasted(images, 60, seed=3))
    assert not torch.equal(changed, pasted(images, 60, seed=4))
    sides = set()
    for i, image in enumerate(changed):
        assert (image[2] == i % 2).all()
        differs = (image != images[i % 2]).any(0)
        rows, columns = (differs.any(axis).nonzero().flatten() for axis in (1, 0))
        if not len(rows):
            continue  # pasted onto itself
        top, left, side = int(rows[0]), int(columns[0]), len(rows)
        assert len(columns) == side and differs.sum() == side**2
        source = image[0].int() + 256 * image[1].int() - number[0, 0] - 256 * number[0, 1]
        assert len(source[top : top + side, left : left + side].unique()) == 1
        sides.add(side)
    assert min(sides) >= 16 * size / 256 and max(sides) <= 48 * size / 256 and len(sides) > 5


def test_cut_pictures_are_trained_on_as_anomalies(generator):
    images = torch.randint(110, 146, (20, 3, 32, 32), generator=generator, dtype=torch.uint8)
    none, label = images[:0], torch.zeros(0, dtype=torch.long)
    split = OneClassSplit(images, none, images[:2], none, none, none, label, label, label)
    config = plate(mode="d", p=0.4, image_size=32, network="plain")
    batches = list(Batches([config], [split]).epoch(1))
    y = torch.cat([batch.y for batch in batches])
    x = torch.cat([batch.x for batch in batches])
    cut = draw_epoch(config, 1, 20).augmentation[..., SQUARE_SIDE].flatten() > 0
    assert torch.equal(y, cut) and 0 < y.sum() < 24
    assert torch.equal((x == 0).flatten(1).any(1), cut), "no overshoot reaches 0"
