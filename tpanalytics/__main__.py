"""Entry point of ``python -m tpanalytics``."""

import sys

from tpanalytics.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
