"""Settings that change nothing in a training: beta without anomalies, say. They are taken as they
are, for a sweep over modes names them once for all; the command line and Detector say them."""

from rscvae_lab.config.categories import ARRAYS, IMAGE_FOLDERS
from rscvae_lab.config.schema import Config
from rscvae_lab.config.text import usual_config


def idle_settings(config: Config) -> list[str]:
    """The names of the settings that differ from the usual ones and are without effect, of those
    that only VAEs, only some modes or only some data have a use for.

    >>> idle_settings(Config(mode="o", beta=10)), idle_settings(Config(mode="e", beta=10))
    (['beta'], [])
    """
    usual = usual_config(config)
    return [name for name, works in _effects(config).items()
            if not works and getattr(config, name) != getattr(usual, name)]


def idle_note(config: Config) -> str:
    """One line on them; empty where there are none."""
    names, what = idle_settings(config), f"mode {config.mode} of {config.dataset}"
    return f"without effect in {what}: {', '.join(names)}" if names else ""


def _effects(config: Config) -> dict[str, bool]:
    """Whether this training uses each of the settings that not every one does."""
    method, is_vae = config.method, config.method.is_vae
    images = config.dataset in IMAGE_FOLDERS
    labelled = not images and config.dataset != ARRAYS
    own_loss = method.objective is not None  # which may weigh as it likes
    is_d, is_e = method.anomalies == "shifted", method.anomalies == "real"
    draws = is_e and labelled
    recodes = is_vae and (method.recodes or own_loss)
    anomalous = is_vae and (bool(method.anomalies) or own_loss)
    own = bool(config.encoder and config.decoder)
    return {
        "p": is_d or draws, "shifts": is_d and not images, "anomaly_base": draws,
        "anomaly_draw": draws, "fraction": labelled, "test_without": images,
        "per_defect": images and (is_e or not config.test_without),
        "augment": images and is_vae, "rigid": images and is_vae, "jitter": images and is_vae,
        "beta": anomalous, "lambda_consist": recodes, "consist_on_anomaly": anomalous and recodes,
        "recode_gradient": recodes, "recode_statistics": is_vae, "js": is_vae,
        "network": not own, "widths": not own and (config.network == "plain" or not is_vae),
    }
