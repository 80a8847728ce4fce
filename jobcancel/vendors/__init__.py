"""One module per vendor, all with the same headings. `registry` imports each on first use."""
