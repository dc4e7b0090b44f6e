"""Ready-made senders, one folder a program, each with its how-to: what it needs, three steps, what has been tried."""
