"""Where the screens touch the machine: journals read behind a cursor, leases and the kill switch, files written."""
