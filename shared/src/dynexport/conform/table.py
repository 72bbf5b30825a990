"""THE rules of each role, and how they are applied."""

from __future__ import annotations

from collections.abc import Mapping

from dynexport import topics
from dynexport.conform import engine, limit_source, reader, writer
from dynexport.conform.rule import Finding, Rule
from dynexport.conform.transcript import Role, Transcript

RULES: Mapping[Role, tuple[Rule, ...]] = {
    Role.READER: reader.RULES,
    Role.LIMIT_SOURCE: limit_source.RULES,
    Role.WRITER: writer.RULES,
    Role.ENGINE: engine.RULES,
}
NOT_JUDGED: Mapping[Role, tuple[str, ...]] = {
    Role.READER: reader.NOT_JUDGED,
    Role.LIMIT_SOURCE: limit_source.NOT_JUDGED,
    Role.WRITER: writer.NOT_JUDGED,
    Role.ENGINE: engine.NOT_JUDGED,
}
TOPICS: Mapping[Role, tuple[topics.Topic, ...]] = {
    Role.READER: (topics.METER_READING,),
    Role.LIMIT_SOURCE: (topics.LIMIT,),
    Role.WRITER: (topics.INVERTER_READING, topics.INVERTER_CAPABILITY, topics.INVERTER_CONTROL),
    Role.ENGINE: (topics.SETPOINT, topics.ACTIVE),
}


def judge(transcript: Transcript) -> list[Finding]:
    """Every rule of the subject's role, in the table's order."""
    return [Finding(rule, rule.check(transcript)) for rule in RULES[transcript.subject.role]]
