"""The original library, audiocraft, as an engine, where a user has it installed."""

from loopgen.engines.audiocraft.engine import AudiocraftEngine as AudiocraftEngine
