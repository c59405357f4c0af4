"""Every line of the audit log, field by field: what stands in it, as data, and published."""
