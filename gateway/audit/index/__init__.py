"""A derived index of the audit log, to ask it by: followed step by step, and deletable at any time."""
