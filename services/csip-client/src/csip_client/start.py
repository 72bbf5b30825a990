"""Puts the service together from `site.yaml`: identity, TLS, store, lanes."""

from __future__ import annotations

import random
from datetime import UTC
from pathlib import Path

from csip_client import describe
from csip_client.adapters import certificate
from csip_client.adapters.http import HttpSession
from csip_client.adapters.store import Store, StoreError
from csip_client.adapters.tls import CIPHERS, TlsError, context
from csip_client.app import CsipClient
from csip_client.core import Lanes, Wanted
from csip_client.idle import Idle
from csip_client.obey import Obedience, Policy
from csip_client.registration import Identity
from dynexport.identity import sfdi
from dynexport.messages import WATT_LIMITS
from dynexport.pki.shown import days_left, number_of
from dynexport.service import BAD_CONFIGURATION, Context
from dynexport.settings.csip import CsipSection
from dynexport.settings.models import Site


def random_upto(most: int) -> int:
    """A whole number of 0..most, or most..0."""
    return random.randint(min(0, most), max(0, most))


def policy(site: Site, csip: CsipSection) -> Policy:
    """What `site.yaml` decides."""
    source = site.sources.get("csip")
    fallback = source.fallback.model_dump(exclude_none=True) if source and source.fallback else {}
    watts = {name: float(value) for name, value in fallback.items() if name in WATT_LIMITS}
    return Policy(site.rated_w, watts, csip.ramp_between_controls, csip.reconnect_slowly)


def build(service: Context) -> CsipClient | Idle:
    """The factory for `service.main`; without a `csip` section there is nothing to do, and that is said."""
    csip = service.site.csip
    return Idle(service) if csip is None else client(service, csip)


def client(service: Context, csip: CsipSection) -> CsipClient:
    """The client of this section; ends with exit code 2 where the identity cannot be used."""
    try:
        own = certificate.read(Path(csip.cert))
        tls = context(
            Path(csip.cert),
            Path(csip.key),
            Path(csip.ca),
            check_hostname=csip.check_hostname,
            ciphers=csip.ciphers or CIPHERS,
        )
        number = number_of(own)
        store = Store(Path(service.site.site.state_dir) / "csip-client.sqlite", csip.server, number)
    except (TlsError, StoreError, OSError) as error:
        raise SystemExit(_said(service, str(error))) from error
    who = Identity(number, sfdi(number), describe.category(service.site, csip), csip.pin, csip.nmi)
    lanes = Lanes(
        (HttpSession(csip.server, tls), HttpSession(csip.server, tls)),
        who,
        Wanted(csip.version, csip.dcap_path, csip.pen, service.site.rated_w, csip.mup_layout == "reading"),
        store,
        wall=lambda: service.clock.now().timestamp(),
        mono=service.clock.mono,
        random=random.random,
        wake=service.bus.wake,
    )
    obedience = Obedience(store, policy(service.site, csip), random_upto)
    left = days_left(own, service.clock.now().astimezone(UTC))
    return CsipClient(service, csip, lanes, store, who, obedience, left)


def _said(service: Context, text: str) -> int:
    service.log.error(text, extra={"code": "configuration"})
    return BAD_CONFIGURATION
