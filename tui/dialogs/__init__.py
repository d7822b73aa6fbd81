"""What is laid over a screen: help, one line of input, the choice of an export."""
