"""The diagrams: which losses are lit follows from what the training sums."""

import numpy as np
import pytest
import torch

from rscvae_lab import figures, losses
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHOD_COLOURS, MODES

NUMBERS = {"": 1.0, "λ": 0.25, "β": 3.0, "βλ": 0.75}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("anomaly", [False, True])
def test_lit_are_the_terms_that_the_objective_pulls_on(mode, anomaly):
    if anomaly and mode in ("vae", "o"):
        assert figures.lit_terms(mode, anomaly) == {}
        return
    config = Config(mode=mode, beta=3.0, lambda_consist=0.25)
    terms = losses.Terms(*(torch.ones(1, requires_grad=True) for _ in range(4)))
    loss = losses.objective(terms, torch.tensor([anomaly]), losses.Weights.of(config)).sum()
    pulls = {name: pull.item() for name, pull in
             zip(terms._fields, torch.autograd.grad(loss, terms)) if pull}
    lit = {name: NUMBERS[weight] for name, weight in figures.lit_terms(mode, anomaly).items()}
    assert lit == pytest.approx(pulls)


def drawn(mode: str, anomaly: bool = False) -> dict[str, str]:
    """The colour of each text of the diagram."""
    (axis,) = figures.data_flow(mode, anomaly).axes
    return {text.get_text(): text.get_color() for text in axis.texts}


def test_lit_losses_have_the_colour_of_the_mode_and_the_others_are_grey():
    texts = drawn("d", anomaly=True)
    assert texts["βλ $l_{mut}$ (Eq. 8)"] == METHOD_COLOURS["d"]
    assert texts["β $l_{enc1}$ (Eq. 5)"] == METHOD_COLOURS["d"]
    assert texts["$l_{recon}$ (Eq. 4): left out"] == figures.GREY
    plain = drawn("vae")
    assert plain["$l_{recon}$ (Eq. 4)"] == METHOD_COLOURS["vae"]
    assert plain["encode again"] == plain["$l_{enc2}$ (Eq. 7): left out"] == figures.GREY
    assert sum("left out" in text for text in drawn("o")) == 0
    assert sum("left out" in text for text in drawn("o", anomaly=True)) == 4


def test_no_text_lies_on_another_or_outside():
    for figure in (figures.data_flow("e", True), figures.semantic_regions(np.zeros((32, 32)))):
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
        for i, box in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            assert not any(box.overlaps(other) for other in boxes[:i])


def test_only_modes_have_a_diagram():
    with pytest.raises(InputError, match="expected a mode of vae, o, d, e, found 'pca'"):
        figures.data_flow("pca")


def test_the_regions_show_the_turned_image_its_upright_self_and_chaos():
    image = np.zeros((32, 32), np.uint8)
    image[2:30, 14:18] = 255  # an upright bar
    shown = [axis.images[0].get_array() for axis in figures.semantic_regions(image).axes[1:]]
    case_1, case_2, _, chaos, source = shown
    assert np.array_equal(case_1, image / 255)
    assert np.array_equal(case_2, np.rot90(image / 255)) and np.array_equal(source, case_2)
    assert abs(np.corrcoef(chaos.ravel(), case_1.ravel())[0, 1]) < 0.2
