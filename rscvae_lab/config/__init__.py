"""What is trained: every setting of a training, the data sets' classes, and both as text."""

from rscvae_lab.config.categories import (
    CATEGORIES,
    FOLDER,
    GREY,
    PICTURE_SETS,
    category_list,
    category_slug,
    class_index,
    known_dataset,
    slug,
)
from rscvae_lab.config.schema import RECIPE, WIDTHS, Config, require_vae

__all__ = ["CATEGORIES", "FOLDER", "GREY", "PICTURE_SETS", "RECIPE", "WIDTHS", "Config",
           "category_list", "category_slug", "class_index", "known_dataset", "require_vae", "slug"]
