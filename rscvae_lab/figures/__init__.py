"""The figures of the course, its widgets and its reports: arrays and frames in, a figure out."""

from rscvae_lab.figures.compared import curves, plate_maps, ranking, scatter
from rscvae_lab.figures.consistency import change_by_class, consistency, extremes
from rscvae_lab.figures.geometry import alpha_panels, dumbbells
from rscvae_lab.figures.images import image_columns, image_rows, image_table, show_image
from rscvae_lab.figures.latent import (
    information,
    planes,
    region_plane,
    rotation,
    two_gaussians,
)
from rscvae_lab.figures.maps import deviation, deviation_numbers, embeddings, numbered_maps
from rscvae_lab.figures.parts import error_map, gallery, histograms, outline, part, part_rows
from rscvae_lab.figures.scoreboard import (
    compared_chart,
    gap_chart,
    means_chart,
    settings_chart,
    supervision_chart,
)
from rscvae_lab.figures.scores import (
    auroc_chart,
    heatmap,
    label_histograms,
    score_panels,
    term_histograms,
)
from rscvae_lab.figures.style import (
    NORMAL_COLOUR,
    NOVEL_COLOUR,
    STYLE,
    TRAIN_COLOUR,
    Canvas,
    axes,
    canvas,
    empty_figure,
    legend_below,
    png,
    square,
)
from rscvae_lab.figures.training import label_ends, learning_curves, live, mode_curves
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES

__all__ = ["METHOD_COLOURS", "METHOD_NAMES", "NORMAL_COLOUR", "NOVEL_COLOUR", "STYLE",
           "TRAIN_COLOUR", "Canvas", "alpha_panels", "auroc_chart", "axes", "canvas",
           "change_by_class", "compared_chart", "consistency", "curves", "deviation",
           "deviation_numbers", "dumbbells", "embeddings", "empty_figure", "error_map",
           "extremes", "gallery", "gap_chart", "heatmap", "histograms", "image_columns",
           "image_rows", "image_table", "information", "label_ends", "label_histograms",
           "learning_curves", "legend_below", "live", "means_chart", "mode_curves",
           "numbered_maps", "outline", "part", "part_rows", "planes", "plate_maps", "png",
           "ranking", "region_plane", "rotation", "scatter", "score_panels", "settings_chart",
           "show_image", "square", "supervision_chart", "term_histograms", "two_gaussians"]
