"""The figures of the course, its widgets and its reports: arrays and frames in, a figure out."""

from rscvae_lab.figures.compared import plate_maps, ranking, scatter
from rscvae_lab.figures.consistency import change_by_class, consistency
from rscvae_lab.figures.diagrams import GREY, data_flow, lit_terms, semantic_regions
from rscvae_lab.figures.differences import compared_rows, differences
from rscvae_lab.figures.geometry import alpha_panels, dumbbells
from rscvae_lab.figures.images import image_columns, image_rows, image_table, show_image
from rscvae_lab.figures.latent import information, planes, region_plane, rotation, two_gaussians
from rscvae_lab.figures.lines import name_ends, named_lines
from rscvae_lab.figures.maps import deviation, deviation_numbers, embeddings, numbered_maps
from rscvae_lab.figures.parts import error_map, gallery, histograms, outline, part, part_rows
from rscvae_lab.figures.plane import latent_plane, plane_background, plane_point
from rscvae_lab.figures.scoreboard import (compared_chart, floor_chart, gap_chart, means_chart,
                                           parts_chart, settings_chart, supervision_chart)
from rscvae_lab.figures.scores import (auroc_chart, heatmap, label_histograms, score_panels,
                                       term_histograms)
from rscvae_lab.figures.style import (FONT, NORMAL_COLOUR, NOVEL_COLOUR, STYLE, TRAIN_COLOUR,
                                      WIDEST, Canvas, axes, canvas, empty_figure, legend_below,
                                      png, square)
from rscvae_lab.figures.training import learning_curves, live, mode_curves
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES
