"""`python -m site_simulator`: settings, wiring, run."""

from dynexport.service import main
from site_simulator.app import build

if __name__ == "__main__":
    raise SystemExit(main("site-simulator", build))
