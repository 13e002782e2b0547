"""Everything that decides a run's result, checked once, hashed, and written to `config.json`."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import torch

from rscvae_lab.config.categories import FOLDER, GREY, PICTURE_SETS, category_slug, known_dataset
from rscvae_lab.divergences import DIVERGENCES
from rscvae_lab.errors import InputError
from rscvae_lab.methods import COMPARED, METHODS, MODES, Method

RECIPE = 5  # raise it when a change of the code changes what an unchanged config trains

WIDTHS = {"lesson": (16, 32, 64, 128), "wide": (32, 64, 128, 256)}
LESSON_EPOCHS = {"digits": 60, "mnist": 10, "fashion_mnist": 10}  # a hundred images, or thousands; pictures: 30
LESSON_RATES = (1e-3, 3e-4)  # of labelled images; of pictures, whose batches are a quarter as large (Goyal et al. 2017)
PAPER_EPOCHS, PAPER_HALF_PERIOD = (500, 200), 50  # Sec. 4.1: 500, T_max 50; of MVTec AD it says nothing
PAPER_RATE = 1e-2  # Sec. 4.1; for few epochs that is too much (see NOTATION.md)

_USUAL: dict[str, tuple[Any, Any]] = {  # what None is resolved to: on labelled sets, on industrial pictures (Sec. 4.1)
    "network": ("plain", "resnet18"), "image_size": (32, 256), "latent": (64, 128), "batch_size": (32, 8),
    "p": (0.01, 0.05), "augment": (False, True),
}
ADDED = {"network": "plain", "channels": 1, "root": "", "augment": False, "per_defect": 1}  # with their former values
_CHOICES = {
    "network": ("plain", "resnet18"),
    "mode": (*MODES, *COMPARED),
    "shifts": ("paper", "safe"),
    "anomaly_base": ("class", "training_set"),
    "anomaly_draw": ("stratified", "pooled", "fresh"),
    "recode_statistics": ("both", "first", "training"),
    "recode_gradient": ("full", "fixed_image", "fixed_target"),
    "js": tuple(DIVERGENCES),
    "scale": ("lesson", "paper"),
    "precision": ("float32", "tf32", "bfloat16"),
}
_ALIASES = {  # vae and recode_vae are one training, scored twice; fixed_picture is the old name
    "mode": {"recode_vae": "vae"}, "recode_gradient": {"fixed_picture": "fixed_image"}, "widths": WIDTHS,
}
_RANGES = {  # lowest and highest value accepted
    "seed": (0, 2**31 - 1), "split_seed": (0, 2**31 - 1), "fraction": (1e-6, 1), "heldout": (1e-6, 0.5),
    "p": (0, 0.5), "beta": (0, 1e6), "lambda_consist": (0, 1e6), "latent": (1, 4096), "epochs": (1, 100_000),
    "batch_size": (1, 65_536), "learning_rate": (1e-8, 10), "evaluate_every": (1, 100_000), "threads": (1, 1024),
    "stack": (1, 4096), "per_defect": (0, 1000),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training, whole. What is None or `auto` is resolved on construction.

    Raises:
        InputError: a value is unknown or out of range.
    """

    dataset: str = "digits"
    category: str = "8"  # number, name or slug of the normal class; kept as slug
    mode: str = "o"  # vae (also scored as recode_vae), o, d, e, or a compared method: pca, ae, ...
    seed: int = 0  # weights, batches, noise, and which anomalies mode e is given
    root: str = ""  # of data set `folder`: where its categories lie; kept as an absolute path
    # the split (Sec. 4.1)
    image_size: int | None = None  # pixels a side, a multiple of 16 or, for a ResNet, 32
    channels: int | None = None  # 3, or 1 for grey levels
    fraction: float = 0.5  # share of the other classes' test images in the test set
    heldout: float = 0.1  # our choice: share of the class's training images kept for thresholds and normalisers
    split_seed: int = 0  # which images are held out and which half is tested; the same for every training seed
    # (pseudo-)anomalies (Secs. 3.4, 3.5)
    p: float | None = None  # probability of a distributional shift (d), proportion of real anomalies (e)
    shifts: str = "paper"  # flips and rotations; safe: rotations only
    anomaly_base: str = "class"  # what p is a proportion of in mode e: the class, or the whole training set
    anomaly_draw: str = "stratified"  # as many of each other class; pooled: of all; fresh: of all, every epoch anew
    # the objective (Eqs. 4-14)
    js: str = "bhattacharyya"  # the reading of D_JS
    lambda_consist: float = 0.1
    beta: float = 1.0
    consist_on_anomaly: bool = True  # False: l_enc1 alone on (pseudo-)anomalies, the ablation of Table 5
    per_defect: int = 1  # pictures: real anomalies of mode e, of each type of defect; they leave the test of every mode
    # batch normalisation in scores, one pass over the training images: both encodings or the first;
    # training: torch's running averages, in which plain vae lacks the second
    recode_statistics: str = "both"
    recode_gradient: str = "full"  # fixed_picture: none through x_hat; fixed_target: q(z|x) constant in D_JS
    # the network
    network: str | None = None  # plain: four convolutions; resnet18: all its widths 64
    widths: tuple[int, ...] = WIDTHS["lesson"]  # of the plain network
    latent: int | None = None
    augment: bool | None = None  # pictures: flips where the object allows them, and turns up to 5 degrees
    # the optimisation
    scale: str = "lesson"  # lesson: half a cosine over the epochs; paper: T_max 50 taken literally, 500 epochs
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None  # the highest
    evaluate_every: int | None = None  # epochs between evaluations on the test set (the oracle's choices)
    # the machine, as far as it decides the bytes
    device: str = "auto"
    precision: str = "auto"  # of matrix products in training: float32, tf32, bfloat16; scores are float32
    threads: int = 2  # CPU threads of torch; sums are split among them
    stack: int = 1  # models side by side in one network
    recipe: int = RECIPE

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)  # frozen, but not yet

        put("dataset", known_dataset(self.dataset))
        if self.root and isinstance(self.root, str | Path):
            put("root", str(Path(self.root).expanduser().resolve()))  # the same from wherever a run is gone on with
        put("category", category_slug(self.dataset, self.category))
        for name, aliases in _ALIASES.items():
            value = getattr(self, name)
            put(name, aliases.get(value, value) if isinstance(value, str) else value)
        put("device", resolve_device(self.device))
        if self.precision == "auto" and self.mode not in MODES:
            put("precision", "float32")  # our bfloat16 step is that of the VAEs
        put("precision", resolve_precision(self.precision, self.device))
        for name in ("mode", "scale"):
            self._check_choice(name)  # on which defaults rest
        for name, usual in self._usual().items():
            put(name, usual if getattr(self, name) is None else getattr(self, name))
        default_interval = 10 if self.scale == "paper" else max(1, int(_canonical("epochs", self.epochs, int)) // 5)
        put("evaluate_every", default_interval if self.evaluate_every is None else self.evaluate_every)
        for field in fields(self):  # one spelling of each value, so that equal configs have equal hashes
            put(field.name, _canonical(field.name, getattr(self, field.name), field.type))
        self._check()

    def _method_settings(self) -> dict[str, Any]:
        """The usual settings of a method to compare with."""
        return dict(METHODS[self.mode].settings) if self.mode in METHODS else {}

    def _usual(self) -> dict[str, Any]:
        """What None is resolved to."""
        pictures, paper = self.dataset in PICTURE_SETS, self.scale == "paper"
        grey = not pictures or (self.dataset == "mvtec_ad" and self.category in GREY)
        return {name: values[pictures] for name, values in _USUAL.items()} | {
            "channels": 1 if grey else 3,
            "epochs": PAPER_EPOCHS[pictures] if paper else LESSON_EPOCHS.get(self.dataset, 30),
            "learning_rate": PAPER_RATE if paper else LESSON_RATES[pictures],
        } | {name: value for name, value in self._method_settings().items()
             if not (pictures and name == "batch_size")}  # large pictures come eight at a time, whoever trains

    def _check(self) -> None:
        for name in _CHOICES:
            self._check_choice(name)
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} must lie between {low:g} and {high:g}, found {getattr(self, name)!r}")
        step = 32 if self.network == "resnet18" else 16
        if self.image_size < 32 or self.image_size % step:
            raise InputError(f"image_size must be a multiple of {step} from 32 up, found {self.image_size}")
        if self.network == "resnet18" and self.image_size == 32 and self.batch_size == 1:
            raise InputError("batch normalisation of one number needs a batch_size of at least 2, found 1: a ResNet "
                             "leaves one of each map of 32 x 32 pixels")
        if self.channels not in (1, 3) or (self.channels == 3 and self.dataset not in PICTURE_SETS):
            raise InputError(f"channels must be 1, or 3 for colour pictures, found {self.channels} of {self.dataset}")
        if self.dataset == FOLDER and not self.root:
            raise InputError("data set folder expects a root, where the folders of its categories lie, found none")
        if self.root and self.dataset != FOLDER:
            raise InputError(f"a root goes with data set folder and no other, found {self.root!r} of {self.dataset}")
        if self.dataset in PICTURE_SETS and self.anomaly_draw != "stratified":
            raise InputError(f"anomaly_draw must be stratified on {self.dataset}, by type of defect, found "
                             f"{self.anomaly_draw}")
        if len(self.widths) != 4 or min(self.widths) < 1:
            raise InputError(f"widths must be four positive integers such as 16-32-64-128, found {self.widths}")

    def _check_choice(self, name: str) -> None:
        found, choices = getattr(self, name), _CHOICES[name]
        if found not in choices:
            raise InputError(f"unknown {name} {found!r}: expected one of {', '.join(choices)}")

    @property
    def method(self) -> Method:
        """The mode's row in the table of methods."""
        return METHODS[self.mode]

    @property
    def config_hash(self) -> str:
        """The run's identity: twelve hexadecimal digits over every field; one that was added later counts only where it
        says something new, so that earlier runs keep their identity."""
        said = {name: value for name, value in asdict(self).items() if name not in ADDED or value != ADDED[name]}
        return hashlib.sha256((json.dumps(said, indent=2) + "\n").encode()).hexdigest()[:12]

    @property
    def result_epoch(self) -> int:
        """The epoch whose weights are the result: the last one, or at paper scale the last of lowest rate (450); the
        compared methods' rate stays as it is."""
        falls = self.scale == "paper" and self.method.is_vae
        lowest = range(PAPER_HALF_PERIOD, self.epochs + 1, 2 * PAPER_HALF_PERIOD) if falls else ()
        return lowest[-1] if lowest else self.epochs

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads `config.json`. Raises InputError for text that no config wrote."""
        try:
            values = json.loads(text)
            return cls(**values)
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            raise InputError(f"expected a config.json written by rscvae, found something else ({error})") from None


def require_vae(config: Config) -> None:
    """Raises InputError for a method without codes to look at."""
    if not config.method.is_vae:
        raise InputError(f"expected a run of mode {', '.join(MODES)}, found {config.mode}")


def _canonical(name: str, value: Any, kind: Any) -> Any:
    """A value in the type of its field. Raises InputError where that would change it."""
    kind = next((plain for plain in (int, float, str, bool) if kind == plain | None), kind)
    try:
        if name == "widths" and tuple(map(int, value)) == tuple(value):
            return tuple(map(int, value))
        if kind in (int, float, str, bool) and kind(value) == value and (kind is bool) == isinstance(value, bool):
            return kind(value)
    except (TypeError, ValueError, OverflowError):
        pass  # said below
    raise InputError(f"{name} expects {'four integers' if name == 'widths' else kind.__name__}, found {value!r}")


def resolve_device(device: str) -> str:
    """`auto` is the GPU where there is one. A run trained on a GPU can be read where there is none."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InputError(f"unknown device {device!r}: expected auto, cpu or cuda")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """`auto` is bfloat16 on a CPU that has it (measured: fastest, AUROC unchanged) and TF32 on a GPU (not measured)."""
    if precision == "auto":
        return "tf32" if device == "cuda" else "bfloat16" if _cpu_has_bfloat16() else "float32"
    if precision == "tf32" and device != "cuda":
        raise InputError(f"precision tf32 needs device cuda, found {device}: expected float32 or bfloat16")
    return precision


def _cpu_has_bfloat16() -> bool:
    """Elsewhere bfloat16 is emulated, and slower than float32."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
