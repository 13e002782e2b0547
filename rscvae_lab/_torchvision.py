"""The one door to torchvision.

A torchvision wheel built for CUDA declares its operators only through its compiled library, which a CPU-only torch
cannot load; importing torchvision then fails on the shape functions of two operators that do not exist. We use none
of its operators, so in that case, and no other, their names are declared first.
"""

import torch

_MISSING_OPERATOR = "operator torchvision::nms does not exist"

try:
    import torchvision
except RuntimeError as error:
    if _MISSING_OPERATOR not in str(error):
        raise
    _declared = torch.library.Library("torchvision", "DEF")  # kept alive: the declaration dies with the object
    for _name in ("nms", "qnms"):
        _declared.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

__all__ = ["torchvision"]
