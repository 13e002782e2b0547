"""The paper's printed tables as data frames, under this project's names for data sets, categories and methods."""

import pandas as pd

from rscvae_lab.config import category_slug, known_dataset
from rscvae_lab.errors import InputError
from rscvae_lab.methods import PRINTED_NAMES
from rscvae_lab.storage.files import project_root

_TABLES = {"mnist": "table1_mnist", "fashion_mnist": "table2_fmnist", "mvtec_ad": "table3_mvtec"}
_ABBREVIATIONS = {"T-shirt": "T-shirt/top", "T-shirt/tp": "T-shirt/top", "Ankle": "Ankle boot",
                  "Metal": "metal_nut", "Tooth": "toothbrush", "Trans": "transistor"}
_TABLE5 = {"RSC-VAE_o": "o", "RSC-VAE_e (l_enc1)": "e, l_enc1", "RSC-VAE_e (l_enc1 + l_consist)": "e"}


def printed_table(name: str) -> pd.DataFrame:
    """A table as printed, `table1_mnist` to `table5_ablation`. Raises InputError where the checkout lacks it."""
    path = project_root() / "data" / "paper" / f"{name}.csv"
    if not path.is_file():
        raise InputError(f"expected the paper's table in {path}, found no such file: run from a checkout")
    return pd.read_csv(path, dtype={"category": str}, index_col=0)


def printed_aurocs(dataset: str) -> pd.DataFrame:
    """Tables 1 to 3: a row a class (slug), a column a method under our name, in the paper's order of columns.

    Raises:
        InputError: the paper has no such table for this data set.
    """
    table = _by_slug(_auroc_table(dataset), dataset)
    return table.rename(columns={name: method for method, name in PRINTED_NAMES.items()})


def printed_average(dataset: str) -> dict[str, float]:
    """The last row of Tables 1 to 3 as printed, by our names of methods; not always the mean of the rows above."""
    averages = _auroc_table(dataset).loc["average"]
    return {method: float(averages[name]) for method, name in PRINTED_NAMES.items() if name in averages}


def printed_auroc(dataset: str, category: str) -> dict[str, float]:
    """Tables 1 to 3: the printed AUROC of each method that is ours too; empty for a set the paper lacks."""
    dataset = known_dataset(dataset)
    if dataset not in _TABLES:
        return {}
    row = printed_aurocs(dataset).loc[category_slug(dataset, category)]
    return {method: float(row[method]) for method in ("ae", "recode_vae", "o", "d", "e")}


def printed_losses(dataset: str) -> dict[str, float]:
    """Table 5: the mean AUROC by the loss on anomalies, 0.5 % of them: `o` (none), `e, l_enc1`, and `e`.

    Raises:
        InputError: the paper has no such row for this data set.
    """
    names = {"mnist": "MNIST", "fashion_mnist": "fMNIST"}
    if known_dataset(dataset) not in names:
        raise InputError(f"Table 5 has {', '.join(names)} of our data sets, found {dataset}")
    row = printed_table("table5_ablation").loc[names[known_dataset(dataset)]]
    return {ours: float(row[name]) for name, ours in _TABLE5.items()}


def _auroc_table(dataset: str) -> pd.DataFrame:
    dataset = known_dataset(dataset)
    if dataset not in _TABLES:
        raise InputError(f"the paper prints AUROCs of {', '.join(_TABLES)}, found {dataset}")
    return printed_table(_TABLES[dataset])


def own_papers(dataset: str) -> pd.DataFrame:
    """AUROCs that a compared method's own paper gives for a data set, by its own protocol, which the table names: a row
    a method, a column a class where the paper has classes, and their `average`."""
    table = printed_table("own_papers").reset_index()
    return table[table.dataset == known_dataset(dataset)].pivot(index="method", columns="category", values="auroc")


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
