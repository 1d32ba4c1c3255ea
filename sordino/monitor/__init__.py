"""The product: decides, remembers, serves."""
