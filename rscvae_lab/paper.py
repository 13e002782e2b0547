"""The paper's printed tables as data frames, under this project's names for data sets, categories and methods."""

import pandas as pd

from rscvae_lab.categories import category_slug, known_dataset
from rscvae_lab.errors import InputError
from rscvae_lab.files import project_root

PRINTED_NAMES = {"ae": "AE", "recode_vae": "Recode VAE", "o": "RSC-VAE_o", "d": "RSC-VAE_d", "e": "RSC-VAE_e"}
_TABLES = {"mnist": "table1_mnist", "fashion_mnist": "table2_fmnist"}
_ABBREVIATIONS = {"T-shirt": "T-shirt/top", "T-shirt/tp": "T-shirt/top", "Ankle": "Ankle boot"}


def printed_table(name: str) -> pd.DataFrame:
    """A table as printed, `table1_mnist` to `table5_ablation`. Raises InputError where the checkout lacks it."""
    path = project_root() / "data" / "paper" / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"expected the paper's table in {path}, found no such file: run from a checkout")
    return pd.read_csv(path, dtype={"category": str}, index_col=0)


def printed_auroc(dataset: str, category: str) -> dict[str, float]:
    """Tables 1 and 2: the printed AUROC of each of our methods for one class; empty for a set the paper lacks."""
    dataset = known_dataset(dataset)
    if dataset not in _TABLES:
        return {}
    row = _by_slug(printed_table(_TABLES[dataset]), dataset).loc[category_slug(dataset, category)]
    return {method: float(row[name]) for method, name in PRINTED_NAMES.items()}


def printed_s_a(dataset: str, category: str) -> dict[str, float]:
    """Table 4 (Fashion-MNIST): the printed S_a of `vae` and `o` for one class; empty for other data sets."""
    dataset = known_dataset(dataset)
    if dataset != "fashion_mnist":
        return {}
    row = _by_slug(printed_table("table4_sa"), dataset).loc[category_slug(dataset, category)]
    return {"vae": float(row["VAE"]), "o": float(row["RSC-VAE_o"])}


def _by_slug(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The class rows of a printed table, indexed by slug; the printed average is left out."""
    rows = table.drop(index="average")
    return rows.set_axis([category_slug(dataset, _ABBREVIATIONS.get(name, name)) for name in rows.index])
