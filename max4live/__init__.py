"""The Max for Live device: its sources (``src``), and what builds ``Loopgen.amxd`` of them, checks and installs it."""
