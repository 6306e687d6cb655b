"""Settings of the org that people change: currencies, territories, pipelines and their like."""
