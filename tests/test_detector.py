"""Training on one's own arrays: the same numbers as from a shell, scikit-learn's contract, and
refusals in one line."""

import json
import pickle

import numpy as np
import pytest
import torch
from arrays import detector, eights
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import validate_data
from torch import nn

from rscvae_lab import Detector, Run, train
from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.config.schema import resolve_precision
from rscvae_lab.datasets import load_parts, synthetic
from rscvae_lab.datasets.images import as_images, resize
from rscvae_lab.errors import InputError
from rscvae_lab.figures.scored import write_judged
from rscvae_lab.methods import COMPARED, MODES


@pytest.fixture(scope="module")
def fitted() -> Detector:
    return detector(epochs=2).fit(eights())


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["vae", "o", "d", "pca", "ae"])
def test_scores_are_those_of_a_training_from_a_shell(mode, tmp_path):
    """Of uint8 and of floats, in any layout, to the bit."""
    assert main(["train", "--mode", mode, "--epochs", "2", "--out", str(tmp_path)]) == 0
    test = load_parts("digits")[1].images
    expected = Run.load(tmp_path).score(resize(test, 32)).novelty_score.to_numpy()
    own = detector(mode, epochs=2).fit(eights())
    floats = detector(mode, epochs=2).fit(torch.from_numpy(eights() / 255)[..., None])
    assert np.array_equal(own.novelty_score(test), expected)
    assert np.array_equal(floats.novelty_score(test[:, 0].numpy() / 255), expected)
    assert own.run_.config == floats.run_.config
    assert (own.run_.folder / "weights.safetensors").read_bytes() == (
        tmp_path / "weights.safetensors"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.real_data
def test_mnist_as_an_array_scores_as_mnist(tmp_path):
    train_part, test = load_parts("mnist")
    images = train_part.images[train_part.labels == 8][:, 0].numpy()
    run = train(Config(dataset="mnist", category="8", epochs=1), tmp_path, progress=False)
    own = detector().fit(images)
    expected = run.score(resize(test.images[:500], 32)).novelty_score
    assert np.array_equal(own.novelty_score(test.images[:500]), expected)
    assert own.threshold_ == run.metrics["threshold"]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [*MODES, *COMPARED])
def test_every_mode_trains_on_colour_and_tells_noise_from_gradients(mode, tmp_path):
    """Floats in (N, S, S, C) of a size that no data set has; what is saved scores the same."""
    rng = np.random.default_rng(0)
    size = {"patch_svdd": 64, "ganomaly_dcgan": 32}.get(mode, 48)
    ramp = np.linspace(0.2, 0.8, size)[None, :, None, None]
    images = np.clip(ramp + 0.05 * rng.random((24, 1, 1, 3)), 0, 1) * np.ones((1, 1, size, 1))
    if mode == "patch_svdd":  # would embed ramps all alike
        images = 0.5 + 0.4 * np.sin(60 * (images + images.swapaxes(1, 2)))
    novel = rng.random((5, size, size, 3))
    anomalies = {"anomalies": novel[:2]} if mode == "e" else {}
    made = Detector(mode, epochs=2, progress=False, name="ramps").fit(images, **anomalies)
    config = made.run_.config
    assert (config.dataset, config.category, config.channels) == ("arrays", "ramps", 3)
    scores = made.novelty_score(novel)
    assert np.isfinite(scores).all()
    if mode not in ("brightness", "ganomaly_dcgan"):  # blind to noise; slower than two epochs
        assert scores.min() > made.novelty_score(images).mean()
    made.save(tmp_path / "saved")
    assert np.array_equal(Detector.load(tmp_path / "saved").novelty_score(novel), scores)


@pytest.mark.slow
def test_other_images_are_another_run(fitted):
    images = eights()
    images[0, 0, 0] ^= 1
    other = detector(epochs=2).fit(images)
    assert other.run_.config.config_hash != fitted.run_.config.config_hash


@pytest.mark.slow
def test_mode_e_learns_from_anomalies():
    images, labels = load_parts("digits")[0]
    made = detector("e").fit(eights(), anomalies=images[labels == 1][:7] / 255)
    assert made.run_.metrics["n_anomalous_train"] == 7
    for mode, anomalies in (("e", None), ("o", images[:7])):
        with pytest.raises(InputError, match=f"mode {mode} expects (some|no) anomalies"):
            detector(mode).fit(eights(), anomalies=anomalies)


@pytest.mark.slow
def test_a_saved_detector_is_a_run_like_any_other(fitted, tmp_path, refusal, capsys):
    fitted.save(tmp_path / "x")
    with pytest.raises(InputError, match="expected an empty folder"):
        fitted.save(tmp_path / "x")
    again = Detector.load(tmp_path / "x")
    assert np.array_equal(again.novelty_score(eights(1)), fitted.novelty_score(eights(1)))
    assert np.array_equal(clone(again).fit(eights()).novelty_score(eights(1)),
                          fitted.novelty_score(eights(1)))  # fmt: skip
    from PIL import Image

    (tmp_path / "images").mkdir()
    Image.fromarray(eights(1)[0]).save(tmp_path / "images" / "an 8.png")
    command = ["score", "--run", tmp_path / "x", "--images", tmp_path / "images"]
    out, pictures = tmp_path / "s.csv", tmp_path / "pictures"
    assert main([str(part) for part in [*command, "--out", out, "--pictures", pictures]]) == 0
    assert "1 images scored" in capsys.readouterr().out
    with Image.open(pictures / "0000-an 8.png") as picture:
        assert picture.width > 2 * picture.height
    message = refusal("train", "--dataset", "arrays", "--category", "normal", "--resume", "--out",
                      tmp_path / "x")  # fmt: skip
    assert "expects images in memory, found none" in message


