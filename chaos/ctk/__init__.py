"""The extension of Chaos Toolkit: our faults and measurements as its actions and probes. See docs/chaos-toolkit.md.

That tool is no dependency of ours: `activity` imports it when one of them is called.
"""
