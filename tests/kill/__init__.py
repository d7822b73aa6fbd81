"""kill -9 of everything that takes part in a fault: the network must be as it was, and the story whole."""
