"""PyOD's detectors on the same splits, beside our stored rows: writes docs/pyod.csv.

    pip install pyod==3.6.7 && python docs/compare_pyod.py

An image is a vector of grey levels in [0, 1]. Every detector has PyOD's own settings and sees the
training images that ours see, without those held out.
"""

import time
from pathlib import Path

import pandas as pd
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.ocsvm import OCSVM
from pyod.models.pca import PCA

from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.reproduction.scoreboard import both_bases
from rscvae_lab.scoring import auroc

CLASSES = {"mnist": ("2", "8"), "fashion_mnist": ("pullover", "sandal")}
DETECTORS = {"IForest": lambda: IForest(random_state=0), "ECOD": ECOD, "PCA": PCA, "OCSVM": OCSVM,
             "LOF": LOF, "KNN": KNN}
OURS = {"pca": "ours: PCA-32, the floor", "recode_vae": "ours: Recode VAE",
        "o": "ours: RSC-VAE_o", "e": "ours: RSC-VAE_e", "e_all": "ours: RSC-VAE_e, base: all"}


def theirs(dataset: str, category: str) -> dict[str, tuple[float, float]]:
    """AUROC and seconds of each detector of PyOD."""
    split = load_split(Config(dataset=dataset, category=category))
    train, test = (to_unit(part).flatten(1).numpy() for part in (split.train, split.test))
    results = {}
    for name, make in DETECTORS.items():
        start = time.perf_counter()
        detector = make().fit(train)
        scores = detector.decision_function(test)  # PyOD's: higher is more abnormal
        seconds = time.perf_counter() - start
        results[f"PyOD: {name}"] = (auroc(split.test_labels.numpy(), scores), seconds)
        print(f"{dataset} {category} {name}: {results[f'PyOD: {name}'][0]:.3f}, {seconds:.0f} s",
              flush=True)
    return results


def ours(dataset: str, category: str) -> dict[str, float]:
    """The means over seeds of our stored rows."""
    rows = both_bases(dataset).query("category == @category")
    means = rows.groupby("method").auroc.mean()
    return {label: means[method] for method, label in OURS.items()}


def table() -> pd.DataFrame:
    """A row per method, a column per class: AUROC; and PyOD's mean seconds per class."""
    columns, seconds = {}, {}
    for dataset, categories in CLASSES.items():
        for category in categories:
            found = theirs(dataset, category)
            columns[f"{dataset} {category}"] = ours(dataset, category) | {
                name: value for name, (value, _) in found.items()}
            seconds[category] = {name: spent for name, (_, spent) in found.items()}
    frame = pd.DataFrame(columns).map("{:.3f}".format)
    spent = pd.DataFrame(seconds).mean(axis=1).map("{:.0f}".format)
    return frame.assign(seconds=spent).fillna("").rename_axis("AUROC")


if __name__ == "__main__":
    path = Path(__file__).with_name("pyod.csv")
    path.write_text(table().to_csv(lineterminator="\n"), "utf-8")
    print(path.read_text("utf-8"))
