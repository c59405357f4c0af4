"""Every log event and every metric. Nothing here knows a token, a target or a post's text."""
