"""`python -m limit_engine`: settings, wiring, run."""

from dynexport.service import main
from limit_engine.app import build, new_engine_id

if __name__ == "__main__":
    ENGINE_ID = new_engine_id()
    raise SystemExit(main("limit-engine", build(ENGINE_ID), muted=True, client_suffix=ENGINE_ID))
