"""Stands in for the ``bitwuzla`` program, which the package of that name does not bring.

Run by ``yosys-smtbmc``, which asks for ``--help`` first and then talks SMT-LIB 2 over a pipe.
"""

import sys


def main() -> None:
    if "--help" in sys.argv:
        print("--lang")  # what smtbmc takes for a Bitwuzla of today
        return
    from bitwuzla import Option, Options, Parser, TermManager

    options = Options()
    options.set(Option.PRODUCE_MODELS, True)
    Parser(TermManager(), options).parse("<stdin>", False, True)


if __name__ == "__main__":
    main()
