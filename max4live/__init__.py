"""The Max for Live device: its sources (``src``), and what makes ``Loopgen.amxd`` of them, checks, draws, installs it."""
