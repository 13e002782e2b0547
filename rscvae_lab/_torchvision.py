"""The only place that imports torchvision.

A CUDA build of torchvision declares its operators in a compiled library that a CPU-only torch
cannot load; its import then fails on the shape functions of two undeclared operators. We use none
of them, so in that case, and no other, their names are declared first.
"""

import torch

_MISSING_OPERATOR = "operator torchvision::nms does not exist"

try:
    import torchvision
except RuntimeError as error:
    if _MISSING_OPERATOR not in str(error):
        raise
    _library = torch.library.Library("torchvision", "DEF")  # declarations live as long as this
    for _name in ("nms", "qnms"):
        _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

__all__ = ["torchvision"]
