"""The methods the paper compares with, one file each, one contract:

    method = config.method.model_class()(config)    a module, saved and loaded like any other
    method.fit(images)              normal images, uint8 (N, C, S, S); `losses` has each epoch's mean
    method.score(images) -> (N,)    higher = more novel; of each image alone, whatever its batch
"""
