"""The commands of `sordino`, by what they are about."""
