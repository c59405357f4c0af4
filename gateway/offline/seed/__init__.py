"""Reads what stands on a site, and remembers it, so that copies of it are found, too.

`v23` and `v3` know the two APIs' lists, `posts` makes of each post what state remembers, `progress`
keeps how far a run came, `run` puts them together. SOE is asked by `offline.reading`. No text leaves
this package: state gets fingerprints.
"""
