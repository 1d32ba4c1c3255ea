"""Media in, remedied media out: what a measure does, done."""
