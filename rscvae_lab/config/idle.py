"""Settings that change nothing in a training: beta without anomalies, say. They are taken as they
are, for a sweep over modes names them once for all; but they are said."""

from rscvae_lab.config.categories import ARRAYS, IMAGE_FOLDERS
from rscvae_lab.config.schema import Config
from rscvae_lab.config.text import usual


def idle(config: Config) -> list[str]:
    """The names of the settings that differ from the usual ones, and are without effect.

    >>> idle(Config(mode="o", beta=10)), idle(Config(mode="e", beta=10))
    (['beta'], [])
    """
    plain = usual(config)
    return [name for name, works in _effects(config).items()
            if not works and getattr(config, name) != getattr(plain, name)]


def idle_note(config: Config) -> str:
    """One line on them; empty where there are none."""
    names, what = idle(config), f"mode {config.mode} of {config.dataset}"
    return f"without effect in {what}: {', '.join(names)}" if names else ""


def _effects(config: Config) -> dict[str, bool]:
    """Whether each of the settings that not every training has a use for is used in this one."""
    method, is_vae = config.method, config.method.is_vae
    images = config.dataset in IMAGE_FOLDERS
    labelled = not images and config.dataset != ARRAYS
    own_loss = method.objective is not None  # which may weigh as it likes
    is_d, draws = method.anomalies == "shifted", method.anomalies == "real" and labelled
    recodes = is_vae and (method.recodes or own_loss)
    anomalous = is_vae and (bool(method.anomalies) or own_loss)
    own = bool(config.encoder and config.decoder)
    return {
        "p": is_d or draws, "shifts": is_d, "anomaly_base": draws, "anomaly_draw": draws,
        "fraction": labelled, "per_defect": images, "test_without": images,
        "augment": images, "rigid": images, "jitter": images,
        "beta": anomalous, "lambda_consist": recodes, "consist_on_anomaly": anomalous and recodes,
        "recode_gradient": recodes, "recode_statistics": is_vae, "js": is_vae,
        "network": not own, "widths": not own and config.network == "plain",
    }