@pytest.mark.slow
def test_predictions_follow_from_scores_as_in_scikit_learn(fitted):
    images = np.concatenate([eights(1), load_parts("digits")[1].images[:40, 0].numpy()])
    scores = fitted.novelty_score(images)
    assert np.array_equal(fitted.score_samples(images), -scores)
    assert np.array_equal(fitted.decision_function(images), -scores - fitted.offset_)
    assert np.array_equal(fitted.is_novel(images), scores > fitted.threshold_)
    assert np.array_equal(fitted.predict(images), np.where(scores > fitted.threshold_, -1, 1))
    assert set(fitted.predict(images)) == {-1, 1}
    assert fitted.n_features_in_ == 32 * 32
    alone = np.concatenate([fitted.novelty_score(image[None]) for image in images[:5]])
    assert alone == pytest.approx(scores[:5], rel=1e-4)


@pytest.mark.slow
def test_a_fitted_detector_can_be_copied_and_fitted_again(fitted):
    copied = pickle.loads(pickle.dumps(fitted))
    assert copied.run_.folder != fitted.run_.folder
    assert np.array_equal(copied.novelty_score(eights(1)), fitted.novelty_score(eights(1)))
    first = fitted.novelty_score(eights(1))
    assert np.array_equal(clone(fitted).fit(eights(), y=eights()).novelty_score(eights(1)), first)


@pytest.mark.slow
def test_pipelines_and_searches_take_it():
    images, labels = load_parts("digits")[0]
    part = torch.cat([images[labels == 8][:40], images[labels == 1][:8]])
    y = np.repeat([1, -1], [40, 8])
    scaled = Pipeline([("unit", FunctionTransformer(lambda x: x / 255)), ("pca", detector("pca"))])
    both = {"cv": StratifiedKFold(2), "scoring": "roc_auc", "error_score": "raise"}
    assert np.isfinite(cross_val_score(scaled, part, y, **both)).all()
    search = GridSearchCV(detector("pca"), {"resize": [32, 48]}, **both).fit(part.numpy(), y)
    size = search.best_params_["resize"]
    assert search.best_estimator_.run_.config.image_size == size


class OfTables(Detector):
    """Takes the tables that scikit-learn's checks are written for: each row, as an image, tells
    the detector what an image tells it. Without the tag scikit-learn runs no check at all."""

    def fit(self, X, y=None):
        table = validate_data(self, X)
        super().fit(self.as_pictures(table))
        self.n_features_in_ = table.shape[1]
        return self

    def novelty_score(self, images):
        self._fitted()
        return super().novelty_score(self.as_pictures(validate_data(self, images, reset=False)))

    @staticmethod
    def as_pictures(table):
        with np.errstate(over="ignore"):
            return np.stack([np.resize(row, (32, 32)) for row in 1 / (1 + np.exp(-table))])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


EXPECTED = {"check_fit2d_1sample": "expects the word sample in a message, which says images"}


