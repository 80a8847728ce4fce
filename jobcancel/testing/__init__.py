"""For the tests of applications that use jobcancel; needs the extra `testing`."""
