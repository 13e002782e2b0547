"""The instruments as a page that needs no Python: shipped weights as ONNX, what the page knows of
them, and a server for one's own machine. The page's source is `docs/explorable`."""

from rscvae_lab.explorable.calibration import calibrate, stored_regions
from rscvae_lab.explorable.onnx import decoder_bytes, encoder_bytes
from rscvae_lab.explorable.page import write_page
from rscvae_lab.explorable.server import explore
