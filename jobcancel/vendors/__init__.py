"""One file per vendor, all with the same headings; `registry` imports each when it is used."""
