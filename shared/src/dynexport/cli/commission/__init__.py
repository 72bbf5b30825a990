"""`dynexport commission`: the distributors' capability test, and its report."""
