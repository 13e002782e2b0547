"""The paper's tables as printed, under this project's names of data sets, classes and methods."""

import pandas as pd

from rscvae_lab.config import category_slug, known_dataset
from rscvae_lab.errors import InputError
from rscvae_lab.methods import PRINTED_NAMES
from rscvae_lab.storage.files import resource

_TABLES = {"mnist": "table1_mnist", "fashion_mnist": "table2_fmnist", "mvtec_ad": "table3_mvtec"}
_ABBREVIATIONS = {"T-shirt": "T-shirt/top", "T-shirt/tp": "T-shirt/top", "Ankle": "Ankle boot",
                  "Metal": "metal_nut", "Tooth": "toothbrush", "Trans": "transistor"}
_TABLE5 = {"mnist": "MNIST", "fashion_mnist": "fMNIST", "mvtec_ad": "MVTecAD"}


def printed_table(name: str) -> pd.DataFrame:
    """A printed table, `table1_mnist` to `table5_ablation`. Raises InputError without its file."""
    path = resource(f"data/paper/{name}.csv")
    if not path.is_file():
        raise InputError(f"expected the paper's table in {path}, found no such file")
    return pd.read_csv(path, dtype={"category": str}, index_col=0)


def printed_aurocs(dataset: str) -> pd.DataFrame:
    """Tables 1 to 3: a row per class (slug), a column per method (our name), in the paper's order.
    Raises InputError where the paper has no such table."""
    table = _by_slug(_auroc_table(dataset), dataset)
    return table.rename(columns={name: method for method, name in PRINTED_NAMES.items()})


def printed_average(dataset: str) -> dict[str, float]:
    """The last row of Tables 1 to 3 by our names of methods, as printed: not always the mean of
    the rows above. Raises InputError as `printed_aurocs`."""
    averages = _auroc_table(dataset).loc["average"]
    return {method: float(averages[name]) for method, name in PRINTED_NAMES.items()
            if name in averages}


def printed_auroc(dataset: str, category: str) -> dict[str, float]:
    """The printed AUROC of each method of the course for one class; empty without a table."""
    dataset = known_dataset(dataset)
    if dataset not in _TABLES:
        return {}
    row = printed_aurocs(dataset).loc[category_slug(dataset, category)]
    return {method: float(row[method]) for method in ("ae", "recode_vae", "o", "d", "e")}


def printed_losses(dataset: str) -> dict[str, float]:
    """Table 5: the mean AUROC by the loss on anomalies, with 0.5 % of them (MVTec AD: one of each
    type): `o` (no anomalies), `e, l_enc1`, and `e`. Raises InputError where the paper has no such
    row."""
    row = _TABLE5.get(known_dataset(dataset))
    if row is None:
        raise InputError(f"Table 5 has our data sets {', '.join(_TABLE5)}, found {dataset}")
    aurocs = printed_table("table5_ablation").loc[row].astype(float).to_dict()
    return {"o": aurocs["RSC-VAE_o"], "e, l_enc1": aurocs["RSC-VAE_e (l_enc1)"],
            "e": aurocs["RSC-VAE_e (l_enc1 + l_consist)"]}


def _auroc_table(dataset: str) -> pd.DataFrame:
    dataset = known_dataset(dataset)
    if dataset not in _TABLES:
        raise InputError(f"the paper prints AUROCs of {', '.join(_TABLES)}, found {dataset}")
    return printed_table(_TABLES[dataset])


def own_papers(dataset: str) -> pd.DataFrame:
    """AUROCs from the compared methods' own papers, each by the protocol that the CSV names: a row
    per method, a column per class where the paper has classes, and their `average`."""
    table = printed_table("own_papers").reset_index()
    rows = table[table.dataset == known_dataset(dataset)]
    return rows.pivot(index="method", columns="category", values="auroc")


def printed_s_a(dataset: str, category: str) -> dict[str, float]:
    """Table 4 (Fashion-MNIST): S_a of `vae` and `o` for one class; empty for other data sets."""
    dataset = known_dataset(dataset)
    if dataset != "fashion_mnist":
        return {}
    row = _by_slug(printed_table("table4_sa"), dataset).loc[category_slug(dataset, category)]
    return {"vae": float(row["VAE"]), "o": float(row["RSC-VAE_o"])}


def _by_slug(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """The class rows of a printed table, indexed by slug, without the printed average."""
    rows = table.drop(index="average")
    return rows.set_axis([category_slug(dataset, _ABBREVIATIONS.get(name, name))
                          for name in rows.index])
