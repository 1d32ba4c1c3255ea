"""Media in, remedied media out."""
