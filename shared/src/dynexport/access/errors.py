"""What cannot be granted or made."""


class AccessError(Exception):
    """A user, a topic or the folder is not as it must be; the text says what, where and what to do."""
