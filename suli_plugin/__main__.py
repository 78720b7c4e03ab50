"""`python -m suli_plugin` is `suli`, in what it records of its command line, too."""

import sys

from suli_plugin.cli import main

sys.argv[0] = "suli"
main(prog_name="suli")
