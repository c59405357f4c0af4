"""Text as a reader takes it in, and what makes two texts the same. Pure."""
