"""`python -m rectrace`."""

from rectrace.cli import main

main()
