"""`python -m rscvae_lab` is the command `rscvae`."""

import sys

from rscvae_lab.cli import main

sys.exit(main())
