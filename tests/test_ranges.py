"""Values out of range, modes that cannot do their work, and categories as people write them."""

import gzip
import json
import shutil
import struct

import numpy as np
import pytest
import torch
from joblib.executor import get_memmapping_executor
from PIL import Image

from rscvae_lab import sweeps
from rscvae_lab.cli import main
from rscvae_lab.config import Config, category_list, category_slug
from rscvae_lab.datasets import images_by_class, load_split, mnist, require_tests
from rscvae_lab.datasets.industrial import only_category
from rscvae_lab.datasets.mvtec_ad import category_folder
from rscvae_lab.datasets.one_class import LabelledImages, one_class_split
from rscvae_lab.errors import InputError


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image_size": 100_000}, "at most 1024, found 100000"),
        ({"image_size": 0}, "from 32 up, found 0"),
        ({"widths": (16, 32, 64, 10**9)}, "from 1 to 4096"),
        ({"mode": "e", "p": 0}, "mode e trains on real anomalies: expected p above 0"),
        ({"mode": "d", "p": 0}, "mode d trains on shifted anomalies: expected p above 0"),
        (
            {"mode": "e", "dataset": "synthetic", "category": "plate", "per_defect": 0},
            "expected per_defect above 0",
        ),
    ],
)
def test_a_config_refuses(values, message):
    with pytest.raises(InputError, match=message):
        Config(**values)


def test_what_a_mode_does_not_use_may_be_zero():
    assert Config(mode="o", p=0).p == 0
    assert Config(mode="e", dataset="synthetic", category="plate", p=0).p == 0
    assert Config(dataset="synthetic", category="plate", per_defect=0).per_defect == 0


def test_mode_e_refuses_a_set_of_one_class():
    part = LabelledImages(torch.zeros(9, 1, 8, 8, dtype=torch.uint8), torch.zeros(9).long())
    assert len(one_class_split(part, part, 0, Config(category="0")).test) == 9
    with pytest.raises(InputError, match="mode e trains on images of other classes than 0"):
        one_class_split(part, part, 0, Config(category="0", mode="e"))


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_bench_refuses(seconds, refusal):
    assert "seconds must lie between 0 and 3600" in refusal("bench", "--seconds", seconds)


@pytest.mark.slow
def test_as_many_processes_as_runs(tmp_path, monkeypatch):
    started = []

    def executor(n_jobs):
        started.append(n_jobs)
        return get_memmapping_executor(n_jobs)

    monkeypatch.setattr(sweeps, "get_memmapping_executor", executor)
    assert not sweeps.sweep(sweeps.plan("digits", "8", "pca", "0", {}), tmp_path / "x.csv", jobs=6)
    assert started == [1]
    parallel = sweeps.joblib.Parallel
    monkeypatch.setattr(sweeps.joblib, "Parallel",
                        lambda jobs, **more: started.append(jobs) or parallel(jobs, **more))
    assert not sweeps.sweep(sweeps.plan("digits", "1,3", "pca", "0", {}), tmp_path / "y.csv",
                            jobs=6)
    assert started == [1, 2]


