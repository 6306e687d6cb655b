"""From HTTP to a handler and back: addresses, parameters, refusals, prices, faults, the port."""
