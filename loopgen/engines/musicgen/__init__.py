"""MusicGen: transformers' weights, our decode loop; with ``audiocraft``, the only package that imports torch."""
