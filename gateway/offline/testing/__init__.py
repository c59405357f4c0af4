"""The tests that stand in policy files.

`suite` reads policies with their tests: `cases` the tests, `steps` their steps, `requests` what a
step sends, `saved` what SOE answers, `expect` what is expected. `play` plays them, `report` tells
how they ended, and `coverage` what they leave alone.
"""
