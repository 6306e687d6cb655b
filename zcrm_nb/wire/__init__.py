"""Transport: the gate (time-outs, retries, limits, trace), credits, downloads, webhooks."""
