"""One table of all that can be trained or scored: RSC-VAE's modes and the methods beside them.

A row says what a method is called, how figures draw it, how the paper prints it, and which
settings it takes where a config says nothing. The rows of VAEs also say what the training is
shown and whether it recodes; `losses.objective` sums their terms.

To add a mode, add a row here, with a function if it has another loss; to add a method to compare
with, a row and a file in `baselines/`. CONTRIBUTING.md shows both.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

VAE = "rscvae_lab.models.vae:VAE"


@dataclass(frozen=True)
class Method:
    """One row."""

    label: str  # in figures and tables
    colour: str
    printed: str = ""  # the heading of its column in Tables 1-3; empty where the paper has none
    model: str = VAE  # module:class
    scored_from: str = ""  # the mode whose training is scored; empty: its own, so it is a mode
    also_scored: tuple[str, ...] = ()  # rows that the same training gives beside its own
    settings: Mapping[str, Any] = field(default_factory=dict)  # its usual ones
    # of a VAE
    anomalies: str = ""  # among its training images: none, `shifted` ones, or `real` ones
    recodes: bool = True  # False: no second encoding, no l_consist (Eq. 6)
    # another loss than Eqs. 6-14, a function or its module:name: objective(x, coding, terms, y,
    # weights) -> (B,), one number an image; of an ensemble everything has a leading M
    objective: Callable[..., Any] | str | None = None

    @property
    def is_vae(self) -> bool:
        return self.model == VAE

    @property
    def own_code(self) -> tuple[Any, ...]:
        """What of the row is not the package's: its loss, its model."""
        foreign = not self.model.startswith("rscvae_lab.")
        parts = (self.loss_function(), self.model_class() if foreign else None)
        return tuple(part for part in parts if part is not None)

    def model_class(self) -> type:
        return _imported(self.model)

    def loss_function(self) -> Callable[..., Any] | None:
        """`objective`, imported where that is a name."""
        return _imported(self.objective) if isinstance(self.objective, str) else self.objective


def _imported(name: str) -> Any:
    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)


def _baseline(module: str, label: str, colour: str, printed: str = "", **settings: Any) -> Method:
    return Method(label, colour, printed, f"rscvae_lab.baselines.{module}", settings=settings)


METHODS: dict[str, Method] = {
    # plain VAE, Eq. 6: l_recon + l_enc1
    "vae": Method("VAE", "#805ad5", recodes=False, also_scored=("recode_vae",)),
    # the same training, scored by Eq. 15 with its recoding
    "recode_vae": Method("Recode VAE", "#b794f4", "Recode VAE", scored_from="vae", recodes=False),
    # one-class, Eq. 10: l_vae + lambda l_consist
    "o": Method("RSC-VAE_o", "#2f855a", "RSC-VAE_o"),
    # distributionally shifted, Eq. 12: shifted images as pseudo-anomalies, their l_recon left out
    "d": Method("RSC-VAE_d", "#d69e2e", "RSC-VAE_d", anomalies="shifted"),
    # extremely imbalanced, Eq. 14: a few real anomalies, their l_recon left out
    "e": Method("RSC-VAE_e", "#c53030", "RSC-VAE_e", anomalies="real"),
    # the same mode, its 1 % counted of the whole training set: the paper leaves the base open
    "e_all": Method("RSC-VAE_e, base: all", "#742a2a", scored_from="e", anomalies="real",
                    settings={"anomaly_base": "training_set"}),
    # floors
    "brightness": _baseline("brightness:Brightness", "mean brightness", "#a0aec0"),
    "pca": _baseline("pca:PCA", "PCA-32", "#718096"),
    "knn1": _baseline("knn:OneNeighbour", "1 neighbour", "#cbd5e0"),
    "knn5": _baseline("knn:FiveNeighbours", "5 neighbours", "#1a202c"),
    # the methods that the paper compares with
    "ae": _baseline("ae:AE", "AE", "#4a5568", "AE",
                    batch_size=64, learning_rate=1e-3, latent=32),
    "ganomaly": _baseline("ganomaly:GANomaly", "GANomaly, our networks", "#2c7a7b", "GANomaly",
                          batch_size=64, learning_rate=2e-4, latent=100),
    "ganomaly_dcgan": _baseline("ganomaly:AsPublished", "GANomaly, as published", "#38b2ac",
                                batch_size=64, learning_rate=2e-4, latent=100, network="plain"),
    "ocgan": _baseline("ocgan:OCGAN", "OCGAN", "#97266d", "OCGAN",
                       batch_size=64, learning_rate=2e-4, latent=16),
    "gradcon": _baseline("gradcon:GradCon", "GradCon", "#2a4365", "GradCon",
                         batch_size=64, learning_rate=1e-3, network="plain"),
    "adgan": _baseline("adgan:ADGAN", "ADGAN", "#9c4221", "ADGAN",
                       batch_size=64, learning_rate=1e-4, latent=256),
    "dsebm": _baseline("dsebm:DSEBM", "DSEBM", "#5f370e", "DSEBM",
                       batch_size=128, learning_rate=1e-3, network="plain"),
    "dsebm_energy": _baseline("dsebm:ByEnergy", "DSEBM, by energy", "#b7791f",
                              batch_size=128, learning_rate=1e-3, network="plain"),
    "patch_svdd": _baseline("patch_svdd:PatchSVDD", "Patch SVDD", "#22543d", "PatchSVDD",
                            learning_rate=1e-4, network="plain"),
}
MODES = tuple(name for name, row in METHODS.items() if row.is_vae and not row.scored_from)
COMPARED = tuple(name for name, row in METHODS.items() if not row.is_vae)
FLOORS = ("pca", "knn1", "knn5")  # what needs no network: a claim is made against the best of them


def trainable() -> tuple[str, ...]:
    """The modes and methods that a config can name, with those that a user added."""
    return tuple(name for name, row in METHODS.items() if not row.scored_from)


class _Column(Mapping[str, str]):
    """A field of every row, of those that are added later too."""

    def __init__(self, field: str):
        self.field = field

    def __getitem__(self, method: str) -> str:
        return getattr(METHODS[method], self.field)

    def __iter__(self) -> Iterator[str]:
        return iter(METHODS)

    def __len__(self) -> int:
        return len(METHODS)

    def __or__(self, other: Mapping[str, str]) -> dict[str, str]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, str]) -> dict[str, str]:
        return {**other, **self}


METHOD_NAMES, METHOD_COLOURS = _Column("label"), _Column("colour")
PRINTED_NAMES = {name: row.printed for name, row in METHODS.items() if row.printed}


def training_of(name: str) -> dict[str, Any]:
    """The settings of the training that gives a row: of `e_all`, mode e with another base."""
    row = METHODS.get(name)
    if row is None or not (row.scored_from and row.settings):
        return {"mode": name}
    return {"mode": row.scored_from, **row.settings}


def row_of(mode: str, settings: Mapping[str, Any]) -> str:
    """The row that a training of a mode with these settings gives: the mode, or `e_all`."""
    return next((name for name, row in METHODS.items() if row.scored_from == mode and row.settings
                 and row.settings.items() <= settings.items()), mode)


def rows_of(mode: str) -> tuple[str, ...]:
    """The methods of the result rows that one training of a mode gives: `vae` gives two."""
    return (mode, *METHODS[mode].also_scored)