@pytest.mark.slow
@estimator_checks.parametrize_with_checks(
    [OfTables("knn1", progress=False)],
    expected_failed_checks=lambda _: EXPECTED,
    xfail_strict=True,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_it_says_that_it_takes_images_and_is_not_fitted():
    tags = Detector().__sklearn_tags__().input_tags
    assert tags.three_d_array and not tags.two_d_array
    for method in (Detector().predict, Detector().save):
        with pytest.raises(NotFittedError, match=r"call fit\(images\) first"):
            method(eights())
    assert clone(Detector("e", seed=3)).get_params() == Detector("e", seed=3).get_params()
    assert Detector().set_params(mode="d").mode == "d"


@pytest.mark.parametrize(
    ("images", "arguments", "message"),
    [
        (np.zeros((9, 8, 8), np.uint8), {}, "multiple of 16 pixels.* found 8 x 8: resize=N"),
        (np.zeros((9, 32, 48)), {}, "expected square images"),
        (np.zeros((9, 64)), {}, r"expected images of shape .* found \(9, 64\)"),
        (np.zeros((9, 4, 32, 32)), {}, "with 1 or 3 channels"),
        (np.zeros((0, 32, 32)), {}, "found none"),
        (np.zeros((1, 32, 32)), {}, "at least 2 normal images"),
        (np.full((9, 32, 32), 200.0), {}, r"expected pixels in \[0, 1\], found 200 to 200"),
        (np.full((9, 32, 32), np.nan), {}, "NaN or infinite"),
        (np.zeros((9, 32, 32), int), {}, "expected uint8"),
        (np.array([["a"] * 32] * 32), {}, "expected images as uint8 or floats"),
        (np.zeros((64, 32, 3)), {"resize": 32}, r"one of shape \(64, 32, 3\): images\[None\]"),
        (np.zeros((9, 32, 32)), {"resize": 32.0}, "resize as a number of pixels, found 32.0"),
        (np.zeros((9, 32, 32)), {"settings": ["beta"]}, "settings as a dictionary"),
        ([np.zeros((32, 32)), np.zeros((16, 16))], {}, "of one shape, found several"),
        (np.zeros((9, 32, 32)), {"mode": "f"}, "unknown mode 'f'"),
        (np.zeros((9, 48, 48)), {"settings": {"network": "resnet18"}}, "multiple of 32"),
        (np.zeros((9, 32, 32)), {"settings": {"image_size": 64}}, ", resize=N resizes them"),
        (np.zeros((9, 32, 32)), {"settings": {"channels": 3}}, "channels: it follows from"),
        (np.zeros((9, 32, 32)), {"settings": {"epochs": 3}}, r"Detector\(epochs=...\) has it"),
        (np.zeros((9, 32, 32)), {"settings": {"foo": 3}}, "unknown setting 'foo'"),
        (np.zeros((9, 32, 32)), {"name": "a/b"}, "expected the name without slashes"),
        (np.zeros((9, 32, 32)), {"encoder": 3}, "expected an encoder or decoder as"),
        (np.zeros((9, 32, 32)), {"encoder": nn.Linear(3, 3)}, "to take a batch of shape"),
        (np.zeros((9, 32, 32)), {"encoder": nn.Identity()}, "to features"),
        (np.zeros((9, 32, 32)), {"decoder": nn.Identity()}, r"to images \(2, 1, 32, 32\)"),
        (np.zeros((9, 32, 32)), {"mode": "ae", "encoder": nn.Flatten()}, "goes with modes vae"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_line(images, arguments, message):
    with pytest.raises(InputError, match=message) as refused:
        Detector(**{"epochs": 1, "progress": False} | arguments).fit(images)
    assert "\n" not in str(refused.value)


def test_layouts_and_types_are_one_to_the_network():
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    last = images.permute(0, 2, 3, 1).numpy()
    assert torch.equal(as_images(last), images)
    assert torch.equal(as_images(last.astype(">f4")[::-1]), images.flip(0))
    assert torch.equal(as_images(list(images[:, 0].double().numpy())), images[:, :1])
    bytes_ = (images * 255).byte()
    for size in (None, 48):
        halves = as_images(bytes_, size), as_images(bytes_.numpy() / 255, size)
        unit = [half.float() / (255 if half.dtype == torch.uint8 else 1) for half in halves]
        assert torch.equal(*unit)


@pytest.mark.slow
def test_a_run_of_an_ensemble_can_be_fitted_again(tmp_path):
    """What a GPU's sweep leaves says how many models it trained at once, and in which arithmetic;
    a run of an older recipe says that."""
    run = train(Config(epochs=1, seed=3, widths="wide"), tmp_path, progress=False)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    written = config | {"stack": 40, "precision": "float32", "recipe": 4}
    (tmp_path / "config.json").write_text(json.dumps(written), "utf-8")
    loaded = Detector.load(tmp_path)
    own = {"precision": "float32"} if resolve_precision("auto", "cpu") != "float32" else {}
    assert loaded.settings == {"widths": run.config.widths} | own
    assert loaded.fit(eights()).run_.config.recipe == run.config.recipe


@pytest.mark.slow
def test_a_save_that_fails_leaves_no_finished_run(fitted, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rscvae_lab.detector.write_whole", full)
    with pytest.raises(OSError, match="No space"):
        fitted.save(tmp_path / "x")
    written = {file.name for file in (tmp_path / "x").iterdir()}
    assert "weights.safetensors" in written and "metrics.json" not in written


@pytest.mark.slow
def test_a_run_on_a_folder_is_saved_with_its_page(tmp_path):
    synthetic.write_set(tmp_path, size=32, n_train=8, n_good=2, n_defect=0)
    run = train(Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                       epochs=1), tmp_path / "run", progress=False)  # fmt: skip
    write_judged(run)
    Detector.load(run.folder).save(tmp_path / "copy")
    assert (tmp_path / "copy" / "page" / "index.html").is_file()
    assert Run.load(tmp_path / "copy").metrics == run.metrics


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["vae", "o"])
def test_a_trained_detector_exports(mode):
    """As one graph of plain torch operations, for batches of any size."""
    model = detector(mode, settings={"widths": "wide"}).fit(eights()).run_.model
    x = torch.rand(3, 1, 32, 32)
    any_number = ({0: torch.export.Dim("batch", min=2)},)
    program = torch.export.export(model, (x,), dynamic_shapes=any_number)
    x = torch.rand(7, 1, 32, 32)
    with torch.no_grad():
        for found, expected in zip(program.module()(x), model(x), strict=True):
            torch.testing.assert_close(found, expected)
