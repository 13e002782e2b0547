"""The arguments of each command."""

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn

from rscvae_lab import __version__
from rscvae_lab.cli import commands
from rscvae_lab.errors import InputError

_EPOCHS = ("default: digits 60, MNIST and Fashion-MNIST 10, industrial images 30; at paper scale "
           "500, industrial images 200")
_DATASETS = "digits (default), mnist, fashion_mnist, mvtec_ad, synthetic or folder"
_DEVICES = "auto, cpu or cuda; RSCVAE_DEVICE is the default"
_SEEDS = "for example 0,1,2"
_CSV = "the CSV to write"
_VERBOSE = "one line per epoch where stderr is no terminal, which has a bar"


class _Parser(argparse.ArgumentParser):
    """Reports mistakes in one line, like the rest of the program; -1e-3 is a value."""

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self._negative_number_matcher = re.compile(r"-\.?\d|-inf|-nan")  # as Python 3.14 has it

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def command_line() -> argparse.ArgumentParser:
    parser = _Parser(prog="rscvae", description="RSC-VAE: train, score and rerun. A mistake is "
                     "reported in one line, with exit status 2.")
    parser.add_argument("--version", action="version", version=f"rscvae {__version__}")
    parser.add_argument("--verbose", action="store_true", help=_VERBOSE)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Callable[..., int | None], help: str) -> argparse.ArgumentParser:
        command = subparsers.add_parser(name, help=help)
        command.set_defaults(command=run)
        return command

    _add_training(add)
    _add_use(add)
    _add_upkeep(add)
    return parser


def _add_training(add: Callable[..., argparse.ArgumentParser]) -> None:
    train = add("train", commands.train, "train one model and leave a run folder")
    _add_class_options(train)
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--mode", default="o",
                       help="vae (= recode_vae), o, d, e, or a compared method: pca, ae, ...")
    train.add_argument("--out", help="the run's folder (default: in runs/, named after the run)")
    train.add_argument("--resume", action="store_true", help="go on with an unfinished run")
    sweep = add("sweep", commands.sweep, "train categories x methods x seeds into one table")
    sweep.add_argument("--dataset", default="digits", help=_DATASETS)
    sweep.add_argument("--categories", default="all",
                       help="numbers, names or slugs, separated by commas, in double quotes where "
                       "they have one; or all")
    sweep.add_argument("--methods", default="vae,o,d,e", help="as --mode, separated by "
                       "commas; e_all is e with --set anomaly_base=training_set")
    sweep.add_argument("--seeds", default="0", help=_SEEDS)
    sweep.add_argument("--out", required=True,
                       help="the CSV to add rows to; the runs are left beside it")
    sweep.add_argument("--backend", default="loky",
                       help="loky (default): this machine; dask: a cluster")
    sweep.add_argument("--scheduler", help="the Dask cluster's address: tcp://host:8786")
    sweep.add_argument("--jobs", type=int, help="processes here (default: one per core)")
    sweep.add_argument("--stack", type=int, default=40,
                       help="models that train side by side on a GPU (default: 40)")
    _add_common_options(sweep)
    for parser in (train, sweep):
        parser.add_argument("--device", default="auto", help=_DEVICES)
        parser.add_argument("--scale", default="lesson", help="lesson or paper")
        parser.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS,
                            help=_VERBOSE)
        parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                            help="any field of config.json; repeatable")


