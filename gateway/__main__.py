"""`python -m gateway`, the same as `soe-gateway`."""

import sys

from gateway.cli import main

sys.exit(main())
