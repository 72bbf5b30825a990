"""The services as they speak of themselves."""

from __future__ import annotations

from dynexport import CONTRACT_VERSION, __version__
from dynexport.cli.doctor.evidence import Evidence
from dynexport.cli.doctor.finding import Finding, doubt, ok, wrong
from dynexport.cli.supervisor import services_of
from dynexport.cli.view import changed_since
from dynexport.settings.models import Site

SILENT_AFTER_S = 25.0
SLOW_TICK_MS = 250.0
MANY_RECONNECTS = 10
SKEW_DOUBT_S = 1.0


def services(site: Site, heard: Evidence, sha256: str | None) -> list[Finding]:
    """Each service that this site needs, whether all run with the present site.yaml, and whether clocks agree."""
    names = [module.replace("_", "-") for module in services_of(site)]
    if not any(heard.snapshot.online.get(name) for name in names):
        return [wrong("services", "no service of this site runs", "`dynexport up`")]
    found = [_service(name, heard) for name in names]
    running = {name: info for name, info in heard.snapshot.infos.items() if heard.snapshot.online.get(name)}
    if words := changed_since(running, sha256):
        found.append(doubt("settings", words, "restart, or take the change back"))
    return [*found, *_clocks(heard)]


def _service(name: str, heard: Evidence) -> Finding:
    online, info = heard.snapshot.online.get(name), heard.snapshot.infos.get(name)
    if not online:
        gone = "is offline" if online is False else "was never here"
        return wrong(name, f"it {gone}", f"start it: `dynexport up`, or `docker compose up -d {name}`")
    if name not in heard.snapshot.health:
        return doubt(name, "it is online and says nothing of its health", "restart it if this stays so")
    health, _ = heard.snapshot.health[name]
    age_s = heard.age_s(health)
    if age_s > SILENT_AFTER_S:
        return wrong(name, f"it has said nothing for {age_s:.0f} s: frozen?", "restart it; its log says more")
    if info is not None and info.contract_version != CONTRACT_VERSION:
        sentence = f"it speaks version {info.contract_version} of the contract, we speak {CONTRACT_VERSION}"
        return wrong(name, sentence, "run the same version of everything")
    if info is not None and info.version != __version__:
        sentence = f"it is version {info.version}, this command is {__version__}"
        return doubt(name, sentence, "run the same version of everything")
    if health.tick_ms > SLOW_TICK_MS:
        sentence = f"its loop took {health.tick_ms:.0f} ms at worst lately"
        return doubt(name, sentence, "is this machine overloaded, or its card worn out?")
    if health.reconnects > MANY_RECONNECTS:
        return doubt(
            name, f"it lost the broker {health.reconnects} times", "look at the network and the broker's log"
        )
    dropped = f", {health.rejected} messages dropped" if health.rejected else ""
    errors = f", {health.device_errors} device errors since its start" if health.device_errors else ""
    return ok(name, f"it runs, its loop takes {health.tick_ms:.0f} ms at worst{dropped}{errors}")


def _clocks(heard: Evidence) -> list[Finding]:
    """Stamps against our own clock: beyond 5 s receivers refuse the message."""
    found = []
    for problem in {
        problem.path: problem for problem in heard.dropped if problem.kind == "clock_skew"
    }.values():
        sentence = f"{problem.path} is refused: {problem.detail}"
        found.append(wrong("clock", sentence, "synchronise the clock of the machine that publishes it"))
    far = {topic: offset for topic, offset in heard.offsets_s.items() if abs(offset) > SKEW_DOUBT_S}
    for topic, offset in sorted(far.items()):
        sentence = f"{topic} comes {offset:.1f} s after its stamp"
        found.append(doubt("clock", sentence, "are two machines' clocks apart, or is the network slow?"))
    if not found and heard.offsets_s:
        worst = max(abs(offset) for offset in heard.offsets_s.values())
        found.append(ok("clock", f"stamps agree with this machine's clock within {worst:.1f} s"))
    return found
