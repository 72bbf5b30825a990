"""`python -m dynexport.cli`: the same as `dynexport`."""

from dynexport.cli.main import run

run()
