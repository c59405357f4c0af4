"""A small Stack Overflow Enterprise in memory, to develop and test against.

It speaks v2.3 and v3 as real clients need them, refuses what SOE refuses, and can be told to fail.
It is no part of the gateway, and nothing of it is fit for more than a loopback address.
"""
