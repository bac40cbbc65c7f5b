"""`python -m unsee` is `unsee`."""

from __future__ import annotations

import sys

from unsee.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
