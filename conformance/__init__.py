"""The official client procedures of CSIP-AUS, read from `cactus-test-definitions`, run against our client."""
