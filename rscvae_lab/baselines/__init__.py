"""The methods the paper compares with, one file each, one contract:

    method = METHODS[config.mode](config)     a module; its weights are saved and loaded like any other's
    method.fit(images)                        normal images, uint8 (N, C, S, S); `losses` has each epoch's mean
    method.score(images) -> (N,)              higher = more novel; of each image alone, in whatever batch it comes
"""

from rscvae_lab.baselines.adgan import ADGAN
from rscvae_lab.baselines.ae import AE
from rscvae_lab.baselines.brightness import Brightness
from rscvae_lab.baselines.dsebm import DSEBM
from rscvae_lab.baselines.ganomaly import GANomaly
from rscvae_lab.baselines.gradcon import GradCon
from rscvae_lab.baselines.ocgan import OCGAN
from rscvae_lab.baselines.patch_svdd import PatchSVDD
from rscvae_lab.baselines.pca import PCA

METHODS = {"brightness": Brightness, "pca": PCA, "ae": AE, "ganomaly": GANomaly, "ocgan": OCGAN, "gradcon": GradCon,
           "adgan": ADGAN, "dsebm": DSEBM, "patch_svdd": PatchSVDD}
