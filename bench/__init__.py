"""The closed-loop benchmark of control.md, and the simulated runs that tests and `make soak` share."""
