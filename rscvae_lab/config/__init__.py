"""What is trained: every setting of a training, the data sets' classes, and both as text."""

from rscvae_lab.config.categories import (ARRAYS, CATEGORIES, FOLDER, GREY, IMAGE_FOLDERS,
                                          category_list, category_slug, class_index,
                                          known_dataset, short, slug, subfolders)
from rscvae_lab.config.idle import idle_note, idle_settings
from rscvae_lab.config.schema import (ADDED_LATER, PAPER_HALF_PERIOD, RECIPE, WIDTHS, Config,
                                      require_vae)
