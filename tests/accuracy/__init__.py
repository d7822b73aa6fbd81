"""`make accuracy`: outages made by hand on the lab's path, and what the probe and a packet capture say of them."""
