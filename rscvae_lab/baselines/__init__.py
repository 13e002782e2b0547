"""The methods the paper compares with, one file each, with one interface:

    method = config.method.model_class()(config)    a module, saved and loaded like any other
    method.fit(images)              normal images, uint8 (N, C, S, S); `losses`: each epoch's mean
    method.score(images) -> (N,)    higher = more novel; independent of an image's batch
"""
