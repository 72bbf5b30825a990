"""`python -m meter_reader`: settings, wiring, run."""

from dynexport.service import main
from meter_reader.app import build

if __name__ == "__main__":
    raise SystemExit(main("meter-reader", build))
