"""Templates of the project that `jobcancel new-adapter` writes; filled in by `scaffold`."""
