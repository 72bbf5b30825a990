"""`python -m csip_client`."""

from csip_client.start import build
from dynexport.service import main

if __name__ == "__main__":
    raise SystemExit(main("csip-client", build))
