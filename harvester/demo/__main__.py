"""`python -m harvester.demo`, which is what `make demo` runs."""

from harvester.demo import main

main()
