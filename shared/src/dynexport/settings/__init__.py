"""`site.yaml` as models, and how it is read."""

from dynexport.settings.models import Site

__all__ = ["Site"]
