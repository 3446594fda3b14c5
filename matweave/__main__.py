"""``matweave`` and ``python -m matweave``: ready for Ctrl-C before anything large is imported."""

import sys


def main() -> int:
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        print("matweave: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
