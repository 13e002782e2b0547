"""RSC-VAE (arXiv 2305.04275) as a laboratory: models, losses, trainers and the notebooks' instruments.

The paper's route through the package: `datasets.one_class` (Sec. 4.1) -> `models.vae` (Sec. 3.1) -> `losses`
(Eqs. 4-14) -> `scoring` (Eqs. 15-17), tied together by `trainers`.
"""

__version__ = "0.1.0"

NORMAL, NOVEL = 0, 1  # labels everywhere; a higher novelty score always means more novel
