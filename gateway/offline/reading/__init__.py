"""Reads a site through its API, at the pace that it allows; what is read, its callers say.

`reader` asks and heeds throttles, `pace` knows how they are told, `v23` how texts are asked for.
"""
