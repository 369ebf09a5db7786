"""python -m pgexplorer."""

import sys

from pgexplorer.cli import main

if __name__ == "__main__":
    sys.exit(main())
