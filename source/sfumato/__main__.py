"""`python -m sfumato`: the command line."""

from __future__ import annotations

import sys

try:
    from sfumato.cli import main
except KeyboardInterrupt:  # pressed while the modules were read
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
