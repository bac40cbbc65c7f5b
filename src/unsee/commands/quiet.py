"""What other libraries say of their own accord, silenced for runs of the command line.

Bars that come and go in milliseconds, advice on functions that we do not call, warnings addressed to developers: none
of it is about what the person at the terminal did. Programs that import `unsee` keep every word.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

_ENVIRONMENT = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def quiet() -> None:
    """Silence them, now and for worker processes. What the user has set (environment, `python -W`) is left alone."""
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
