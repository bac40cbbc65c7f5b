"""How large a number may be: beyond these a machine gives up before the work begins, so they are slips of the hand."""

SEED = 2**32 - 1  # what NumPy takes
ROWS = 100_000  # per forward pass
TOKENS = 1_000_000  # of an answer, longer than any context
NEW_TOKENS = 128  # that a model gets to answer with, where nobody says and the data do not ask for more
STEPS = 1_000_000_000
EPOCHS = 1_000_000
RANK = 16_384  # of an adapter; the width of the largest models
PEOPLE = 100_000
WORKERS = 1_024
PIXELS = 100_000  # of an edge
COLDEST, TEMPERATURE = 1e-3, 100.0  # of sampling: below, scores are divided into infinities
