"""`python -m suli_plugin` is `suli`."""

from suli_plugin.cli import main

main(prog_name="suli")
