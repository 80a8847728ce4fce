"""The vendors that the sandbox plays: one declaration each, the player, and the catalog."""
