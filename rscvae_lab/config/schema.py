"""Everything that decides a run's result, checked once, hashed, and written to `config.json`."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Self

import torch

from rscvae_lab.config.categories import (
    ARRAYS,
    FOLDER,
    GREY,
    IMAGE_FOLDERS,
    category_slug,
    known_dataset,
)
from rscvae_lab.config.code import SHIPPED_LOSSES, fingerprint, losses_fingerprint
from rscvae_lab.divergences import DIVERGENCES
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHODS, MODES, Method, row_of, trainable
from rscvae_lab.storage.files import absolute

RECIPE = 5  # raise it when a change of the code changes what an unchanged config trains

WIDTHS = {"lesson": (16, 32, 64, 128), "wide": (32, 64, 128, 256)}
LESSON_EPOCHS = {"digits": 60, "mnist": 10, "fashion_mnist": 10}  # other data sets: 30
MOST_PIXELS, MOST_CHANNELS = 1024, 4096  # a side, as MVTec AD's photos have; of a convolution
PAPER_RATE, PAPER_HALF_PERIOD = 1e-2, 50  # Sec. 4.1; T_max
# Pairs: labelled data sets, industrial images.
LESSON_RATES = (1e-3, 3e-4)  # in proportion to the batch size (Goyal et al. 2017)
PAPER_EPOCHS = (500, 200)  # Sec. 4.1; of MVTec AD the paper says nothing
_USUAL: dict[str, tuple[Any, Any]] = {  # the values of None (Sec. 4.1)
    "network": ("plain", "resnet18"), "image_size": (32, 256), "latent": (64, 128),
    "batch_size": (32, 8), "p": (0.01, 0.05), "augment": (False, True), "rigid": (False, True),
    "threads": (1, 2),
}
_ALIASES = {  # vae and recode_vae are one training, scored twice; fixed_picture is a former name
    "mode": {"recode_vae": "vae"}, "recode_gradient": {"fixed_picture": "fixed_image"},
    "widths": WIDTHS,
}
# Fields that older runs lack, with the value they had then.
ADDED_LATER = {"network": "plain", "channels": 1, "root": "", "augment": False, "per_defect": 1,
               "data": "", "objective": "", "encoder": "", "decoder": "", "white": 0.0,
               "test_without": 0, "rigid": False, "jitter": 0.0}


def _one_of(*choices: str, **default: str | None) -> Any:
    """A field with one of these values, by default the first."""
    return field(**{"default": choices[0], "metadata": {"choices": choices}} | default)


def _within(low: float, high: float, default: float | None = None) -> Any:
    """A field with a value from `low` to `high`; None stands for a usual one."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of one training. None and `auto` are resolved on construction. Raises
    InputError for a value that is unknown or out of range.

    >>> config = Config(dataset="fashion_mnist", category="T-shirt/top", mode="e")
    >>> config.category, config.epochs, config.p
    ('t-shirt-top', 10, 0.01)
    >>> Config(beta=-1)
    Traceback (most recent call last):
    rscvae_lab.errors.InputError: beta must lie between 0 and 1e+06, found -1.0
    """

    dataset: str = "digits"
    category: str = "8"  # number, name or slug of the normal class; stored as slug
    mode: str = "o"  # a row of `METHODS` that is trained; recode_vae is vae's training
    seed: int = _within(0, 2**31 - 1, 0)  # weights, batches, noise, mode e's anomalies
    root: str = ""  # of data set `folder`: the folder of its categories; stored as absolute path
    data: str = ""  # fingerprint of the user's own images: other images are another training
    # the split (Sec. 4.1)
    image_size: int | None = None  # pixels a side, a multiple of 16 or, for a ResNet, 32
    channels: int | None = None  # 3, or 1 for grey levels
    white: float = _within(0, 1e12, 0.0)  # in 16-bit and float images; 0: 65,535 and 1
    fraction: float = _within(1e-6, 1, 0.5)  # of the other classes' test images, in the test set
    # held out for thresholds and normalisers (our choice): a share of the class's training images
    heldout: float = _within(1e-6, 0.5, 0.1)
    split_seed: int = _within(0, 2**31 - 1, 0)  # what is held out and tested, whatever the seed
    # (pseudo-)anomalies (Secs. 3.4, 3.5)
    p: float | None = _within(0, 0.5)  # probability of a shift (d), proportion of anomalies (e)
    shifts: str = _one_of("paper", "safe")  # flips and rotations; safe: rotations only
    anomaly_base: str = _one_of("class", "training_set")  # what p is a proportion of
    # equal numbers of each other class; pooled: from all together; fresh: pooled, anew every epoch
    anomaly_draw: str = _one_of("stratified", "pooled", "fresh")
    # the objective (Eqs. 4-14)
    objective: str | None = None  # fingerprint of a loss or method that is not the package's
    js: str = _one_of(*DIVERGENCES)  # the reading of D_JS; bhattacharyya by default
    lambda_consist: float = _within(0, 1e6, 0.1)
    beta: float = _within(0, 1e6, 1.0)
    consist_on_anomaly: bool = True  # False: only l_enc1 on (pseudo-)anomalies (Table 5)
    per_defect: int = _within(0, 1000, 1)  # industrial: mode e's anomalies of each type of defect
    # industrial: so many of each type of defect, by split_seed, are in no test set, and mode e's
    # are of them, by seed; 0: per_defect of them, all shown to mode e
    test_without: int = _within(0, 1000, 0)
    # batch statistics of scores, from one pass over the training images: of both encodings or the
    # first; training: torch's running averages, in which plain vae lacks the second
    recode_statistics: str = _one_of("both", "first", "training")
    # fixed_image: no gradient through x_hat; fixed_target: q(z|x) constant in D_JS
    recode_gradient: str = _one_of("full", "fixed_image", "fixed_target")
    # the network; of the user's own halves the module:class and a fingerprint
    encoder: str = ""
    decoder: str = ""
    network: str | None = _one_of("plain", "resnet18", default=None)
    widths: tuple[int, ...] = WIDTHS["lesson"]  # of the plain network
    latent: int | None = _within(1, 4096)
    augment: bool | None = None  # industrial: flips where the object allows them, small rotations
    # industrial: rotations and shifts without blur, no screw mirrored; False, as formerly:
    # rotations alone, interpolated bilinearly
    rigid: bool | None = None
    jitter: float = _within(0, 0.9, 0.0)  # industrial: of the brightness, up to 1 - and 1 + jitter
    # the optimisation; lesson: half a cosine over the epochs; paper: T_max 50 literally
    scale: str = _one_of("lesson", "paper")
    epochs: int | None = _within(1, 100_000)
    batch_size: int | None = _within(1, 65_536)
    learning_rate: float | None = _within(1e-8, 10)  # the highest
    evaluate_every: int | None = _within(1, 100_000)  # epochs between evaluations on the test set
    # the machine, as far as it decides the bytes; precision: of training, scores are float32
    device: str = "auto"
    precision: str = _one_of("float32", "tf32", "bfloat16", default="auto")
    # CPU threads of torch, among which sums are split; two are a fifth faster alone on a machine,
    # and a hundred times slower than one where another process wants the same cores
    threads: int | None = _within(1, 1024)
    stack: int = _within(1, 4096, 1)  # models that train as one ensemble
    recipe: int = RECIPE

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)  # the dataclass is frozen

        put("dataset", known_dataset(self.dataset))
        if self.root and isinstance(self.root, str | Path):
            put("root", str(absolute(self.root)))
        put("category", category_slug(self.dataset, self.category))
        for name, aliases in _ALIASES.items():
            value = getattr(self, name)
            put(name, aliases.get(value, value) if isinstance(value, str) else value)
        put("device", resolve_device(self.device))
        for name in ("mode", "scale"):
            self._check_field(name)  # the usual values depend on them
        if self.precision == "auto" and (not self.method.is_vae or self.encoder or self.decoder):
            put("precision", "float32")  # only VAEs train in bfloat16, and not a user's networks
        put("precision", resolve_precision(self.precision, self.device))
        if self.objective is None:
            put("objective", own_code(self.method))
        for name, usual in self._usual().items():
            put(name, usual if getattr(self, name) is None else getattr(self, name))
        if self.evaluate_every is None:
            epochs = _canonical("epochs", self.epochs, int)
            put("evaluate_every", 10 if self.scale == "paper" else max(1, epochs // 5))
        for each in fields(self):  # equal configs have equal hashes
            put(each.name, _canonical(each.name, getattr(self, each.name), plain_type(each.type)))
        self._check()

    def _usual(self) -> dict[str, Any]:
        """The values of None."""
        industrial, paper = self.dataset in IMAGE_FOLDERS, self.scale == "paper"
        grey = not industrial or (self.dataset == "mvtec_ad" and self.category in GREY)
        usual = {name: values[industrial] for name, values in _USUAL.items()} | {
            "channels": 1 if grey else 3,
            "epochs": PAPER_EPOCHS[industrial] if paper else LESSON_EPOCHS.get(self.dataset, 30),
            "learning_rate": PAPER_RATE if paper else LESSON_RATES[industrial],
        }
        batch_size = {"batch_size": usual["batch_size"]} if industrial else {}  # for their memory
        return usual | dict(self.method.settings) | batch_size

    def _check_field(self, name: str) -> None:
        value, allowed = getattr(self, name), self.__dataclass_fields__[name].metadata
        choices = trainable() if name == "mode" else allowed.get("choices", (value,))
        if value not in choices:
            raise InputError(f"unknown {name} {value!r}: expected one of {', '.join(choices)}")
        low, high = allowed.get("range", (value, value))
        if not low <= value <= high:
            raise InputError(f"{name} must lie between {low:g} and {high:g}, found {value!r}")

    def _check(self) -> None:
        for name in vars(self):
            self._check_field(name)
        size, industrial = self.image_size, self.dataset in IMAGE_FOLDERS
        step = 32 if self.network == "resnet18" else 16
        if size < 32 or size % step:
            raise InputError(f"image_size must be a multiple of {step} from 32 up, found {size}")
        if size > MOST_PIXELS:
            raise InputError(f"image_size must be at most {MOST_PIXELS}, found {size}")
        if size == step and self.network == "resnet18" and self.batch_size == 1:
            raise InputError("batch normalisation of one number needs a batch_size of at least 2, "
                             "found 1: a ResNet reduces 32 x 32 pixels to 1 x 1")
        if self.channels not in ((1, 3) if industrial or self.dataset == ARRAYS else (1,)):
            raise InputError("channels must be 1, or 3 for colour images, "
                             f"found {self.channels} of {self.dataset}")
        if self.dataset == FOLDER and not self.root:
            raise InputError("data set folder expects a root, the folder of its categories, "
                             "found none")
        if self.dataset == ARRAYS and not self.data:
            raise InputError("data set arrays expects images in memory, found none: train through "
                             "Detector(...).fit(images)")
        if self.data and self.dataset not in (ARRAYS, *IMAGE_FOLDERS):
            raise InputError("a fingerprint of images goes with data sets arrays, "
                             f"{', '.join(IMAGE_FOLDERS)}, found {self.data!r} of {self.dataset}")
        if self.root and self.dataset != FOLDER:
            raise InputError("a root goes with data set folder and no other, "
                             f"found {self.root!r} of {self.dataset}")
        if industrial and self.anomaly_draw != "stratified":
            raise InputError(f"anomaly_draw must be stratified on {self.dataset}, by type of "
                             f"defect, found {self.anomaly_draw}")
        if (self.encoder or self.decoder) and not self.method.is_vae:
            raise InputError("an own encoder or decoder goes with modes "
                             f"{', '.join(MODES)}, found {self.mode}")
        if len(self.widths) != 4 or not 1 <= min(self.widths) <= max(self.widths) <= MOST_CHANNELS:
            raise InputError(f"widths must be four integers from 1 to {MOST_CHANNELS} such as "
                             f"16-32-64-128, found {self.widths}")
        self._check_anomalies(industrial)

    def _check_anomalies(self, industrial: bool) -> None:
        """A mode that is trained on (pseudo-)anomalies needs some."""
        if 0 < self.test_without < self.per_defect:
            raise InputError(f"per_defect must be at most test_without {self.test_without}, found "
                             f"{self.per_defect}: what is tested on is not trained on")
        name = "per_defect" if industrial and self.method.anomalies == "real" else "p"
        if self.method.anomalies and not getattr(self, name):
            raise InputError(f"mode {self.mode} trains on {self.method.anomalies} anomalies: "
                             f"expected {name} above 0, found 0; mode o does without")

    @property
    def method(self) -> Method:
        """The mode's row in the table of methods."""
        return METHODS[self.mode]

    @property
    def row(self) -> str:
        """The name that results stand under: the mode, or `e_all` for mode e of the other base."""
        return row_of(self.mode, asdict(self))

    @property
    def config_hash(self) -> str:
        """The run's identity: twelve hexadecimal digits over all fields, without those added later
        that have their former value: older runs keep their identity. Where images have a
        fingerprint, it does not matter where they lie."""
        counted = {name: value for name, value in asdict(self).items()
                   if (name not in ADDED_LATER or value != ADDED_LATER[name])
                   and not (name == "root" and self.data)}
        return hashlib.sha256((json.dumps(counted, indent=2) + "\n").encode()).hexdigest()[:12]

    @property
    def result_epoch(self) -> int:
        """The epoch whose weights are the result: the last one, or for VAEs at paper scale the
        last one of lowest rate (450 of 500)."""
        oscillates = self.scale == "paper" and self.method.is_vae
        lowest = range(PAPER_HALF_PERIOD, self.epochs + 1, 2 * PAPER_HALF_PERIOD)
        return lowest[-1] if oscillates and lowest else self.epochs

    @property
    def result_note(self) -> str:
        """One line where the result is not the last epoch; empty elsewhere."""
        if self.result_epoch == self.epochs:
            return ""
        return (f"paper scale: the result is epoch {self.result_epoch} of {self.epochs}, where "
                f"the rate is lowest; epoch {self.epochs} is recorded as auroc_final")

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads `config.json`. Raises InputError for any other text."""
        try:
            return cls(**(ADDED_LATER | json.loads(text)))  # not today's usual values
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            raise InputError("expected a config.json written by rscvae, found something else "
                             f"({error})") from None


def require_vae(config: Config) -> None:
    """Raises InputError for a method without latent codes."""
    if not config.method.is_vae:
        raise InputError(f"expected a run of mode {', '.join(MODES)}, found {config.mode}")


def own_code(method: Method) -> str:
    """The fingerprint of what a method's training is not the package's in: its row's loss or
    model, or edited losses; empty for what is shipped. Raises InputError for unreadable code."""
    edited = method.is_vae and losses_fingerprint() != SHIPPED_LOSSES
    parts = method.own_code + ((losses_fingerprint(),) if edited else ())
    return fingerprint(*parts) if parts else ""


def plain_type(kind: Any) -> Any:
    """The type of a field without its `| None`."""
    return kind.__args__[0] if isinstance(kind, UnionType) else kind


def _canonical(name: str, value: Any, kind: Any) -> Any:
    """A value in the type of its field. Raises InputError where that would change it."""
    try:
        if name == "widths":
            if tuple(map(int, value)) == tuple(value):
                return tuple(map(int, value))
        elif kind(value) == value and (kind is bool) == isinstance(value, bool):
            return kind(value)
    except (TypeError, ValueError, OverflowError):
        pass  # raised below
    expected = "four integers" if name == "widths" else kind.__name__
    raise InputError(f"{name} expects {expected}, found {value!r}")


def resolve_device(device: str) -> str:
    """`auto` is what RSCVAE_DEVICE says, else the GPU where there is one. Raises InputError for an
    unknown device."""
    if device == "auto":
        device = os.environ.get("RSCVAE_DEVICE") or "auto"
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device not in ("cpu", "cuda"):
        raise InputError(f"unknown device {device!r}: expected auto, cpu or cuda")
    return device


def resolve_precision(precision: str, device: str) -> str:
    """`auto` is TF32 on a GPU (measured: bfloat16 is no faster), bfloat16 on a CPU that has it
    (measured: fastest, AUROC unchanged), else float32. Raises InputError for TF32 on a CPU."""
    if precision == "auto":
        cpu = getattr(torch.cpu, "get_capabilities", dict)()
        is_native = cpu.get("avx512_bf16") or cpu.get("amx_bf16")  # emulated, it is slower
        return "tf32" if device == "cuda" else "bfloat16" if is_native else "float32"
    if precision == "tf32" and device != "cuda":
        raise InputError(f"precision tf32 needs device cuda, found {device}: expected float32 or "
                         "bfloat16")
    return precision
