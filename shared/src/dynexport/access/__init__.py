"""Who may do what on the broker: its users, their passwords, and the ACL from the one topic table.

A folder holds all of it, and `prepare` makes whatever is missing in it:

    access/                 0755
      users.json            0600  what `user add` granted, below the root
      mosquitto/            0700  for the broker only
        passwd              0600  Mosquitto's password file: `$7$` hashes
        acl                 0600  Mosquitto's ACL file, written anew at every change
        conf.d/             0755  listeners that you add; the broker reads *.conf here
      secrets/              0700  for the services and the owner only
        <user>              0600  a plain password without a line end, one file for each of our own users

The broker must be able to read `mosquitto/` (its files are best its own: Mosquitto warns otherwise and promises to
refuse), the services `secrets/`. Nobody but who changes them needs to write.

- In containers: two volumes, `mosquitto/` for the broker and `secrets/` for the services, both mounted into `init` at
  their places in the folder. Simplest is to run the broker's container as the same user as ours (`user:`): whatever
  `init` makes is then owned by the one user, no container needs root, and each sees only the volume that it is given.
- Otherwise name the owners (`Owners`): who prepares is root then, and later changes keep each file's owner.
- On a machine of your own: `sudo dynexport init /etc/dynexport --broker-owner mosquitto:mosquitto`.

A service finds its own name and password by `environment` (`DYNEXPORT__MQTT__USERNAME` and `..._PASSWORD_FILE`).
"""

from dynexport.access.errors import AccessError
from dynexport.access.folder import (
    Prepared,
    add_user,
    as_user,
    environment,
    folder_of,
    prepare,
    remove_user,
    users,
)
from dynexport.access.passwords import hash_password, verifies
from dynexport.access.rights import PEOPLE, SERVICES, Grant, Rights, acl, granted, rights
from dynexport.access.store import Owners

__all__ = [
    "PEOPLE",
    "SERVICES",
    "AccessError",
    "Grant",
    "Owners",
    "Prepared",
    "Rights",
    "acl",
    "add_user",
    "as_user",
    "environment",
    "folder_of",
    "granted",
    "hash_password",
    "prepare",
    "remove_user",
    "rights",
    "users",
    "verifies",
]
