"""The course's instruments: each a pure function that draws, and a panel of controls around it."""

from rscvae_lab.widgets.answers import answer
from rscvae_lab.widgets.base import Panel, dropdown, slider
from rscvae_lab.widgets.choosing import run_chooser
from rscvae_lab.widgets.deviation import DeviationExplorer
from rscvae_lab.widgets.gaussians import gaussian_explorer, two_gaussians
from rscvae_lab.widgets.modes import mode_switch
from rscvae_lab.widgets.parts import PartInspector
from rscvae_lab.widgets.plane import LatentPlane
from rscvae_lab.widgets.rotation import Turning, rotation_explorer
from rscvae_lab.widgets.scores import Mixtures, alpha_explorer
from rscvae_lab.widgets.shifting import Referee, shift_playground, shifted
from rscvae_lab.widgets.training import LiveTraining
