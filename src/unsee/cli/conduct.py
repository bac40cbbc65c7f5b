"""How the program behaves towards the person at the terminal, and towards the other programs on the machine.

Bars of other libraries that come and go in milliseconds, advice on functions that we do not call, warnings addressed to
developers: none of it is about what the person did. Programs that import `unsee` keep every word.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from io import TextIOWrapper

_ENVIRONMENT = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that wait let others have the core. Left to spin, two threads on two busy cores make a small model ten
    # times slower; the results are the same.
    "OMP_WAIT_POLICY": "PASSIVE",
}


def behave() -> None:
    """Take on these manners, for worker processes too. What the user has set (environment, `python -W`) stays."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
    logging.getLogger().setLevel(logging.ERROR)
    if "transformers" in sys.modules:  # it reads its environment when it is imported, and may have been already
        from transformers.utils import logging as of_transformers

        of_transformers.set_verbosity_error()
        of_transformers.disable_progress_bar()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows ASCII alone gets escapes
