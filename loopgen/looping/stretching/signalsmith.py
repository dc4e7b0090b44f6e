"""Signalsmith Stretch (MIT): time without pitch, all channels locked in phase."""
