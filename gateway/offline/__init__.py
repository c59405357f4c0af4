"""What runs without a gateway: the tests that stand in policy files."""
