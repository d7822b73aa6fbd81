"""Sessions on ordinary kernel sockets, without any privilege: the socket engine, and the one session beside the ring.

Knows what an application sees of a network, retransmission back-off included; it sees neither packets nor nodes.
"""
