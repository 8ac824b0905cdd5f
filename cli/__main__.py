"""`python -m cli`: run the command line without installing it."""

from cli.main import main

main()
