"""``python -m loopgen.training``: the beat network's weights and their card, anew."""

from loopgen.training.weights import main

if __name__ == "__main__":
    main()
