"""Recorded writes under other policies.

`rejudge` judges one as far as its record goes, `replay` all of them, over state of their own.
"""
