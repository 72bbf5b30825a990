"""`dynexport devices`: the device descriptions that are shipped."""

from __future__ import annotations

from typing import Annotated

import typer


def devices(
    show: Annotated[str | None, typer.Option(help="Print this description, to start your own from.")] = None,
) -> None:
    """List the inverters and meters that `driver: registers` knows, or print one's description."""
    from dynexport.modbus.registers.catalogue import description, names, path_of
    from dynexport.settings.problems import ConfigError

    if show is not None:
        try:
            typer.echo(path_of(show).read_text(encoding="utf-8"), nl=False)
        except (ConfigError, OSError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
        return
    for name in names():
        found = description(name)
        scope = f", limits {found.limit.scope.value}" if found.limit else ""
        typer.echo(f"{name:<18} {found.kind}{scope}, {found.confidence}: {found.make}, {found.models}")
