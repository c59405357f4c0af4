"""Records in the words of others: one file a format."""
