"""What people look at outside the terminal dashboard: the table and the report of a run.

May import core and store. Computes no verdict: it draws what core has judged.
"""
