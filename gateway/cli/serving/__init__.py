"""What `serve` runs: one process of the gateway, alone or as a worker, and who looks after workers."""
