"""anomalib's GANomaly on the same splits, beside our stored rows: writes docs/anomalib.csv.

    pip install anomalib==2.7.0 && python docs/compare_anomalib.py

The library's own model, engine and folders of image files, with its own settings; only the images
are resized to 32 pixels a side, not 256. Of its models GANomaly needs neither a backbone trained
on ImageNet nor another data set. It sees the training images that ours see, without those held
out, for ten epochs, and is scored on the same test images.
"""

import logging
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import torch
from PIL import Image

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.methods import METHOD_NAMES
from rscvae_lab.reproduction.scoreboard import compared
from rscvae_lab.scoring import auroc

CLASSES = {"mnist": ("8",)}
EPOCHS = 10


def write_images(images: torch.Tensor, folder: Path) -> None:
    """As PNG files (N, 1, S, S), uint8."""
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(folder / f"{i:05}.png")


def theirs(dataset: str, category: str) -> float:
    """The AUROC of anomalib's scores on the test images."""
    from anomalib.data import Folder  # after torchvision, which some CPU builds need help with
    from anomalib.engine import Engine
    from anomalib.models import Ganomaly

    split = load_split(Config(dataset=dataset, category=category))
    with tempfile.TemporaryDirectory() as root:
        write_images(split.train, Path(root) / "train")
        write_images(split.test[split.test_labels == NORMAL], Path(root) / "good")
        write_images(split.test[split.test_labels == NOVEL], Path(root) / "novel")
        data = Folder(name=category, root=root, normal_dir="train", normal_test_dir="good",
                      abnormal_dir="novel", val_split_mode="same_as_test", num_workers=0, seed=0)
        torch.manual_seed(0)
        model = Ganomaly(pre_processor=Ganomaly.configure_pre_processor((32, 32)),
                         visualizer=False, evaluator=False)
        engine = Engine(max_epochs=EPOCHS, default_root_dir=root, accelerator="cpu", logger=False,
                        limit_val_batches=0, enable_progress_bar=False)
        engine.fit(model, datamodule=data)
        batches = engine.predict(model, datamodule=data, return_predictions=True)
    labels = torch.cat([batch.gt_label for batch in batches]).int().numpy()
    return auroc(labels, torch.cat([batch.pred_score for batch in batches]).numpy())


def table() -> pd.DataFrame:
    """A row a method, a column a class: AUROC."""
    columns = {}
    for dataset, categories in CLASSES.items():
        ours = compared(dataset).xs("ours", level=1)
        for category in categories:
            columns[f"{dataset} {category}"] = {
                **{f"ours: {METHOD_NAMES[method]}": ours[category][method]
                   for method in ("ganomaly", "ganomaly_dcgan")},
                "anomalib: Ganomaly": theirs(dataset, category)}
            print(columns, flush=True)
    return pd.DataFrame(columns).map("{:.3f}".format).rename_axis("AUROC")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.getLogger("anomalib").setLevel(logging.ERROR)
    path = Path(__file__).with_name("anomalib.csv")
    path.write_text(table().to_csv(lineterminator="\n"), "utf-8")
    print(path.read_text("utf-8"))
