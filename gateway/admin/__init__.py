"""The admin listener: health, metrics. Never on the network that integrations use."""
