"""A watched folder, for DAWs without OSC: a file that is dropped into the inbox becomes a loop in the output folder."""
