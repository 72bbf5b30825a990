"""What a description may not say though its shape is right: told with file and line."""

from __future__ import annotations

from collections.abc import Iterator

from dynexport.messages import HardwareFallback
from dynexport.modbus.registers import codec
from dynexport.modbus.registers.model import Description, Function, LimitSection, Register, Write
from dynexport.settings.problems import Problem, near
from dynexport.settings.shape import Location
from dynexport.settings.source import Source

STATES_HINT = "the raw number in quotes, for example {'2': sleeping}"
METER_ONLY = ("power_a_w", "power_b_w", "power_c_w", "import_wh", "export_wh")
AT_EVERY_POLL = ("power_w", "power_a_w", "power_b_w", "power_c_w", "state", "connected", "valid")
INVERTER_ONLY = ("energy_wh", "available_w", "state", "connected", "asleep_without_power")


def problems(description: Description, source: Source) -> list[Problem]:
    """Every doubt, each an error."""
    return [
        *_kind(description, source),
        *_blocks(description, source),
        *_texts(description, source),
        *_numbers(description, source),
        *_words(description, source),
        *_writes(description, source),
    ]


def _kind(description: Description, source: Source) -> Iterator[Problem]:
    read = source.data["read"]
    wrong = METER_ONLY if description.kind == "inverter" else INVERTER_ONLY
    for name in (name for name in wrong if name in read):
        yield source.problem(("read", name), f"is not for a device of `kind: {description.kind}`")
    if description.kind == "meter":
        for name in (name for name in ("limit", "connect", "rating") if name in source.data):
            yield source.problem((name,), "is not for a device of `kind: meter`")


def _blocks(description: Description, source: Source) -> Iterator[Problem]:
    """Whatever is measured must be read."""
    read, seldom = set[tuple[Function, int]](), set[tuple[Function, int]]()
    for block in description.blocks:
        function = block.function or description.function
        (seldom if block.every_s else read).update(
            (function, block.address + at) for at in range(block.count)
        )
    for place, register in measured(description):
        function = register.function or description.function
        wanted = {(function, register.address + number) for number in range(codec.size(register))}
        scale_from = getattr(register, "scale_from", None)
        if scale_from is not None:
            wanted.add((function, scale_from))
        if place[1] not in AT_EVERY_POLL:
            wanted -= seldom
        if wanted & seldom - read:
            yield source.problem(place, "is needed at every poll, and stands in a block with `every_s`")
        elif missing := sorted(address for _, address in wanted - read):
            blocks = ", ".join(
                f"{each.address} to {each.address + each.count - 1}" for each in description.blocks
            )
            yield source.problem(
                place,
                f"{function} register {missing[0]} is in no block",
                hint=f"the blocks are {blocks}: lengthen one or add one",
            )


def measured(description: Description) -> Iterator[tuple[Location, Register]]:
    """The registers below `read`, with their places."""
    for name in type(description.read).model_fields:
        register = getattr(description.read, name)
        if isinstance(register, Register):
            yield ("read", name), register
            for number, part in enumerate(getattr(register, "plus", ())):
                yield ("read", name, "plus", number), part


def _texts(description: Description, source: Source) -> Iterator[Problem]:
    """A string needs its length and is no number."""
    for place, register in measured(description):
        if register.type == "string":
            yield source.problem((*place, "type"), "a measured value is a number, not a `string`")
    named: list[tuple[Location, Register | None]] = [
        (("identity", "model"), description.identity.model),
        (("identity", "serial"), description.identity.serial),
        *((("recognise", number), check) for number, check in enumerate(description.recognise)),
    ]
    for place, text in named:
        if text is not None and (text.type == "string") != (text.count is not None):
            yield source.problem((*place, "count"), "goes with `type: string`, and must be given there")


def _numbers(description: Description, source: Source) -> Iterator[Problem]:
    """A limit or a switch is no text, and a scale of 0 would say 0 for ever."""
    limit, connect, rated = description.limit, description.connect, description.rating.max_w
    named: list[tuple[Location, Register | None]] = [(("rating", "max_w"), rated)]
    if limit is not None:
        named += [(("limit", name), getattr(limit, name)) for name in ("value", "enabled", "foreign")]
    if connect is not None:
        named.append((("connect", "state"), connect.state))
    for place, register in named:
        if register is not None and register.type == "string":
            yield source.problem((*place, "type"), "must be a number, not a `string`")
    for place, register in [*measured(description), *named]:
        if register is not None and register.scale == 0:
            hint = "what one step of the raw number is, for example 0.1; negative turns the sign"
            yield source.problem((*place, "scale"), "must not be 0: nothing else would ever be read", hint=hint)


def _words(description: Description, source: Source) -> Iterator[Problem]:
    state = description.read.state
    for word in () if state is None else state.words:
        if not word.isdecimal():
            yield source.problem(("read", "state", "words", word), "is no raw number", hint=STATES_HINT)


def _writes(description: Description, source: Source) -> Iterator[Problem]:
    limit = description.limit
    if limit is None:
        return
    if not any(write.value == "limit" for write in limit.write):
        hint = "one entry needs `value: limit`"
        yield source.problem(("limit", "write"), "never writes the limit", hint=hint)
    chosen = limit.when_silent is HardwareFallback.CHOSEN_W
    if chosen and not any(write.value == "fallback" for write in limit.write):
        hint = "one entry of `write` needs `value: fallback`, or say `when_silent: holds_last`"
        yield source.problem(("limit", "when_silent"), "no `fallback` is ever written", hint=hint)
    if chosen and limit.persistent:
        hint = "registers that persist are not refreshed, so its timer would run out"
        yield source.problem(
            ("limit", "when_silent"), "`chosen_w` does not go with `persistent: true`", hint=hint
        )
    for place, write in _every_write(description):
        yield from _write(place, write, source)
    yield from _one_scale(limit, source)


def _one_scale(limit: LimitSection, source: Source) -> Iterator[Problem]:
    """The register that is written and read back must mean the same both ways."""
    for number, write in enumerate(limit.write):
        if write.value != "limit" or write.address != limit.value.address:
            continue
        for name in ("scale", "type"):
            here, there = getattr(write, name), getattr(limit.value, name)
            if here != there:
                message = f"{name} is {here} here, and {there} in `limit.value`, for the same register"
                yield source.problem(("limit", "write", number), message, hint="say the same in both")


def _every_write(description: Description) -> Iterator[tuple[Location, Write]]:
    limit, connect = description.limit, description.connect
    for name in ("prepare", "write", "release"):
        for number, write in enumerate(getattr(limit, name)):
            yield ("limit", name, number), write
    for name in () if connect is None else ("on", "off"):
        for number, write in enumerate(getattr(connect, name)):
            yield ("connect", name, number), write


def _write(place: Location, write: Write, source: Source) -> Iterator[Problem]:
    if write.type == "string":
        yield source.problem((*place, "type"), "only numbers are written")
        return
    if isinstance(write.value, str):
        if "limit" not in place[:1] or place[1] == "prepare":
            message = f"`{write.value}` is known in `limit.write` only"
            yield source.problem((*place, "value"), message, hint=near(write.value, ["limit"]))
        return
    try:
        codec.encode(write.value, write.type, "big")
    except ValueError as error:
        yield source.problem((*place, "value"), str(error))
    if write.type != "float32" and write.value != int(write.value):
        yield source.problem((*place, "value"), f"{write.value:g} is no whole number, as {write.type} is")
