"""One file a widget. A widget draws values that it is shown; it reads no journal and touches no network."""
