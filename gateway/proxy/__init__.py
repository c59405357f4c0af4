"""The enforcement point: HTTP in, the way of a request, HTTP out."""
