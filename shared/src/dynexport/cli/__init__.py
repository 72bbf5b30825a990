"""The `dynexport` command. Typer and Rich are imported here and in services' `verbs.py` only."""
