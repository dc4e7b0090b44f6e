"""Ableton Live without Max for Live, by way of the remote script AbletonOSC: its tempo, key and clip become a loop."""