def _add_use(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What is done with trained runs, and the notebooks."""
    score = add("score", commands.score, "score your own images with a trained run")
    score.add_argument("--run", required=True, help="a finished run's folder, or one that comes "
                       "with the package: pretrained/mnist-5/e")
    score.add_argument("--images", required=True, nargs="+", help="folders or image files")
    score.add_argument("--out", required=True, help=_CSV)
    score.add_argument("--pictures", metavar="DIR", help="a folder for a page of results, "
                       "index.html, and a PNG of each image, with its reconstruction, error map, "
                       "score and decision")
    rerun = add("rerun", commands.rerun, "execute a notebook with other parameters (papermill)")
    rerun.add_argument("notebook", help="a file, or one of the course: 07_semantic_deviation")
    rerun.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    rerun.add_argument("--out", required=True, help="the executed notebook to write")
    run = add("run", commands.run, "the main job: the main-line notebooks for one category")
    _add_class_options(run)
    run.add_argument("--seed", type=int, default=0)
    for parser in (rerun, run):
        parser.add_argument("--device", help=_DEVICES)
    regions = add("regions", commands.regions, "the latent regions that images fall into, by mode")
    _add_class_options(regions)
    regions.add_argument("--seeds", default="0", help=_SEEDS)
    regions.add_argument("--device", default="auto", help=_DEVICES)
    regions.add_argument("--out", required=True, help=_CSV)
    atlas = add("atlas", commands.atlas,
                "maps of the codes of runs on one class (Fig. 7), as a table")
    atlas.add_argument("runs", nargs="+", metavar="RUN", help="finished runs' folders")
    atlas.add_argument("--points", type=int, default=300, help="at most, of each group")
    atlas.add_argument("--out", required=True, help=_CSV + "; the images lie beside it")


def _add_upkeep(add: Callable[..., argparse.ArgumentParser]) -> None:
    """What keeps the stored tables, notebooks and page true, and the machine ready."""
    gather = add("gather", commands.gather,
                 "the scores of every test image of many runs, or their evaluated epochs, in one "
                 "file")
    gather.add_argument("runs", nargs="+", metavar="FOLDER",
                        help="runs' folders, or folders of them such as a sweep's x.runs")
    gather.add_argument("--out", required=True,
                        help="the file to write, or to add to: .npz for scores, .csv for epochs")
    claims = add("claims", commands.claims,
                 "each claim of the paper: printed, recomputed, ours, verdict")
    either = claims.add_mutually_exclusive_group()
    either.add_argument("--write", action="store_true",
                        help="store them in results/claims.csv; else compare with it")
    either.add_argument("--folder", default="results", help="the tables that ours are computed "
                        "from (default: results); make results writes runs/results")
    notebooks = add("notebooks", commands.notebooks,
                    "regenerate every notebook's stored outputs, or copy "
                    "the course out of an installed package")
    notebooks.add_argument("--copy", metavar="DIR", help="the folder to copy the notebooks into")
    explore = add("explore", commands.explore,
                  "the course's instruments as a page, without a kernel")
    explore.add_argument("--port", type=int, default=0, help="on 127.0.0.1 (default: a free one)")
    explore.add_argument("--no-browser", action="store_true", help="serve it, do not open it")
    explore.add_argument("--out", metavar="DIR", help="write the page here, for any static server")
    explore.add_argument("--calibrate", nargs="+", metavar="RUN", help="store the regions of "
                         "these runs beside their weights, as the page reads them")
    add("doctor", commands.doctor, "what works here, what does not, and what to do")
    data = add("data", commands.data, "fetch, verify or list data sets")
    data.add_argument("action", choices=("fetch", "verify", "list"))
    data.add_argument("dataset", nargs="?")
    bench = add("bench", commands.bench,
                "measure training, scoring and redrawing beside plain loops")
    bench.add_argument("--device", default="auto", help=_DEVICES)
    bench.add_argument("--seconds", type=float, default=1.0, help="per contestant and round")


def _add_class_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", default="digits", help=_DATASETS)
    parser.add_argument("--category", help="the normal class: number, name or slug (default: 8; "
                        "of data set folder, its only subfolder)")
    _add_common_options(parser)


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--epochs", type=int, help=_EPOCHS)
    parser.add_argument("--root", default="",
                        help="for data set folder: the folder that holds its categories")
    parser.add_argument("--image-size", type=int,
                        help="pixels per side (default: 32, for industrial images 256)")
