"""`make bench`: what a heartbeat costs, beside other tools, measured in one run."""