def test_memory_that_is_not_there_is_one_line(tmp_path, monkeypatch, capsys):
    def no_memory(*_, **__):
        return torch.empty(2**55, dtype=torch.uint8)

    monkeypatch.setattr("rscvae_lab.trainers.load_split", no_memory)
    assert main(["train", "--out", str(tmp_path / "run")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("rscvae: memory is short")
    assert message.count("\n") == 1


@pytest.fixture
def root(tmp_path):
    """Folders as people name them, each of three images."""
    for name in ("parts", "a,b", "x" * 240, "cafe\u0301"):
        folder = tmp_path / "root" / name
        folder.mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((32, 32), 60 + i, np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "root"


def test_a_category_as_tab_completion_and_file_systems_write_it(root):
    assert category_slug("folder", "parts/") == "parts"
    assert category_slug("folder", "cafe\u0301") == category_slug("folder", "café") == "café"
    assert category_folder(root, "café") == root / "cafe\u0301"
    for wrong in ("..", ".", "/", "a/b", ""):
        with pytest.raises(InputError, match="expected the name of a subfolder"):
            category_slug("folder", wrong)


def test_lists_of_subfolders(root):
    assert category_list("folder", '"a,b", parts', str(root)) == ["a,b", "parts"]
    assert category_list("folder", "a,b", str(root)) == ["a,b"]
    assert len(category_list("folder", "all", str(root))) == 4
    for nothing in ("", str(root / "nowhere"), str(root / "parts")):
        with pytest.raises(InputError, match="expected subfolders"):
            category_list("folder", "all", nothing)


def test_what_a_system_leaves_in_a_folder_is_no_category(root):
    (root / "__MACOSX").mkdir()
    (root / "@eaDir").mkdir()
    assert len(category_list("folder", "all", str(root))) == 4


@pytest.mark.parametrize("layout", [("good", "scratch"), ("Train/Good",), ("GOOD",)])
def test_a_root_that_is_a_category_itself(layout, tmp_path):
    for name in layout:
        (tmp_path / "screws" / name).mkdir(parents=True)
        Image.new("L", (32, 32)).save(tmp_path / "screws" / name / "0.png")
    assert only_category(str(tmp_path / "screws")) == (str(tmp_path), "screws")


def test_a_category_that_is_not_named(root):
    assert only_category(str(root / "parts")) == (str(root), "parts")
    for name in ("a,b", "cafe\u0301", "x" * 240):
        shutil.rmtree(root / name)
    assert only_category(str(root)) == (str(root), "parts")
    (root / "more").mkdir()
    with pytest.raises(InputError, match=r"expected --category.*there are more, parts"):
        only_category(str(root))


@pytest.mark.slow
@pytest.mark.parametrize("category", ["x" * 240, "a,b", "café"])
def test_every_name_trains_and_sweeps(category, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path / "runs"))
    own = ["--dataset", "folder", "--root", str(root), "--image-size", "32"]
    assert main(["train", "--mode", "pca", "--category", category, *own]) == 0
    assert main(["train", "--mode", "pca", "--category", category + "/", *own]) == 0
    assert "already finished" in capsys.readouterr().out
    out = tmp_path / "x.csv"
    sweep = ["sweep", "--methods", "pca", "--jobs", "1", "--out", str(out), *own]
    assert main([*sweep, "--categories", f'"{category}"']) == 0
    assert "1 of 1 runs" in capsys.readouterr().out


def test_what_lies_one_folder_too_deep_is_named(root, tmp_path, monkeypatch, refusal):
    assert "parts one folder deeper: move it up from" in refusal(
        "train", "--dataset", "folder", "--root", root.parent, "--category", "parts",
        "--out", tmp_path / "run")
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    shutil.copytree(root / "parts", tmp_path / "mvtec_ad" / "mvtec_ad" / "bottle")
    for command in (("data", "verify"), ("data", "fetch")):
        assert "bottle one folder deeper" in refusal(*command, "mvtec_ad")
    assert "bottle one folder deeper" in refusal(
        "train", "--dataset", "mvtec_ad", "--category", "bottle", "--out", tmp_path / "run")


def test_commands_that_need_test_images_say_so_first(root, tmp_path, refusal):
    own = ("--dataset", "folder", "--root", root, "--category", "parts", "--image-size", "32")
    assert "normal and 1 novel test images of parts" in refusal("run", *own)
    assert "expected another mode" in refusal("regions", *own, "--out", tmp_path / "x.csv")
    config = Config(dataset="folder", root=str(root), category="parts", image_size=32)
    with pytest.raises(InputError, match="found 0 and 0; rscvae train needs none"):
        require_tests(config, normal=1)
    with pytest.raises(InputError, match="images by class are those of digits"):
        images_by_class(config)


@pytest.mark.parametrize("dataset", ["mvtec_ad", "folder"])
def test_a_category_is_asked_for_where_there_is_no_usual_one(dataset, tmp_path, refusal):
    more = ("--root", tmp_path) if dataset == "folder" else ()
    assert "expected --category" in refusal("train", "--dataset", dataset, *more)


def idx(*shape: int, content: bytes = b"") -> bytes:
    size = int(np.prod(shape))
    return struct.pack(">HBB", 0, 8, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + (
        content or bytes(size))


OWN = {  # name: train-images and train-labels, of which MNIST has others
    "own images": (idx(1000, 28, 28), idx(1000)),
    "a header of other shape": (idx(30_000, 28, 56), idx(60_000)),
    "a zeroed header": (bytes(16 + 60_000 * 784), idx(60_000)),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("case", OWN)
@pytest.mark.parametrize("packed", [False, True])
def test_only_mnist_is_trained_on_as_mnist(case, packed, tmp_path, monkeypatch, refusal):
    """Its files are neither claimed nor replaced, and nobody is told to delete them."""
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    folder = mnist.raw_folder("mnist")
    folder.mkdir(parents=True)
    for name, content in zip(("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), OWN[case]):
        path = folder / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(content, 1) if packed else content)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for command in (("train", "--out", tmp_path / "run", "--dataset"), ("data", "verify"),
                    ("data", "fetch")):
        message = refusal(*command, "mnist")
        assert "expected MD5 6bbc9ace898e44ae57da46a324031adb, that of MNIST" in message
        assert "--dataset folder" in message
        assert "delete" not in message
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_damaged_archive_is_named(tmp_path, monkeypatch, refusal):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    mnist.raw_folder("mnist").mkdir(parents=True)
    whole = gzip.compress(bytes(10_000))
    for content in (b"no archive", whole[:20], whole[:12] + b"\xff" * 12 + whole[24:]):
        (mnist.raw_folder("mnist") / "train-images-idx3-ubyte.gz").write_bytes(content)
        assert "expected a gzip archive in" in refusal("data", "verify", "mnist")


@pytest.mark.real_data
def test_archives_alone_will_do(tmp_path, monkeypatch):
    expected, source = load_split(Config(dataset="mnist")), mnist.raw_folder("mnist")
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    mnist.raw_folder("mnist").mkdir(parents=True)
    for path in source.glob("*ubyte"):
        packed = mnist.raw_folder("mnist") / f"{path.name}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    found = load_split(Config(dataset="mnist"))
    assert torch.equal(found.test, expected.test)
    assert torch.equal(found.train, expected.train)
    assert len(list(mnist.raw_folder("mnist").iterdir())) == 4


def alike():
    return np.full((32, 32), 90, np.uint8)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["o", "pca"])
@pytest.mark.parametrize("train_alike", [False, True])
def test_metrics_that_do_not_exist_are_null(mode, train_alike, tmp_path, capsys):
    """Three copies of one image to test on; also to train on."""
    generator = np.random.default_rng(0)
    for part, n in (("train/good", 8), ("test/good", 3), ("test/bad", 2)):
        folder = tmp_path / "root" / "part" / part
        folder.mkdir(parents=True)
        for i in range(n):
            vary = part == "test/bad" or (part == "train/good" and not train_alike)
            pixels = generator.integers(60, 200, (32, 32), np.uint8) if vary else alike()
            Image.fromarray(pixels).save(folder / f"{i}.png")
    assert main(["train", "--dataset", "folder", "--root", str(tmp_path / "root"), "--image-size",
                 "32", "--epochs", "1", "--mode", mode, "--set", "threads=1", "--out",
                 str(tmp_path / "run")]) == 0

    def refuse(name: str):
        pytest.fail(f"{name} in metrics.json")

    text = (tmp_path / "run" / "metrics.json").read_text("utf-8")
    metrics = json.loads(text, parse_constant=refuse)
    assert metrics["s_a_spearman"] is None
    assert 0 <= metrics["auroc"] <= 1
    assert "Warning" not in capsys.readouterr().err
