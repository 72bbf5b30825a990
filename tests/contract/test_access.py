"""The topic table and the generated ACL say the same, in both directions; services ask for no more than they get."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dynexport import topics
from dynexport.access import PEOPLE, SERVICES, acl, rights
from dynexport.access.rights import READS
from dynexport.docs import files
from dynexport.testing.builders import site
from dynexport.topics import ADDED, EACH, TABLE, Topic

ROOT = Path(__file__).resolve().parents[2]
BEYOND_THE_TABLE = {
    ("site-simulator", f"dynexport/{topics.SIMULATOR_TRUTH}"),
    ("utility-simulator", f"dynexport/{topics.UTILITY_STATE}"),
}


def from_the_table() -> set[tuple[str, str]]:
    """(user, filter) for all that the table says about writing."""
    named = {
        (writer.user, f"dynexport/{topic.name_for(writer)}")
        for topic in TABLE
        for writer in topic.writers
        if writer not in (EACH, ADDED)
    }
    own = {
        (name, f"dynexport/{topic.name.replace('+', name, 1)}")
        for topic in TABLE
        for name in SERVICES
        if EACH in topic.writers
    }
    return named | own


def from_the_acl() -> set[tuple[str, str]]:
    """(user, filter) for each line of the file that lets somebody write."""
    found, user = set(), ""
    for line in acl(rights(site())).splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "user":
            user = rest
        elif line.startswith("topic write "):
            found.add((user, line.removeprefix("topic write ")))
        elif kind == "topic":
            assert rest.startswith("read "), line
    return found


def test_the_acl_allows_what_the_table_says_and_nothing_else() -> None:
    assert from_the_acl() == from_the_table() | BEYOND_THE_TABLE


@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_every_writer_of_the_table_is_a_user_and_stands_in_the_page(topic: Topic) -> None:
    row = next(
        line for line in files()["docs/topics.md"].splitlines() if line.startswith(f"| `{topic.name}` |")
    )
    assert topic.writers
    for writer in topic.writers:
        assert writer.user in {*SERVICES, *PEOPLE, EACH.user, ADDED.user}
        assert writer.user in row
        assert not writer.ids or f"`{topic.name_for(writer)}`" in row


def test_the_users_are_the_services_of_this_repository_and_those_that_the_table_names() -> None:
    here = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}
    named = {writer.user for topic in TABLE for writer in topic.writers} - {EACH.user, ADDED.user, *PEOPLE}
    assert set(SERVICES) == here | named


def subscribed(service: str) -> set[str]:
    """The topics that a service's sources name in `subscribe(topics.X)`; anything else there as it is written."""
    found = set()
    for path in (ROOT / "services" / service / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "subscribe"
            ):
                found.add(ast.unparse(node.args[0]))
    return found


@pytest.mark.parametrize("service", READS)
def test_a_service_that_may_not_read_everything_subscribes_to_no_more_than_it_may(service: str) -> None:
    """A broker delivers nothing, silently, where reading is not allowed."""
    for written in subscribed(service):
        topic = getattr(topics, written.removeprefix("topics."))
        wanted = topic.name.replace("request/+/", f"request/{service}/")
        assert wanted in READS[service]
