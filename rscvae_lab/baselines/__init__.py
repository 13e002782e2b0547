"""The methods the paper compares with, each `fit(images)` and `score(images) -> (N,)`, higher = more novel."""
