"""loopgen: a prompt and a tempo become a seamless loop of exactly that tempo."""
