"""Random and mutated packets through the receive side, held against a model of RFC 9293 written apart from it."""
