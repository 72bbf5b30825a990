"""`python -m utility_simulator`: settings, wiring, run."""

from dynexport.service import main
from utility_simulator.app import build

if __name__ == "__main__":
    raise SystemExit(main("utility-simulator", build))
