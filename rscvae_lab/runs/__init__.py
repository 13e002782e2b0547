"""A run on disk: its folder and figures, and the tables and scores that follow from it."""

from rscvae_lab.runs.run import METRIC_NAMES, ROW_NAMES, Run, finished
