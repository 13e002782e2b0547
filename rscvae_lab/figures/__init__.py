"""The figures of the course and of the reports: arrays and frames in, a figure out."""

from rscvae_lab.figures.charts import (
    before_after_chart,
    gap_chart,
    means_chart,
    rivals_chart,
    settings_chart,
    square,
    supervision_chart,
)
from rscvae_lab.figures.compared import (
    LABELS,
    LINES,
    against,
    curves,
    picture_columns,
    plate_maps,
    ranking,
)
from rscvae_lab.figures.panels import (
    CHOSEN,
    GROUP_NAMES,
    POINT_COLOURS,
    Canvas,
    alpha_panels,
    axes,
    canvas,
    deviation,
    live,
    picture_table,
    png,
    rotation,
    show_picture,
    two_gaussians,
)
from rscvae_lab.figures.parts import (
    MASK_COLOUR,
    error_map,
    gallery,
    histograms,
    outline,
    part,
    part_rows,
)
from rscvae_lab.figures.plots import (
    METHOD_COLOURS,
    METHOD_NAMES,
    NORMAL_COLOUR,
    NOVEL_COLOUR,
    REGION_COLOURS,
    STYLE,
    TRAIN_COLOUR,
    auroc_chart,
    consistency,
    embeddings,
    empty_figure,
    heatmap,
    information,
    learning_curves,
    picture_rows,
    planes,
    region_plane,
    score_panels,
    term_histograms,
)

__all__ = ['CHOSEN', 'Canvas', 'GROUP_NAMES', 'LABELS', 'LINES', 'MASK_COLOUR', 'METHOD_COLOURS', 'METHOD_NAMES', 'NORMAL_COLOUR', 'NOVEL_COLOUR', 'POINT_COLOURS', 'REGION_COLOURS', 'STYLE', 'TRAIN_COLOUR', 'against', 'alpha_panels', 'auroc_chart', 'axes', 'before_after_chart', 'canvas', 'consistency', 'curves', 'deviation', 'embeddings', 'empty_figure', 'error_map', 'gallery', 'gap_chart', 'heatmap', 'histograms', 'information', 'learning_curves', 'live', 'means_chart', 'outline', 'part', 'part_rows', 'picture_columns', 'picture_rows', 'picture_table', 'planes', 'plate_maps', 'png', 'ranking', 'region_plane', 'rivals_chart', 'rotation', 'score_panels', 'settings_chart', 'show_picture', 'square', 'supervision_chart', 'term_histograms', 'two_gaussians']
