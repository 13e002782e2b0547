"""The figures of the course, its widgets and its reports: arrays and frames in, a figure out."""

from rscvae_lab.figures.compared import curves, plate_maps, ranking, scatter
from rscvae_lab.figures.images import image_columns, image_rows, image_table, show_image
from rscvae_lab.figures.latent import (deviation, embeddings, information, planes, region_plane,
                                       rotation, two_gaussians)
from rscvae_lab.figures.parts import error_map, gallery, histograms, outline, part, part_rows
from rscvae_lab.figures.scoreboard import (before_after_chart, compared_chart, floor_chart,
                                           gap_chart, means_chart, settings_chart,
                                           supervision_chart)
from rscvae_lab.figures.scores import (alpha_panels, auroc_chart, consistency, heatmap,
                                       label_histograms, score_panels, term_histograms)
from rscvae_lab.figures.style import (NORMAL_COLOUR, NOVEL_COLOUR, STYLE, TRAIN_COLOUR, Canvas,
                                      axes, canvas, empty_figure, legend_below, png, square)
from rscvae_lab.figures.training import learning_curves, live
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES
