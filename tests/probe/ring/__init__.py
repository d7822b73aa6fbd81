"""The ring engine's parts."""
