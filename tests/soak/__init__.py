"""An agent under full load for an hour: does its memory stay as it is, and do its sessions."""
