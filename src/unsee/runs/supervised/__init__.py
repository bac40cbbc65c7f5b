"""Supervised training of a model on rows: the base and the gold of a benchmark, or whatever somebody lacks.

It is a run like an unlearning, with the same trainer, encoder and labels, in a folder of its own: `train.yaml`,
`model`, `records`, `scores.json`. What was interrupted goes on when it is started again, and ends with the same bytes.
"""
