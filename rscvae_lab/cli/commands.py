"""What each command does; `arguments.py` says how it is called.

Imports stand inside the commands, so that `rscvae --help` need not load torch.
"""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rscvae_lab.errors import InputError, one_line


def _name_category(args: argparse.Namespace) -> None:
    """Fills in a category that was left out, where there is one to choose."""
    from rscvae_lab.config import CATEGORIES, FOLDER, IMAGE_FOLDERS, known_dataset
    from rscvae_lab.datasets.industrial import only_category

    dataset = known_dataset(args.dataset)
    if args.category is not None:
        return
    if dataset == FOLDER and args.root:
        args.root, args.category = only_category(args.root)
        return
    names = CATEGORIES.get(dataset, ("?",))  # of a folder without a root, the config complains
    if dataset in IMAGE_FOLDERS and len(names) > 1:
        raise InputError(f"expected --category, one of {', '.join(names)}, found none")
    args.category = "8" if dataset not in IMAGE_FOLDERS else names[0]


def _settings(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Fields of a config: these options, and the pairs of --set."""
    from rscvae_lab.config.text import parse_settings

    broken = [text for text in args.set if "=" not in text]
    if broken:
        raise InputError(f"expected NAME=VALUE, found {broken[0]!r}")
    names += ("epochs", "device", "scale", "image_size", "root")
    options = {name: getattr(args, name) for name in names}
    pairs = [text.split("=", 1) for text in args.set]
    settings = parse_settings(dict(pairs))
    for name, value in settings.items():
        if [other for other, _ in pairs].count(name) > 1:
            raise InputError(f"expected {name} once, found several in --set")
        if name in ("dataset", "category", "mode", "seed") and name in names:
            raise InputError(f"expected --{name} {value}, found {name} in --set")
        if options.get(name) not in (None, "", "auto", "lesson", value):  # or its default
            raise InputError(f"expected {name} once, found {options[name]} and, in --set, {value}")
    return options | settings


def train(args: argparse.Namespace) -> None:
    from rscvae_lab.config import FOLDER, Config, idle_note
    from rscvae_lab.storage.files import METRICS, absolute, runs_root
    from rscvae_lab.trainers import train

    _name_category(args)
    if args.out == "":
        raise InputError("expected a folder in --out, found an empty text")
    config = Config(**_settings(args, "dataset", "category", "mode", "seed"))
    places = [absolute(args.out)] if args.out else runs_root().glob("*")
    finished = {place.resolve() for place in places if (place / METRICS).is_file()}
    _print_notes({config.result_note, idle_note(config)})
    run = train(config, args.out, resume=args.resume, progress=None, callbacks=_verbosely(args))
    names = ("auroc", "auroc_recon", "auroc_mut", "auroc_best", "s_a")
    figures = ", ".join(f"{name} {run.metrics[name]:.3f}" for name in names
                        if run.metrics[name] is not None)
    state = "already finished, left as it is" if run.folder in finished else "finished"
    print(f"{state}: {run.folder}")
    if config.dataset == FOLDER:
        from rscvae_lab.figures.scored import write_judged

        print(f"look at {write_judged(run)}")
    print(figures or f"no AUROC: {run.metrics['n_test_normal']} normal and "
          f"{run.metrics['n_test_novel']} novel test images")
    _print_notes({run.threshold_note})


def _verbosely(args: argparse.Namespace) -> list[Callable[..., None]]:
    from rscvae_lab.runs.callbacks import print_epoch

    return [print_epoch] if args.verbose and not sys.stderr.isatty() else []


def _print_notes(notes: set[str]) -> None:
    for note in sorted(notes - {""}):
        say(note)


def say(message: object) -> None:
    print(f"rscvae: {one_line(message)}", file=sys.stderr)


def resume_hint(args: argparse.Namespace) -> str:
    if args.command is not train:
        return "run the same command again"
    place = f" (the run is in {args.out})" if args.out else ""
    return f"go on with the same command and --resume{place}"


def sweep(args: argparse.Namespace) -> int:
    from rscvae_lab.config import idle_note
    from rscvae_lab.sweeps import plan, sweep

    units = plan(args.dataset, args.categories, args.methods, args.seeds, _settings(args),
                 args.stack)
    configs = [config for unit in units for config in unit]
    _print_notes({note for config in configs for note in (config.result_note, idle_note(config))})
    failures = sweep(units, args.out, backend=args.backend, scheduler=args.scheduler,
                     jobs=args.jobs, callbacks=_verbosely(args))
    n_done = len(configs) - sum(len(failure.unit) for failure in failures)
    print(f"finished: {n_done} of {len(configs)} runs are in {args.out}")
    return 1 if failures else 0


def _run_folder(name: str) -> Path:
    """A run's folder, or one that comes with the package, from any folder."""
    from rscvae_lab.storage.files import resource

    shipped = resource(name)
    return shipped if shipped.is_dir() and not Path(name).exists() else Path(name)


def score(args: argparse.Namespace) -> int:
    from rscvae_lab.runs import Run
    from rscvae_lab.runs.inference import score_images

    run = Run.load(_run_folder(args.run))
    if args.pictures:
        from rscvae_lab.figures.scored import page_for

        page_for(args.pictures, args.images)  # refused before any work
    table, unreadable, left = score_images(run, args.images, args.out)
    local = (f" ({int(table.novel_local.sum())} by the local score)" if "novel_local" in table
             else "")
    print(f"{len(table)} images scored, {int(table.novel.sum())} called novel{local}: {args.out}")
    _print_notes({run.threshold_note})
    if args.pictures:
        from rscvae_lab.figures.scored import write_scored

        print(f"each with its error map, worst first: {write_scored(run, table, args.pictures)}")
    for message in unreadable:
        say(f"skipped: {message}")
    say(f"{len(table)} images taken, {len(unreadable)} unreadable"
         + (f"; left out: {left}" if left else ""))
    return 1 if unreadable else 0


def rerun(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reruns import rerun

    _use_device(args.device)
    print(f"finished: {rerun(args.notebook, dict(args.p), args.out)}")


def _use_device(device: str | None) -> None:
    """For notebooks, whose kernels inherit the environment."""
    if device:
        os.environ["RSCVAE_DEVICE"] = device


def run(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import main_job

    _use_device(args.device)
    _name_category(args)
    folder = main_job(args.dataset, args.category, args.epochs, args.seed, args.root,
                      args.image_size)
    print(f"finished: look at {folder / 'index.html'}")


def regions(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.reports import write_regions
    from rscvae_lab.sweeps import parse_seeds

    _name_category(args)
    names = ("dataset", "category", "epochs", "root", "image_size", "device")
    settings = {name: getattr(args, name) for name in names}
    print(write_regions(settings, parse_seeds(args.seeds), args.out))


def atlas(args: argparse.Namespace) -> None:
    from rscvae_lab.analysis.atlas import draw
    from rscvae_lab.runs import Run

    runs = [Run.load(_run_folder(name)) for name in args.runs]
    print(f"finished: {draw(runs, args.out, args.points)}")


def gather(args: argparse.Namespace) -> None:
    from rscvae_lab.runs import histories, image_scores
    from rscvae_lab.storage.files import METRICS

    places = [Path(place).expanduser() for place in args.runs]
    missing = [str(place) for place in places if not place.is_dir()]
    if missing:
        raise InputError(f"expected folders with finished runs, found no folder {missing[0]}")
    folders = [folder for place in places for folder in (place, *place.glob("*/"))
               if (folder / METRICS).is_file()]
    if not folders:
        raise InputError("expected folders with finished runs, found none in "
                         + ", ".join(args.runs))
    what, gather = (("evaluated epochs", histories.gather) if args.out.lower().endswith(".csv")
                    else ("scores", image_scores.gather))
    print(f"finished: {args.out} has the {what} of {gather(folders, args.out)} runs")


def claims(args: argparse.Namespace) -> int:
    from rscvae_lab.reproduction import claims

    computed = claims.write() if args.write else claims.claims(args.folder)
    print(claims.as_text(computed))
    changed = claims.differences(computed, claims.stored_claims())
    for line in changed:
        say(f"expected what results/claims.csv has, found by {args.folder}: {line}")
    return 1 if changed else 0


def notebooks(args: argparse.Namespace) -> None:
    from rscvae_lab.reproduction.readme import rebuild
    from rscvae_lab.reproduction.reruns import copy_notebooks

    if args.copy:
        copies = copy_notebooks(args.copy)
        print(f"copied {len(copies)} notebooks; open the first: jupyter lab {copies[0]}")
        return
    print("regenerated: " + ", ".join(path.name for path in rebuild()))


def doctor(_: argparse.Namespace) -> int:
    from rscvae_lab.bench.doctor import examine, works

    findings = examine()
    print(*findings, sep="\n")
    print("\nThe course works here." if works(findings) else
          "\nThe course does not work here: see BROKEN above.")
    return 0 if works(findings) else 1


def data(args: argparse.Namespace) -> None:
    from rscvae_lab import datasets
    from rscvae_lab.config import known_dataset

    if args.action == "list":
        print("\n".join(datasets.describe()))
        return
    if not args.dataset:
        raise InputError(f"rscvae data {args.action} expects a data set; `rscvae data list` names "
                         "them")
    print(getattr(datasets, args.action)(known_dataset(args.dataset)))


def explore(args: argparse.Namespace) -> None:
    from rscvae_lab.explorable import calibrate, explore, write_page

    for folder in args.calibrate or ():
        print(f"regions: {calibrate(folder)}")
    if args.out:
        print(f"written: {write_page(args.out)}")
    elif not args.calibrate:
        explore(args.port, not args.no_browser)


def bench(args: argparse.Namespace) -> None:
    from rscvae_lab.bench.report import bench, table

    report = bench(args.device, args.seconds)
    print(f"{table(report)}\nwritten: {report['path']}")
