"""`python -m inverter_writer.worker`: the working process; its parent watches it."""

from dynexport.service import main
from inverter_writer.app import build

if __name__ == "__main__":
    raise SystemExit(main("inverter-writer", build, stall_s=10.0))
