"""`python -m dynexport.docs [--root DIR]`."""

import argparse
from pathlib import Path

from dynexport.docs import write

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m dynexport.docs", description="Write the generated pages."
    )
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository; default: here")
    write(parser.parse_args().root)
