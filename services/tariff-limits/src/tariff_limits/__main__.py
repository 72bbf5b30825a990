"""`python -m tariff_limits`: settings, wiring, run."""

from dynexport.service import main
from tariff_limits.app import build

if __name__ == "__main__":
    raise SystemExit(main("tariff-limits", build))
