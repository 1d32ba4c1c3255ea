"""Everything that touches the outside to get a segment in and an answer out."""
