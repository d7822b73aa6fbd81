"""Tests of the socket engine."""
