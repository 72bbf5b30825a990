"""`python -m inverter_writer`: the parent, which starts and watches the working process."""

import sys

from inverter_writer.parent import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
