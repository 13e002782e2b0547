"""The latent plane of a model with two latent dimensions."""

import numpy as np
import pytest
import torch

from rscvae_lab.analysis.plane import Plane
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.losses import enc1
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    config = Config(mode="vae", latent=2, epochs=3)
    return Survey.of(train(config, tmp_path_factory.mktemp("flat") / "run", progress=False))


def test_each_square_of_the_mosaic_is_decoded_from_its_centre(survey):
    plane = Plane.of(survey, reach=3.0, n=3)
    assert plane.mosaic.shape == (96, 96)
    squares = {(0, 0): (-2, 2), (1, 1): (0, 0), (2, 0): (-2, -2)}  # row, column: z_1, z_2
    for (row, column), z in squares.items():
        square = plane.mosaic[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        assert square == pytest.approx(plane.recoded(z).x_hat[0], abs=1e-5)


def test_a_point_is_decoded_encoded_and_decoded_again(survey):
    plane, model = Plane.of(survey, n=2), survey.run.model
    recoded = plane.recoded((0.5, -1.0))
    with torch.inference_mode():
        coding = model(torch.from_numpy(recoded.x_hat).unsqueeze(0))
    assert recoded.mu_re == pytest.approx(coding.mu[0].numpy(), abs=1e-5)
    assert recoded.sigma_re == pytest.approx((0.5 * coding.log_var[0]).exp().numpy(), rel=1e-4)
    assert recoded.x_re == pytest.approx(coding.x_hat[0].numpy(), abs=1e-5)
    assert recoded.information == pytest.approx(enc1(coding.mu, coding.log_var).item(), rel=1e-4)


def test_codes_and_field_are_those_of_the_run(survey):
    plane = Plane.of(survey, reach=3.0, n=2)
    assert np.array_equal(plane.codes[["mu_1", "mu_2"]], survey.test.coding.mu.numpy())
    assert plane.codes.label.tolist() == survey.split.test_labels.tolist()
    assert len(plane.field) == 16
    for row in plane.field.iloc[[0, 7]].itertuples():
        assert plane.recoded((row.z_1, row.z_2)).mu_re == pytest.approx(
            [row.mu_re_1, row.mu_re_2], abs=1e-4)


def test_other_dimensions_are_refused(short_run):
    with pytest.raises(InputError, match="found latent=64"):
        Plane.of(Survey.of(short_run))
