"""Every row of control.md's second table on the whole stack: scenarios that the benchmark and the tests share."""
